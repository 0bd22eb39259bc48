# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --inplace: the file itself is written to, stays the same file, and gets the right length.
random_file src 3000000
for size in 10 3000000 5000000; do
	head -c $size /dev/zero > dst
	ln -f dst twin
	inode=$(stat -c %i dst)
	expect 0 ncp -t --inplace src "$HOST:$PWD/dst"
	cmp src dst
	[ "$(stat -c %i dst)" = "$inode" ] || fail "another file"
	cmp src twin
done
echo short > src
expect 0 ncp -t --inplace src "$HOST:$PWD/dst"
cmp src dst
cmp src twin
ln -sf /etc/passwd link
expect 0 ncp --inplace src "$HOST:$PWD/link"
[ ! -L link ] || fail "wrote through a symlink"
mkdir tree
for i in $(seq 50); do echo "$i" > "tree/f$i"; done
expect 0 ncp -a --inplace tree/ "$HOST:$PWD/copy"
same_tree tree copy
umask 077
expect 0 ncp --inplace tree/f1 mine
[ "$(stat -c %a mine)" = 600 ] || fail "the umask was passed over"
no_leftovers .
