#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A device that comes and goes: verified writes in write-back go on, the state says what is going on, and once the device
# stays everything gets there by itself.
# topology: 2n
# limit: 300
# allow-log: I/O error|Buffer I/O|hearth: vol0|lost async page write

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"
. "$HEARTH_TESTS/lib-load.sh"

modprobe dm_flakey
state_is() {
	[ "$(</sys/class/hearth/vol0/state)" = "$1" ]
}

size=$(sectors /dev/vdb)
make_dm flaky "0 $size linear /dev/vdb 0"
make_lun vol0 dev=/dev/mapper/flaky,cache=96M,mode=writeback,dirty=64M
attach_lun hearth_0/vol0
hold_back vol0
sg_sync "$disk"

# All that it reads is in the cache, and all that it writes has room there.
dd if=/dev/zero of="$disk" bs=1M count=24 oflag=direct status=none
load_start "$disk" --bsrange=512-128k --iodepth=8 --size=24m --io_size=4m --verify_backlog=64
for round in 1 2 3; do
	# one second well, two seconds not, and so on
	reload_dm flaky "0 $size flakey /dev/vdb 0 1 2"
	wait_for 60 state_is degraded || fail "round $round: not degraded: $(</sys/class/hearth/vol0/state)"
	load_moves "$disk"
	reload_dm flaky "0 $size linear /dev/vdb 0"
	wait_for 60 state_is ok || fail "round $round: stays $(</sys/class/hearth/vol0/state)"
	load_moves "$disk"
done
load_stop "$disk"
klog_expect 'hearth: vol0: dev=/dev/mapper/flaky: writing back works again'
sg_sync "$disk" || fail 'a flush in the end'
same_bytes "$disk" /dev/vdb 0 24
