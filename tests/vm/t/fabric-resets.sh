#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Storms of LUN RESET, TARGET RESET (which LIO refuses, so that the initiator starts its session anew) and ABORT TASK, over iSCSI
# and iSER, under verified load: every command that was aborted is done again, and no byte is lost.
# topology: 2n
# limit: 600
# allow-log: iSCSI|iscsi|iser|isert|LUN_RESET|ABORT_TASK|TARGET|TMR|connection|session|reset|I/O error|hearth: vol0

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-wire.sh"
. "$HEARTH_TESTS/lib-writeback.sh"
. "$HEARTH_TESTS/lib-load.sh"

size=$(sectors /dev/vdb)
quick="0 $size linear /dev/vdb 0"
modprobe dm_delay
make_dm backing "$quick"
make_lun vol0 dev=/dev/mapper/backing,cache=24M,mode=writeback
export_luns hearth_0/vol0
login tcp
login iser
statistics=$core/hearth_0/vol0/statistics/scsi_tgt_dev

# how_many resets|aborts_complete: so far, by the target
how_many() {
	cat "$statistics/$1"
}

# A region of the LUN for each of the two.
offset=0
for fabric in tcp iser; do
	patient $fabric
	disk=$(disk_of $fabric)
	load_start "$disk" --bsrange=512-256k --iodepth=16 --size=24m --offset=${offset}m --io_size=4m --verify_backlog=64
	offset=$((offset + 32))
done

# An initiator that resets sends no more of the data that the target still waits for; if that waits for too long it ends the
# connection, and the reset fails with it.
resets=0 refused=0
for mode in writeback writethrough; do
	echo $mode >$core/hearth_0/vol0/attrib/mode
	for what in device device device target; do
		for fabric in tcp iser; do
			resets=$((resets + 1))
			sg_reset --$what --no-esc "$(disk_of $fabric)" >/dev/null 2>&1 || refused=$((refused + 1))
			wait_for 60 session_is $fabric LOGGED_IN || fail "$fabric: $(session_state $fabric) after a $what reset"
			load_moves "$(disk_of $fabric)"
		done
	done
done
echo "$resets resets asked for, $refused failed, the target counts $(how_many resets) of LUNs"
[ "$(how_many resets)" -ge 6 ] || fail 'hardly any has come to the LUN'

# The device takes three seconds for everything, the initiators wait for one: ABORT TASK.
for fabric in tcp iser; do
	disk=$(disk_of $fabric)
	echo 1 >"/sys/block/${disk##*/}/device/timeout"
done
reload_dm backing "0 $size delay /dev/vdb 0 3000"
have_aborted() {
	[ "$(how_many aborts_complete)" -ge 5 ]
}
wait_for 120 have_aborted || fail "the target has seen $(how_many aborts_complete) aborts"
for fabric in tcp iser; do
	disk=$(disk_of $fabric)
	echo 60 >"/sys/block/${disk##*/}/device/timeout"
done
reload_dm backing "$quick"
echo "$(how_many aborts_complete) commands aborted"

for fabric in tcp iser; do
	wait_for 60 session_is $fabric LOGGED_IN || fail "$fabric: $(session_state $fabric) after the storm"
	load_stop "$(disk_of $fabric)"
done
sg_sync "$disk"
same_bytes "$(disk_of tcp)" /dev/vdb 0 56
