#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Above the limit of dirty data writes go through, also when nothing can be written back; reads go on.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

make_dm slow "0 $(sectors /dev/vdb) linear /dev/vdb 0"
make_lun vol0 dev=/dev/mapper/slow,cache=64M,mode=writeback,dirty=4M
attach_lun hearth_0/vol0
hold_back vol0
sync "$disk"
dd if="$disk" of=/dev/null bs=1M skip=100 count=8 iflag=direct status=none

dmsetup suspend slow
defer dmsetup resume slow
head -c 16M /dev/urandom >new
dd if=new of="$disk" bs=64k oflag=direct status=none &
writer=$!
# each node has its share of the limit, and the writer may stay on one
filled() {
	[ "$(dirty vol0)" -ge $((1 << 20)) ]
}
wait_for 30 filled || fail "only $(dirty vol0) bytes are dirty"
dd if="$disk" of=/dev/null bs=1M skip=100 count=8 iflag=direct status=none
kill -0 $writer || fail '16 MiB were written though no more than 4 may be dirty and the device is stopped'
[ "$(dirty vol0)" -le $((4 << 20)) ] || fail "$(dirty vol0) bytes are dirty, 4 MiB may be"
undo_now dmsetup resume slow
wait $writer
sync "$disk"
sg_sync "$disk"
equal 'dirty bytes after a flush' "$(dirty vol0)" 0
cmp new <(image /dev/vdb 16) || fail 'the device has something else'
