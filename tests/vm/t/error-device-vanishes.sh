#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# When the device vanishes under I/O, every command ends, with an error, and the LUN can be removed.
# topology: 2n
# allow-log: Synchronizing SCSI cache|I/O error|blk_update_request|hearth: vol0

. "$HEARTH_TESTS/lib.sh"

make_scsi_debug dev_size_mb=128
make_lun vol0 "dev=$device,cache=8M"
attach_lun hearth_0/vol0
dd if=/dev/urandom of="$disk" bs=1M count=8 oflag=direct status=none

fio --name=job --minimal --ioengine=libaio --direct=1 --filename="$disk" --rw=randrw --bs=4k --size=100m \
	--iodepth=8 --time_based --runtime=600 >fio.log 2>&1 &
load=$!
moved() {
	[ "$(awk '{ print $1 + $5 }' "/sys/block/${disk##*/}/stat")" -gt 300 ]
}
wait_for 120 moved || fail 'the load does not start'
echo 1 >"/sys/block/${device##*/}/device/delete"
if wait $load; then
	fail 'I/O to a device that is gone succeeds'
fi
expect_fail 'rror' dd if=/dev/zero of="$disk" bs=4k count=1 seek=20000 oflag=direct
expect_fail 'rror' dd if="$disk" of=/dev/null bs=4k count=1 skip=25000 iflag=direct
state=$(</sys/class/hearth/vol0/state)
case $state in
gone|degraded) ;;
*) fail "state: $state after the device vanished" ;;
esac
# What it has not flushed can never be; it is given up once nobody sees the LUN any more.
undo_now detach_lun
echo 1 >/sys/class/hearth/vol0/discard_dirty
equal 'dirty bytes in the end' "$(</sys/class/hearth/vol0/dirty_bytes)" 0
