#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Requests of the module to its device fail, each, every second, and so on, in every mode: each command fails or succeeds, what
# succeeded is there, what failed is there or not, and once the device is well everything gets to it.
# topology: 2n
# kernel: debug
# limit: 900
# allow-log: I/O error|Buffer I/O|hearth: vol0|Sense|CDB|FAULT_INJECTION|lost async page write

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"
. "$HEARTH_TESTS/lib-fault.sh"
. "$HEARTH_TESTS/lib-doubtful.sh"

make_lun vol0 dev=/dev/vdb,cache=12M,mode=writeback,dirty=4M
sys=/sys/class/hearth/vol0
attach_lun hearth_0/vol0
hold_back vol0
fault_start fail_make_request
echo 1 >/sys/block/vdb/make-it-fail
defer eval 'echo 0 >/sys/block/vdb/make-it-fail'

# All of it reaches the device. What a flush that failed may have lost, and the cache has not any more, somebody has to accept:
# this device has lost nothing.
recover() {
	sg_sync "$disk" 2>/dev/null || {
		act vol0 accept_loss
		lost=$((lost + 1))
		sg_sync "$disk" || fail 'a flush when the device is well again'
	}
	equal 'state after that' "$(<$sys/state)" ok
}

has_failed() {
	[ "$(fault_count)" -gt 0 ]
}

total=0 lost=0
for mode in writeback writethrough writearound; do
	echo $mode >$core/hearth_0/vol0/attrib/mode
	[ $mode != writeback ] || hold_back vol0
	doubtful_start load "$disk" 16 24 $mode
	for n in 1 2 5 29; do
		fault_every $n
		doubtful_moves load 40
		# Of commands that hit the cache it may take more until there were so many requests.
		wait_for 60 has_failed || fail "$mode, one in $n: no request has failed"
		fault_stop
		count=$(fault_count)
		total=$((total + count))
		doubtful_moves load 20
		[ $((n % 2)) -eq 0 ] || recover
	done
	recover
	[ "$(doubtful_count load failed)" -gt 0 ] || fail "$mode: no command has failed"
	doubtful_stop load
	sg_sync "$disk"
	equal "$mode: dirty bytes in the end" "$(dirty vol0)" 0
	same_bytes "$disk" /dev/vdb 16 24
	echo "$mode: $total requests have failed so far"
done
echo "$total requests failed; $lost times a loss had to be accepted"
