#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With mode=writeback a write is there before the device has it; SYNCHRONIZE CACHE and FUA mean what SBC says.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

# The device is stopped while it must not be written to.
make_dm slow "0 $(sectors /dev/vdb) linear /dev/vdb 0"
dd if=/dev/zero of=/dev/vdb bs=1M count=16 oflag=direct status=none
make_lun vol0 dev=/dev/mapper/slow,cache=64M,mode=writeback
attach_lun hearth_0/vol0
equal 'write cache that the initiator sees' "$(<"/sys/block/${disk##*/}/queue/write_cache")" 'write back'
hold_back vol0
sync "$disk"

head -c 2M /dev/urandom >new
dmsetup suspend slow
defer dmsetup resume slow
dd if=new of="$disk" bs=64k oflag=direct status=none
equal 'dirty bytes' "$(dirty vol0)" $((2 << 20))
cmp new <(image "$disk" 2) || fail 'the LUN does not return what was written'
equal 'what the device has' "$(image /dev/vdb 2 | md5sum)" "$(head -c 2M /dev/zero | md5sum)"

# A flush waits for the device. Reads do not.
sg_sync "$disk" &
flush=$!
cmp new <(image "$disk" 2) || fail 'a read while a flush waits'
kill -0 $flush || fail 'the flush is over before the device can have had the data'
is_dirty vol0 || fail 'nothing is dirty, but the device is stopped'
undo_now dmsetup resume slow
wait $flush
equal 'dirty bytes after a flush' "$(dirty vol0)" 0
cmp new <(image /dev/vdb 2) || fail 'the flush is over but the device has not got the data'

# FUA: this block is on the device at once, whatever else is dirty.
head -c 4096 /dev/urandom >block
sg_dd if=block of="$disk" bs=512 count=8 seek=80 bpt=8 oflag=fua,sgio >sg.log 2>&1 || fail "FUA: $(<sg.log)"
cmp block <(dd if=/dev/vdb bs=512 skip=80 count=8 iflag=direct status=none) || fail 'FUA: not on the device'

# So is what was read with FUA.
dd if=new of="$disk" bs=64k seek=128 oflag=direct status=none
sg_dd if="$disk" of=read bs=512 count=4096 skip=$((128 * 128)) bpt=128 iflag=fua,sgio >sg.log 2>&1 || fail "FUA: $(<sg.log)"
cmp new read || fail 'FUA read: other data'
cmp new <(dd if=/dev/vdb bs=64k skip=128 count=32 iflag=direct status=none) || fail 'FUA read: not on the device'

# Left alone, what is dirty is written back all the same.
dd if=new of="$disk" bs=64k seek=64 oflag=direct status=none
wait_for 60 is_clean vol0 || fail 'what is dirty stays so'
cmp new <(dd if=/dev/vdb bs=64k skip=64 count=32 iflag=direct status=none) || fail 'the device has something else'
