#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A backing read error is MEDIUM ERROR with the very LBA, and the blocks around it can be read.
# topology: 2n
# allow-log: I/O error|critical medium error|Sense Key|CDB:

. "$HEARTH_TESTS/lib.sh"

# scsi_debug fails reads of blocks 0x1234 to 0x123d.
make_scsi_debug dev_size_mb=64 opts=2 medium_error_start=0x1237 medium_error_count=1
make_lun vol0 "dev=$device,cache=8M"
attach_lun hearth_0/vol0

# read_blocks LBA NUMBER: with the sense of the answer
read_blocks() {
	sg_dd if="$disk" of=/dev/null bs=512 bpt="$2" skip="$1" count="$2" blk_sgio=1 verbose=2
}
expect_fail 'Medium Error' read_blocks 4656 16
sense=$(read_blocks 4656 16 2>&1) || true
grep -q 'Info fld=0x1237' <<<"$sense" || fail "no LBA 0x1237 in: $sense"
read_blocks 4650 13 2>/dev/null || fail 'blocks before the bad one cannot be read'
read_blocks 4664 100 2>/dev/null || fail 'blocks after the bad one cannot be read'

# Writing heals nothing here, but the error must not be cached: a second read asks the device again.
expect_fail 'Medium Error' read_blocks 4660 8
echo 0 >/sys/bus/pseudo/drivers/scsi_debug/opts
read_blocks 4656 16 2>/dev/null || fail 'the block is good again, and still cannot be read'
