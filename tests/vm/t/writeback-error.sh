#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Write-back that fails loses nothing: the data stays, every flush over it fails until the device takes it.
# topology: 2n
# allow-log: I/O error|Buffer I/O|hearth: vol0|lost async page write

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

size=$(sectors /dev/vdb)
good="0 $size linear /dev/vdb 0"
# the second MiB cannot be written
bad="0 2048 linear /dev/vdb 0
2048 2048 error
4096 $((size - 4096)) linear /dev/vdb 4096"
make_dm flaky "$good"
dd if=/dev/zero of=/dev/vdb bs=1M count=16 oflag=direct status=none
make_lun vol0 dev=/dev/mapper/flaky,cache=64M,mode=writeback
attach_lun hearth_0/vol0
hold_back vol0
sync "$disk"

reload_dm flaky "$bad"
head -c 4M /dev/urandom >new
dd if=new of="$disk" bs=1M oflag=direct status=none
expect_fail 'rror' sg_sync "$disk"
# the second attempt writes frame by frame, so that only what cannot be written is left
expect_fail 'rror' sg_sync "$disk"
equal 'dirty bytes: what cannot be written' "$(dirty vol0)" $((1 << 20))
equal state "$(</sys/class/hearth/vol0/state)" degraded
klog_expect 'hearth: vol0: dev=/dev/mapper/flaky: writing back failed: error -5; [0-9]+ bytes stay in the cache'
cmp new <(image "$disk" 4) || fail 'the LUN has lost something'

# Elsewhere a flush is good, and FUA says the truth.
sg_sync --lba=4096 --count=2048 "$disk" || fail 'a flush of a range that could be written'
expect_fail 'rror' sg_sync --lba=2048 --count=8 "$disk"
head -c 4096 /dev/zero >block
expect_fail 'rror' sg_dd if=block of="$disk" bs=512 count=8 seek=2048 bpt=8 oflag=fua,sgio
cmp new <(image "$disk" 4) || fail 'a refused FUA write has changed the LUN'

set_mode() {
	echo "$1" >$core/hearth_0/vol0/attrib/mode
}
expect_fail 'mode=writethrough: 1048576 bytes cannot be written back: error -5; the mode stays writeback' \
	set_mode writethrough
equal mode "$(</sys/class/hearth/vol0/mode)" writeback

reload_dm flaky "$good"
sg_sync "$disk" || fail 'a flush when the device is well again'
equal 'dirty bytes in the end' "$(dirty vol0)" 0
equal 'state in the end' "$(</sys/class/hearth/vol0/state)" ok
cmp new <(image /dev/vdb 4) || fail 'the device has not got the data'
