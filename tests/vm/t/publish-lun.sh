#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# hearthcp --publish to a LUN, over TCP and over RDMA: an initiator that logs in mounts what is in the tree.
# topology: 2n
# needs: userspace
# allow-log: Capacity data has changed
# limit: 400

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-fabric.sh"
. "$HEARTH_TESTS/lib-rdma.sh"
. "$HEARTH_TESTS/lib-publish.sh"

begin_publishing 300
make_lun vol0 dev=/dev/vdb,cache=64M
make_lun vol1 dev=/dev/vdc,cache=16M
wait_for 10 test -c /dev/hearth/vol0

# Once published to, all of it, a LUN is read-only.
writable_again() {
	equal 'readonly' "$(<$core/hearth_0/vol0/attrib/readonly)" 1
	expect 4 hcp --publish tree x:lun:/vol0
	says 'lun:/vol0: the LUN is read-only .readonly=1.; as root: hearthctl set vol0 readonly=0'
	"$HEARTH_BUILD/userspace/hearthctl" set vol0 readonly=0
}

# One that was full of other things.
fill /dev/hearth/vol0
export_tcp hearth_0/vol0
expect 0 hcp --json --transport=tcp --publish tree x:lun:/vol0
equal transport "$(summary 's["transport"]')" tcp
shown tree
nothing_shows /dev/hearth/vol0
writable_again

# The next one replaces it; what is not in it is gone.
expect 0 hcp --json --transport=rdma --publish --streams=4 tree/many x:lun:/vol0
equal transport "$(summary 's["transport"]')" rdma
shown tree/many
writable_again

# An initiator that may write to it keeps it as it is, unless forced.
login tcp
expect 4 hcp --publish tree x:lun:/vol0
says 'lun:/vol0: .* may write to it; log out there, or give --force'
undo_now logout tcp
shown tree/many
login tcp
expect 0 hcp --force --transport=rdma --publish tree x:lun:/vol0
undo_now logout tcp
shown tree
writable_again

# A tree that does not fit is told before anything is lost.
expect 0 hcp --publish tree/many/deep x:lun:/vol1@1M+2M
equal 'readonly of a LUN that has a published part' "$(<$core/hearth_0/vol1/attrib/readonly)" 0
expect 4 hcp --publish tree x:lun:/vol1@1M+2M
says 'has room for 2.0 MiB, and the tree needs .*; it is left as it was'
dd if=/dev/hearth/vol1 of=part bs=1M skip=1 count=2 status=none
mount_image part there
defer umount "$PWD/there"
same_as_tree tree/many/deep there
undo_now umount "$PWD/there"

# One at a time. Killed in the middle it is no file system any more; the next run makes one again.
start_hcp --publish --bwlimit=200K --memory=1M --block-size=64K tree x:lun:/vol0 2>said
# What the node has cached of the device would not change.
not_erofs() {
	dd if=/dev/hearth/vol0 of=begin bs=64K count=1 status=none
	! blkid -p begin | grep -q erofs
}
wait_for 60 not_erofs || fail "it is a file system still: $(<said)"
expect 4 hcp --publish tree x:lun:/vol0
says 'lun:/vol0: another copy is writing to it'
kill -9 $copy
wait $copy || true
writable() {
	flock -n /dev/hearth/vol0 true
}
wait_for 60 writable || fail 'the far end stays'
dd if=/dev/hearth/vol0 of=half bs=1M count=64 status=none
is_no_erofs half
expect 0 hcp --publish tree x:lun:/vol0
shown tree

# Two initiators at once: another one is in the middle of it when a session comes, and when it goes.
attach_lun hearth_0/vol0
mount_image "$disk" elsewhere
defer umount "$PWD/elsewhere"
shown tree
same_as_tree tree elsewhere
undo_now umount "$PWD/elsewhere"
