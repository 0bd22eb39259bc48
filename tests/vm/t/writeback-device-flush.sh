#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A device that fails to flush its own cache may have lost what it had acknowledged: that is written again, and where the
# cache does not have it any more no flush succeeds until somebody has taken note.
# topology: 2n
# allow-log: I/O error|Buffer I/O|hearth: vol0|lost async page write

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

sys=/sys/class/hearth/vol0
size=$(sectors /dev/vdb)
good="0 $size linear /dev/vdb 0"
# reads as ever; every write fails, and so does every flush
bad="0 $size flakey /dev/vdb 0 0 3600 1 error_writes"
make_dm flaky "$good"
number=$(dmsetup info -c --noheadings -o major,minor --separator : flaky)
equal "cache of the device" "$(<"/sys/dev/block/$number/queue/write_cache")" 'write back'
dd if=/dev/zero of=/dev/vdb bs=1M count=16 oflag=direct status=none

# fail_flush: the device acknowledged everything, cannot be flushed, and has lost the first 4 MiB.
fail_flush() {
	reload_dm flaky "$bad"
	expect_fail 'rror' sg_sync "$disk"
	equal 'state after a flush that failed' "$(<$sys/state)" degraded
	dd if=/dev/zero of=/dev/vdb bs=1M count=4 oflag=direct conv=notrunc status=none
	reload_dm flaky "$good"
}

for mode in writethrough writeback; do
	make_lun vol0 dev=/dev/mapper/flaky,cache=64M,mode=$mode
	attach_lun hearth_0/vol0
	[ $mode = writethrough ] || hold_back vol0
	sg_sync "$disk"
	head -c 4M /dev/urandom >new
	dd if=new of="$disk" bs=1M oflag=direct status=none
	# without a flush
	wait_for 30 is_clean vol0 || fail "$mode: nothing is written back"
	fail_flush
	sg_sync "$disk" || fail "$mode: a flush when the device is well again"
	cmp new <(image /dev/vdb 4) || fail "$mode: a flush succeeded although the device had lost data"
	equal "$mode: state in the end" "$(<$sys/state)" ok
	klog_expect 'hearth: vol0: dev=/dev/mapper/flaky: writing back works again'

	# The LUN itself sees to it, also if no initiator asks again.
	dd if=new of="$disk" bs=1M oflag=direct status=none
	wait_for 30 is_clean vol0 || fail "$mode: nothing is written back"
	fail_flush
	state_is_ok() {
		[ "$(<$sys/state)" = ok ]
	}
	wait_for 60 state_is_ok || fail "$mode: the flush is not tried again"
	cmp new <(image /dev/vdb 4) || fail "$mode: the state is ok although the device had lost data"

	# Now with the data gone from the cache as well.
	expect_fail 'accept_loss: nothing is lost' act vol0 accept_loss
	dd if=new of="$disk" bs=1M oflag=direct status=none
	wait_for 30 is_clean vol0 || fail "$mode: nothing is written back"
	act vol0 drop
	fail_flush
	klog_expect 'hearth: vol0: dev=/dev/mapper/flaky: the device may have lost what it had acknowledged'
	for _ in 1 2 3; do
		expect_fail 'rror' sg_sync "$disk"
	done
	equal "$mode: state with data lost" "$(<$sys/state)" degraded
	act vol0 accept_loss
	sg_sync "$disk" || fail "$mode: a flush after the loss was accepted"
	equal "$mode: state after that" "$(<$sys/state)" ok
	undo_now detach_lun
	remove_lun vol0
done
