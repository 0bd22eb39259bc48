#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A device that vanished is taken back, if it is the same one.
# topology: 2n
# allow-log: Synchronizing SCSI cache|I/O error|blk_update_request|hearth: vol0

. "$HEARTH_TESTS/lib.sh"

make_scsi_debug dev_size_mb=64
host=$(readlink -f "/sys/block/${device##*/}/device")
host=${host%/target*}
link=/dev/hearth-test
ln -sf "$device" $link
defer rm $link
make_lun vol0 dev=$link,cache=16M
sys=/sys/class/hearth/vol0
attach_lun hearth_0/vol0
dd if=/dev/urandom of=pattern bs=1M count=8 status=none
dd if=pattern of="$disk" bs=1M oflag=direct status=none
sg_sync "$disk"

reattach() {
	echo 1 >$sys/reattach
}
expect_fail 'reattach: .* has not vanished' reattach

vanish() {
	echo 1 >"/sys/block/${device##*/}/device/delete"
}

# Perhaps under another name.
come_back() {
	echo '- - -' >"$host/scsi_host/${host##*/}/scan"
	wait_for 20 scsi_debug_disk || fail 'the device does not come back'
	ln -sfn "$device" $link
}

vanish
equal 'state of the LUN' "$(<$sys/state)" gone
expect_fail 'rror' dd if=/dev/zero of="$disk" bs=4k count=1 seek=5000 oflag=direct
rm $link
expect_fail 'there is no such device' reattach
ln -s /dev/vdc $link
expect_fail 'reattach: .* is another device than before' reattach
equal 'state after the refusals' "$(<$sys/state)" gone

come_back
reattach
equal 'state after it came back' "$(<$sys/state)" ok
equal 'frames that are taken for valid' "$(counter_sum vol0 frames)" 0
cmp -n $((8 << 20)) pattern "$disk" || fail 'contents after the device came back'

# What it had not been asked to flush may be lost, and is written again.
dd if=/dev/urandom of=pattern bs=1M count=2 status=none
dd if=pattern of="$disk" bs=1M seek=4 oflag=direct status=none
vanish
come_back
dd if=/dev/zero of="$device" bs=1M count=2 seek=4 oflag=direct status=none
reattach
sg_sync "$disk" || fail 'a flush after the device came back'
cmp pattern <(dd if="$device" bs=1M count=2 skip=4 iflag=direct status=none) ||
	fail 'what was not flushed before the device vanished is not written again'
fio_verify "$disk" --size=48m --io_size=8m --bs=4k --iodepth=4
same_bytes "$disk" "$device" 0 48
