#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A write that the device refuses is never GOOD, and what is read afterwards is what the device has.
# topology: 2n
# allow-log: I/O error|Buffer I/O

. "$HEARTH_TESTS/lib.sh"

modprobe dm_flakey
size=$(sectors /dev/vdc)
make_dm flaky "0 $size linear /dev/vdc 0"
make_lun vol0 dev=/dev/mapper/flaky,cache=8M
attach_lun hearth_0/vol0
head -c 1M /dev/urandom >old
head -c 1M /dev/urandom >new
dd if=old of="$disk" bs=1M oflag=direct status=none
sum_of "$disk" 0 1 >/dev/null

reload_dm flaky "0 $size flakey /dev/vdc 0 0 600 1 error_writes"
expect_fail 'rror' dd if=new of="$disk" bs=64k count=1 oflag=direct
equal 'read after a failed write' "$(sum_of "$disk" 0 1)" "$(md5sum <old | cut -d ' ' -f 1)"
state=$(</sys/class/hearth/vol0/state)
case $state in
ok|degraded) ;;
*) fail "state: $state after a failed write" ;;
esac

reload_dm flaky "0 $size linear /dev/vdc 0"
dd if=new of="$disk" bs=64k count=1 oflag=direct status=none
same_bytes "$disk" /dev/vdc 0 1
