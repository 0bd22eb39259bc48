#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# hearthcp --publish: what the kernel's EROFS shows of an image in a file, and of one on a block device, is the tree.
# needs: userspace
# limit: 400

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-publish.sh"

modprobe -a loop erofs xfs
make_tree tree 500

# A file.
"$hearthcp" --publish tree image
whole image
mount_image image there
defer umount "$PWD/there"
same_as_tree tree there
undo_now umount "$PWD/there"

# A device that was full of other things.
fill /dev/vdb
"$hearthcp" --publish --streams=1 --stages=fused tree /dev/vdb
whole /dev/vdb
nothing_shows /dev/vdb
mount_image /dev/vdb there
defer umount "$PWD/there"

# It is in use now.
status=0
"$hearthcp" --publish tree /dev/vdb 2>said || status=$?
equal 'exit status' $status 4
grep -q '/dev/vdb: is in use: mounted' said || fail "unclear: $(<said)"
undo_now umount "$PWD/there"

# What is too large is named, and left out: an attribute, and a file.
truncate -s 17T tree/huge
python3 -c 'import os; os.setxattr("tree/capable", "user.toolong", b"l" * 65536)'
status=0
"$hearthcp" --publish --streams=4 tree /dev/vdb 2>said || status=$?
equal 'exit status' $status 23
grep -q 'capable: its attribute user.toolong is left out: a value in EROFS has 65535 bytes at most' said ||
	fail "unclear: $(<said)"
grep -q 'huge: is left out: EROFS ends at 16 TiB' said || fail "unclear: $(<said)"
rm tree/huge
setfattr -x user.toolong tree/capable
whole /dev/vdb

# Killed in the middle it is no file system any more; the next run makes one again. What is too large is told before.
"$hearthcp" --publish --bwlimit=200K --memory=1M --block-size=64K tree /dev/vdb 2>said &
client=$!
wait_for 60 sh -c '! blkid -p /dev/vdb | grep -q erofs'
kill -9 $client
wait $client || true
is_no_erofs /dev/vdb
"$hearthcp" --publish tree /dev/vdb
mount_image /dev/vdb there
defer umount "$PWD/there"
same_as_tree tree there
undo_now umount "$PWD/there"
truncate -s 4M small
loop=$(losetup -f --show small)
defer losetup -d "$loop"
"$hearthcp" --publish tree/many/deep "$loop"
status=0
"$hearthcp" --publish tree "$loop" 2>said || status=$?
equal 'exit status' $status 4
grep -q 'has room for 4.0 MiB, and the tree needs .*; it is left as it was' said || fail "unclear: $(<said)"
mount_image "$loop" there
defer umount "$PWD/there"
same_as_tree tree/many/deep there
