#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A device that answers nothing for a while: hits and cached writes go on, everything else waits and then succeeds, and
# nothing is taken for an error.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

size=$(sectors /dev/vdb)
make_dm slow "0 $size linear /dev/vdb 0"
make_lun vol0 dev=/dev/mapper/slow,cache=48M,mode=writeback,dirty=16M,readahead=0
attach_lun hearth_0/vol0
attrib=$core/hearth_0/vol0/attrib
hold_back vol0
head -c 4M /dev/urandom >old
head -c 4M /dev/urandom >new
dd if=old of="$disk" bs=1M oflag=direct status=none
sg_sync "$disk"
dd if="$disk" of=miss.expected bs=1M skip=64 count=1 iflag=direct status=none
echo 1 >/sys/class/hearth/vol0/drop
dd if="$disk" of=/dev/null bs=1M count=4 iflag=direct status=none

# still_waiting PID...: none of them has come to an end
still_waiting() {
	local pid
	for pid; do
		kill -0 "$pid" 2>/dev/null || fail "$(ps -o args= "$pid"): ends although the device does not answer"
	done
}

dmsetup suspend --noflush --nolockfs slow
defer dmsetup resume slow
cmp old <(image "$disk" 4) || fail 'hits, with a device that does not answer'
dd if=new of="$disk" bs=64k oflag=direct conv=notrunc status=none || fail 'writes, with a device that does not answer'
cmp new <(image "$disk" 4) || fail 'what was just written'
is_dirty vol0 || fail 'nothing is dirty'
sg_sync "$disk" >/dev/null &
flush=$!
dd if="$disk" of=miss.seen bs=1M skip=64 count=1 iflag=direct status=none &
miss=$!
echo writethrough >$attrib/mode &
switch=$!
# waits PID: for I/O, in the kernel
waits() {
	grep -Eq 'blk_execute|submit_bio' "/proc/$1/stack"
}
wait_for 30 waits $flush || fail "the flush is not under way: $(</proc/$flush/stack)"
wait_for 30 waits $miss || fail "the miss is not under way: $(</proc/$miss/stack)"
cmp new <(image "$disk" 4) || fail 'hits, with a flush under way'
still_waiting $flush $miss
equal 'state while the device does not answer' "$(</sys/class/hearth/vol0/state)" ok

undo_now dmsetup resume slow
wait $flush || fail 'the flush fails'
wait $miss || fail 'the miss fails'
wait $switch || fail 'the mode cannot be changed'
cmp miss.expected miss.seen || fail 'the miss has other data'
equal mode "$(<$attrib/mode)" writethrough
cmp new <(image /dev/vdb 4) || fail 'the device has not got the data'
