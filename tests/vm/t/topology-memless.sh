#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A node without memory holds no part of the cache, and its CPUs can use the LUN.
# topology: memless

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=64M,home=stripe,stripe=64k,dispatch=home
equal 'limit of all nodes' "$(counter_sum vol0 limit_frames)" 16384
attach_lun hearth_0/vol0
fio_verify "$disk" --size=16m --numjobs=2 --offset_increment=16m --iodepth=16 --bsrange=512-128k --blockalign=512
same_bytes "$disk" /dev/vdb 0 32
if [ -d /sys/class/hearth/vol0/node2 ]; then
	equal "limit of node 2" "$(counter vol0 2 limit_frames)" 0
	equal "frames of node 2" "$(counter vol0 2 frames)" 0
fi
taskset -c 3 dd if="$disk" of=/dev/null bs=1M count=8 iflag=direct status=none
