#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A node without CPUs holds its part of the cache, and data there is right.
# topology: cpuless

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=64M,home=stripe,stripe=64k,dispatch=home
equal 'limit of all nodes' "$(counter_sum vol0 limit_frames)" 16384
attach_lun hearth_0/vol0
fio_verify "$disk" --size=16m --numjobs=2 --offset_increment=16m --iodepth=16 --bsrange=512-128k --blockalign=512
same_bytes "$disk" /dev/vdb 0 32
[ "$(counter vol0 2 limit_frames)" -gt 0 ] || fail "node 2 has no part of the cache"
[ "$(counter vol0 2 frames)" -gt 0 ] || fail "node 2 has no frame"
equal 'requests handed to node 2' "$(counter vol0 2 handed_over)" 0
[ "$(counter vol0 1 handed_over)" -gt 0 ] || fail "node 1 was handed nothing over"
[ ! -e /sys/module/target_core_hearth/workers/node2 ] || fail 'node 2 has workers'
