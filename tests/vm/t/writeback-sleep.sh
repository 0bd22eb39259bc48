#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Before the machine goes to sleep everything is written back.
# topology: 2n
# allow-log: PM:|Freezing|suspend|OOM killer|Restarting tasks|hearth: vol0

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

[ -w /sys/power/pm_test ] || skip 'this kernel cannot try to sleep'
make_lun vol0 dev=/dev/vdb,cache=64M,mode=writeback
attach_lun hearth_0/vol0
hold_back vol0
sync "$disk"
# tasks are stopped and then started again, nothing else
echo freezer >/sys/power/pm_test
defer eval 'echo none >/sys/power/pm_test'
# The LUN writes back by itself every few seconds: perhaps just before.
for _ in {1..10}; do
	head -c 1M /dev/urandom >new
	dd if=new of="$disk" bs=64k oflag=direct status=none
	echo freeze >/sys/power/state
	equal 'dirty bytes after sleep' "$(dirty vol0)" 0
	cmp new <(image /dev/vdb 1) || fail 'the device has not got the data'
	! klog_has 'hearth: vol0: suspend: writing back 1048576 bytes' || exit 0
done
fail 'it was clean each time'
