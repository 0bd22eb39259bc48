#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The module loads and unloads, again and again, and cannot be unloaded while a LUN exists.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"

for _ in 1 2 3; do
	start_hearth
	[ -d /sys/class/hearth ] || fail '/sys/class/hearth: missing'
	modprobe -r target_core_hearth
	[ ! -e /sys/class/hearth ] || fail '/sys/class/hearth: still there'
done

make_lun vol0 dev=/dev/vdb,cache=16M
expect_fail 'in use' rmmod target_core_hearth
equal 'state after a refused rmmod' "$(</sys/class/hearth/vol0/state)" ok
remove_lun vol0
modprobe -r target_core_hearth
