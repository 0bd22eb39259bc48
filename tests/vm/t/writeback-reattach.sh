#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What was written while the device was away is written back when it is there again.
# topology: 2n
# allow-log: Synchronizing SCSI cache|I/O error|blk_update_request|hearth: vol0|Buffer I/O

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

make_scsi_debug dev_size_mb=64
host=$(readlink -f "/sys/block/${device##*/}/device")
host=${host%/target*}
link=/dev/hearth-test
ln -sf "$device" $link
defer rm $link
make_lun vol0 dev=$link,cache=32M,mode=writeback,dirty=16M
sys=/sys/class/hearth/vol0
attach_lun hearth_0/vol0
hold_back vol0
sg_sync "$disk"

head -c 4M /dev/urandom >new
dd if=new of="$disk" bs=64k count=32 oflag=direct status=none
echo 1 >"/sys/block/${device##*/}/device/delete"
equal 'state of the LUN' "$(<$sys/state)" gone
dd if=new of="$disk" bs=64k skip=32 seek=32 count=32 oflag=direct conv=notrunc status=none
expect_fail 'rror' sg_sync "$disk"
[ "$(dirty vol0)" -ge $((2 << 20)) ] || fail 'what was written without a device is not dirty'
cmp new <(image "$disk" 4) || fail 'the LUN has lost something while the device was away'

echo '- - -' >"$host/scsi_host/${host##*/}/scan"
wait_for 20 scsi_debug_disk || fail 'the device does not come back'
ln -sfn "$device" $link
act vol0 reattach
sg_sync "$disk" || fail 'a flush after the device came back'
equal 'dirty bytes in the end' "$(dirty vol0)" 0
equal 'state in the end' "$(<$sys/state)" ok
cmp new <(image "$device" 4) || fail 'the device has not got the data'
