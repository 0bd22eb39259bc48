#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A device with 4096-byte blocks makes a LUN with 4096-byte blocks.
# topology: 2n
# limit: 240

. "$HEARTH_TESTS/lib.sh"

make_scsi_debug dev_size_mb=128 sector_size=4096
make_lun vol0 "dev=$device,cache=8M"
equal block_size "$(</sys/class/hearth/vol0/block_size)" 4096
attach_lun hearth_0/vol0
equal 'logical block size' "$(blockdev --getss "$disk")" 4096
equal 'size' "$(blockdev --getsize64 "$disk")" "$(blockdev --getsize64 "$device")"
fio_verify "$disk" --size=32m --iodepth=16 --bsrange=4k-128k --blockalign=4k
same_bytes "$disk" "$device" 0 128
mkfs.xfs -q -f "$disk" || mkfs.ext4 -q -F "$disk"
