#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A LUN with dirty data cannot be deleted: it can be flushed, or its data discarded, and then be deleted.
# topology: 2n
# allow-log: I/O error|Buffer I/O|hearth: vol0|Synchronize Cache|Sense Key|Add. Sense

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

size=$(sectors /dev/vdb)
good="0 $size linear /dev/vdb 0"
make_dm flaky "$good"
dd if=/dev/zero of=/dev/vdb bs=1M count=16 oflag=direct status=none
make_lun vol0 dev=/dev/mapper/flaky,cache=64M,mode=writeback
attach_lun hearth_0/vol0
hold_back vol0
sync "$disk"
head -c 2M /dev/urandom >new

# The device takes nothing, and nobody can write to the LUN any more.
make_dirty() {
	reload_dm flaky "0 $size error"
	dd if=new of="$disk" bs=64k oflag=direct status=none
	expect_fail 'unexport it first' act vol0 discard_dirty
	undo_now detach_lun
	is_dirty vol0 || fail 'nothing is dirty'
	expect_fail 'resource busy' rmdir $core/hearth_0/vol0
	expect_fail 'flushing failed: error -5' act vol0 flush
	is_dirty vol0 || fail 'nothing is dirty after an attempt to delete the LUN'
	expect_fail 'flush=2: give 1' eval 'echo 2 >/sys/class/hearth/vol0/flush'
}

make_dirty
act vol0 discard_dirty
equal 'dirty bytes after discard_dirty' "$(dirty vol0)" 0
klog_expect 'hearth: vol0: [0-9]+ bytes that were never written to /dev/mapper/flaky are discarded'
reload_dm flaky "$good"
attach_lun hearth_0/vol0
same_bytes "$disk" /dev/vdb 0 2

hold_back vol0
sync "$disk"
make_dirty
reload_dm flaky "$good"
act vol0 flush
cmp new <(image /dev/vdb 2) || fail 'flushed, but the device has something else'
undo_now remove_backstore hearth_0 vol0
cmp new <(image /dev/vdb 2) || fail 'deleted, and the device has something else'
