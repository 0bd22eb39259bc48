#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# hearthcp into LUNs, out of them and between them, over TCP and RDMA, sealed, in parts: what an initiator reads after it has
# logged in is what was copied, and nothing else has changed; holes take no room on a thin device.
# topology: 2n
# needs: userspace
# limit: 500

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-rdma.sh"

start_mover
make_rail
start_net
modprobe iscsi_target_mod
export HOME=$PWD

head -c 6M /dev/urandom >image
dd if=/dev/zero of=image bs=1M seek=1 count=1 conv=notrunc status=none
fallocate -p -o 3M -l 1M image
head -c 24M /dev/urandom >before
for disk in /dev/vda /dev/vdb; do
	dd if=before of=$disk bs=1M oflag=direct status=none
done
make_lun vol0 dev=/dev/vda,cache=16M,mode=writeback
make_lun vol1 dev=/dev/vdb,cache=24M
wait_for 10 test -c /dev/hearth/vol1
export_tcp hearth_0/vol0 hearth_0/vol1

# part_is OFFSET OPTION...: the image lies there on the initiator's disk of LUN 0, and around it is what was there before.
part_is() {
	login tcp
	cmp -n $((6 << 20)) -i $(($1 << 20)):0 "$(disk_of tcp 0)" image || fail "$1: the initiator reads something else"
	cmp -n $(($1 << 20)) "$(disk_of tcp 0)" before || fail "$1: what lies before the range has changed"
	cmp -n $(((24 - 6 - $1) << 20)) -i $((($1 + 6) << 20)) "$(disk_of tcp 0)" before ||
		fail "$1: what lies behind the range has changed"
	undo_now logout tcp
	rm -f back
	expect 0 hcp "${@:2}" "x:lun:/vol0@$1M+6M" back
	cmp image back
	expect 0 hcp before x:lun:/vol0
}

expect 0 hcp --transport=tcp image x:lun:/vol0@1M
part_is 1 --transport=tcp
expect 0 hcp --json --transport=rdma image x:lun:/vol0@16M
equal transport "$(summary 's["transport"]')" rdma
part_is 16 --transport=rdma
expect 0 hcp --transport=rdma --rdma-mode=write --seal=encrypt --verify image x:lun:/vol0@3M
part_is 3 --transport=rdma --seal=mac
expect 0 hcp image lun:/vol0@4k+6M
expect 0 hcp - x:lun:/vol0@8M <image
login tcp
cmp -n $((6 << 20)) -i 4096:0 "$(disk_of tcp 0)" image || fail 'within one process: the initiator reads something else'
cmp -n $((6 << 20)) -i $((8 << 20)):0 "$(disk_of tcp 0)" image || fail 'from a pipe: the initiator reads something else'

# Between two LUNs; a block device; a LUN whose initiator may write to it is left alone, unless forced.
expect 4 hcp x:lun:/vol0@8M+6M y:lun:/vol1@16M
says 'lun:/vol1: initiator iqn.1993-08.org.debian:01:hearth may write to it; log out there, or give --force'
undo_now logout tcp
expect 0 hcp --verify x:lun:/vol0@8M+6M y:lun:/vol1@16M
echo 1 >"$tpg/attrib/demo_mode_write_protect"
login tcp
disk=$(disk_of tcp 1)
cmp -n $((6 << 20)) -i $((16 << 20)):0 "$disk" image || fail 'between two LUNs: the initiator reads something else'
# to one who may only read it goes, and at once
make_dm source "0 $((6 << 11)) linear /dev/vdc 0"
dd if=image of=/dev/mapper/source bs=1M oflag=direct status=none
expect 0 hcp /dev/mapper/source lun:/vol1
equal 'a block device' "$(sum_of "$disk" 0 6)" "$(md5sum <image | cut -d ' ' -f 1)"
undo_now logout tcp
echo 0 >"$tpg/attrib/demo_mode_write_protect"
login tcp
expect 4 hcp image lun:/vol0
says 'may write to it'
expect 0 hcp --force image lun:/vol0
equal 'forced' "$(sum_of "$(disk_of tcp 0)" 0 6)" "$(md5sum <image | cut -d ' ' -f 1)"
undo_now logout tcp

# What stays in the cache: all, or nothing. What is read here is behind the holes, which nobody caches.
misses() {
	counter_sum vol1 misses
}
expect 0 hcp --keep-warm image x:lun:/vol1@32M
seen=$(misses)
dd if=/dev/hearth/vol1 bs=1M skip=36 count=2 status=none | cmp -i 0:4M - image
[ $(($(misses) - seen)) = 0 ] || fail "--keep-warm: $(($(misses) - seen)) misses of 512"
expect 0 hcp --no-cache image x:lun:/vol1@32M
seen=$(misses)
dd if=/dev/hearth/vol1 bs=1M skip=36 count=2 status=none | cmp -i 0:4M - image
[ $(($(misses) - seen)) -ge 50 ] || fail "--no-cache: only $(($(misses) - seen)) misses"
expect 0 hcp --keep-warm before x:lun:/vol1
says 'lun:/vol1: --keep-warm: the cache has no room for all of it'
undo_now unexport
remove_lun vol1

# On a thin device zeros and holes take no room, and what had room gives it back.
make_scsi_debug dev_size_mb=64 lbpu=1 lbpws=1 lbprz=1 opt_blks=64
make_lun thin "dev=$device,cache=16M"
wait_for 10 test -c /dev/hearth/thin
provisioned() {
	tr ',' '\n' </sys/bus/pseudo/drivers/scsi_debug/map | awk -F- 'NF == 2 { n += $2 - $1 + 1 } NF == 1 && $1 != "" { n++ } END { print n * 512 }'
}
expect 0 hcp before x:lun:/thin
full=$(provisioned)
[ "$full" -ge $((24 << 20)) ] || fail "the disk that should be thin has $full bytes of 24 MiB"
expect 0 hcp image x:lun:/thin
equal 'room of the image' $((full - $(provisioned))) $((2 << 20))
cmp -n $((6 << 20)) /dev/hearth/thin image
