# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Copies into LUNs, out of them and between them, where a file stands in for the node (node.c), interrupted ones, and from a daemon.
# shellcheck source=tests/mover/lib-lun.sh
. "$HEARTH_TESTS/lib-lun.sh"

# An image with a hole, a page of zeros and an end within a block. Outside of it nothing changes.
random_file image 3000000
dd if=/dev/zero of=image bs=4096 seek=10 count=3 conv=notrunc 2> /dev/null
fallocate -p -o 1048576 -l 524288 image
touch -d '2001-02-03 04:05:06.789' image
make_lun vol0 4194304
expect 0 lcp --force image lun:/vol0
same_part nodes/vol0 0 3000000 image
same_part nodes/vol0 3000000 1194304 vol0.before 3000000
[ "$(stat -c %s nodes/vol0)" = 4194304 ] || fail "the LUN grew"
grep -q '^punch 40960 12288$' nodes.log || fail "a page of zeros was not punched: $(cat nodes.log)"
[ "$(awk '$1 == "punch" && $2 >= 1048576 && $2 < 1572864 { n += $3 } END { print n + 0 }' nodes.log)" = 524288 ] ||
	fail "the hole was not punched: $(cat nodes.log)"
no_state

# Parts, by push and pull, with a far end; --verify; what cannot punch gets zeroes.
for seal in none mac encrypt; do
	make_lun vol0 4194304
	expect 0 lcp --force --verify --seal=$seal image x:lun:/vol0@1M
	same_part nodes/vol0 0 1048576 vol0.before
	same_part nodes/vol0 1048576 3000000 image
	same_part nodes/vol0 4048576 145728 vol0.before 4048576
done
rm -f back
expect 0 lcp x:lun:/vol0@1M+64k back
same_part back 0 65536 image
[ "$(stat -c '%s %a' back)" = "65536 600" ] || fail "a part of a LUN: $(stat -c '%s %a' back)"
mkdir dir
expect 0 lcp -a x:lun:/vol0 dir
cmp dir/vol0 nodes/vol0
expect 0 lcp x:lun:/vol0@512+1k -
same_part nodes/vol0 512 1024 out
[ "$(wc -c < out)" = 1024 ] || fail "to a pipe: $(wc -c < out) bytes"
make_lun vol0 4194304
HEARTH_PUNCH=no expect 0 lcp --force image lun:/vol0
same_part nodes/vol0 0 3000000 image
grep -q '^zero 40960 12288$' nodes.log || fail "no zeroes: $(cat nodes.log)"

# From a pipe; a block device's blocks of 4096 bytes.
make_lun vol0 4194304
HEARTH_BLOCK=4096 expect 0 lcp --force - x:lun:/vol0@4k+3M < image
same_part nodes/vol0 0 4096 vol0.before
same_part nodes/vol0 4096 3000000 image
same_part nodes/vol0 3004096 1190208 vol0.before 3004096

# Between two LUNs: here, of two hosts, from one part to another of the same.
make_lun vol1 4194304
expect 0 lcp --force lun:/vol0 lun:/vol1
cmp nodes/vol0 nodes/vol1
make_lun vol1 4194304
expect 0 lcp --force x:lun:/vol0@0+1M y:lun:/vol1@2M
same_part nodes/vol1 2097152 1048576 nodes/vol0
same_part nodes/vol1 0 2097152 vol1.before
same_part nodes/vol1 3145728 1048576 vol1.before 3145728
expect 0 lcp --force lun:/vol1@2M+1M lun:/vol1@0
same_part nodes/vol1 0 1048576 nodes/vol0

# What the cache is told.
: > nodes.log
expect 0 lcp --force --no-cache image lun:/vol0
grep -q '^drop 0 2999808$' nodes.log || fail "--no-cache: $(grep drop nodes.log | tail -n 3)"
! grep -q '^warm' nodes.log || fail "--no-cache warms"
: > nodes.log
expect 0 lcp --force --keep-warm image lun:/vol0
grep -q '^warm 0 2999808$' nodes.log || fail "--keep-warm: $(tail -n 3 nodes.log)"
! grep -q '^drop' nodes.log || fail "--keep-warm drops"

# Nothing changes with -n, and what was to be done is said.
make_lun vol0 4194304
expect 0 lcp --force -nv image x:lun:/vol0
grep -q vol0 out || fail "-nv does not say: $(cat out)"
cmp nodes/vol0 vol0.before

# Killed, and continued: what is there is compared and kept; what somebody changed meanwhile is sent again.
random_file image2 12000000
make_lun vol2 16777216
./hearthcp -e "$SCRATCH/rsh" --hearthd-path="$PWD/hearthd" --force --bwlimit=2M --block-size=64K image2 x:lun:/vol2@1M 2> /dev/null &
copy=$!
until_true state_has 700
kill -9 $copy
wait $copy 2> /dev/null && fail "killed, and yet it succeeded"
until_true flock -n nodes/vol2 true
printf changed | dd of=nodes/vol2 bs=1 seek=1048577 conv=notrunc 2> /dev/null
: > nodes.log
expect 0 lcp --json --force --block-size=64K image2 x:lun:/vol2@1M
same_part nodes/vol2 1048576 12000000 image2
same_part nodes/vol2 0 1048576 vol2.before
grep -q '^write 1048576 65536$' nodes.log || fail "what was changed meanwhile was believed"
written=$(awk '$1 == "write" { n += $3 } END { print n }' nodes.log)
[ "$written" -lt 11500000 ] || fail "all was written again: $written bytes"
no_state

# The same for a file that comes from a LUN, which may have changed as well.
expect 0 lcp x:lun:/vol2 file
rm file
./hearthcp -e "$SCRATCH/rsh" --hearthd-path="$PWD/hearthd" --bwlimit=2M --block-size=64K x:lun:/vol2 file 2> /dev/null &
copy=$!
until_true journal_has .file.hearth-journal 700
kill -9 $copy
wait $copy 2> /dev/null && fail "killed, and yet it succeeded"
printf CHANGED | dd of=nodes/vol2 bs=1 seek=5 conv=notrunc 2> /dev/null
until_true flock -n .file.hearth true
expect 0 lcp --json --block-size=64K x:lun:/vol2 file
cmp file nodes/vol2
[ "$(summary bytes_moved)" -lt 16300000 ] || fail "all was sent again: $(summary bytes_moved)"

# A daemon: who may read and who may write which LUN.
./hearthd --generate-key=alice > keys
./hearthd --generate-key=bob >> keys
chmod 600 keys
port=$((40000 + $$ % 20000))
cat > conf <<-END
	port = $port
	keys = $PWD/keys
	[images]
	lun = vol0, vol2
	write = yes
	users = alice
	user = root
	[readers]
	lun = vol0
	user = root
	[files]
	path = $PWD
	user = root
END
./hearthd --config=conf 2> daemon.log &
daemon=$!
trap 'kill $daemon 2> /dev/null || true' EXIT
until_true grep -q 'modules on port' daemon.log
make_lun vol0 4194304
expect 0 lcp --key-file=keys --force image hearth://alice@127.0.0.1:$port/lun:/vol0@4k
same_part nodes/vol0 4096 3000000 image
for user in alice bob; do
	rm -f back
	expect 0 lcp --key-file=keys hearth://$user@127.0.0.1:$port/lun:/vol0 back
	cmp back nodes/vol0
done
expect 4 lcp --key-file=keys --force image hearth://bob@127.0.0.1:$port/lun:/vol0
says "lun:/vol0: this LUN is read-only for this user"
for name in vol2 vol1; do
	expect 4 lcp --key-file=keys hearth://bob@127.0.0.1:$port/lun:/$name back
	says "lun:/$name: there is no such LUN for this user"
done
expect 4 lcp --key-file=keys image hearth://alice@127.0.0.1:$port/images/x
says "there is no such module"
expect 23 lcp --key-file=keys hearth://alice@127.0.0.1:$port/files/lun:/vol0 back
says "lun:/vol0: cannot be opened: No such file"
kill $daemon
for line in 'lun = a
path = /' 'write = yes'; do
	printf 'keys = %s\n[x]\nuser = root\n%s\n' "$PWD/keys" "$line" > conf
	expect 1 ./hearthd --config=conf
	says "give the module a path, or LUNs"
done
printf 'keys = %s\n[lun:]\npath = /\nuser = root\n' "$PWD/keys" > conf
expect 1 ./hearthd --config=conf
says "a module's name"
