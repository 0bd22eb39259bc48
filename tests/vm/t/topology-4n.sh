#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With four nodes a striped cache is spread over all of them, each copies what is its own, and data is right.
# topology: 4n

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=64M,home=stripe,stripe=64k,dispatch=home
equal 'limit of all nodes' "$(counter_sum vol0 limit_frames)" 16384
attach_lun hearth_0/vol0
fio_verify "$disk" --size=16m --numjobs=2 --offset_increment=16m --iodepth=16 --bsrange=512-128k --blockalign=512
same_bytes "$disk" /dev/vdb 0 32
for node in 0 1 2 3; do
	[ "$(counter vol0 $node frames)" -gt 0 ] || fail "node $node has no frame"
	[ "$(counter vol0 $node handed_over)" -gt 0 ] || fail "node $node was handed nothing over"
done
