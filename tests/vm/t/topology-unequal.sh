#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With nodes of unequal size the cache is split by what they have.
# topology: unequal

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=64M,home=stripe,stripe=64k
equal 'limit of all nodes' "$(counter_sum vol0 limit_frames)" 16384
attach_lun hearth_0/vol0
fio_verify "$disk" --size=16m --numjobs=2 --offset_increment=16m --iodepth=16 --bsrange=512-128k --blockalign=512
same_bytes "$disk" /dev/vdb 0 32
[ "$(counter vol0 0 limit_frames)" -gt $((2 * $(counter vol0 1 limit_frames))) ] ||
	fail "limits: $(counter vol0 0 limit_frames) and $(counter vol0 1 limit_frames) frames on 3 GiB and 1 GiB"
[ "$(counter vol0 1 frames)" -gt 0 ] || fail "node 1 has no frame"
