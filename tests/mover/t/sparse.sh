# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Holes stay holes and cost nothing on the way.
truncate -s 3G sparse
for at in 0 1000003 1500000000 3221225400; do
	printf 'island' | dd of=sparse bs=1 seek=$at conv=notrunc status=none
done
expect 0 hcp --json sparse "$HOST:$PWD/copy"
cmp sparse copy
[ "$(summary bytes_moved)" -lt 1000000 ] || fail "moved $(summary bytes_moved) bytes"
[ "$(du -k copy | cut -f1)" -lt 1000 ] || fail "the copy takes $(du -k copy)"
truncate -s 1G hole
expect 0 hcp hole hole2
cmp hole hole2
# -S makes holes of zeros, and finds what is no zero beside them.
head -c 20000000 /dev/zero > zeros
for at in 0 4095 4096 5000 8191 12288 999999 19999999; do
	printf 'x' | dd of=zeros bs=1 seek=$at conv=notrunc status=none
done
expect 0 ncp --json zeros "$HOST:$PWD/plain"
[ "$(summary bytes_moved)" = 20000000 ] || fail "moved $(summary bytes_moved) bytes"
expect 0 ncp -S --json zeros "$HOST:$PWD/thin"
cmp zeros thin
[ "$(summary bytes_moved)" -lt 100000 ] || fail "-S moved $(summary bytes_moved) bytes"
[ "$(du -k thin | cut -f1)" -lt 200 ] || fail "the copy takes $(du -k thin)"
# More islands than a block has segments, and small files of nothing but zeros.
mkdir islands
python3 -c 'with open("islands/many", "wb") as f:
    for i in range(0, 3000, 2):
        f.seek(i * 4096)
        f.write(b"x")'
for i in $(seq 20); do head -c $((i * 1000)) /dev/zero > "islands/z$i"; done
expect 0 ncp -aS islands/ "$HOST:$PWD/reached"
same_tree islands reached
# Into a file that has something else there, a hole must become zeros.
head -c 20000000 /dev/urandom > old
expect 0 ncp -S --inplace zeros "$HOST:$PWD/old"
cmp zeros old
