#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Random, overlapping and unaligned I/O is right while it is written back, over iSCSI and iSER, with a cache that is too small.
# topology: 2n
# limit: 400

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

make_lun vol0 dev=/dev/vdb,cache=24M,mode=writeback,home=stripe,stripe=64k
make_lun vol1 dev=/dev/vdc,cache=24M,mode=writeback
export_luns hearth_0/vol0 hearth_0/vol1
login tcp
login iser
for fabric in tcp iser; do
	for lun in 0 1; do
		disk=$(disk_of $fabric $lun)
		hold_back vol$lun
		fio_verify "$disk" --offset=32m --size=64m --io_size=48m --bsrange=512-128k --iodepth=16
		before=$(counter_sum vol$lun cleaned)
		sync "$disk"
		sg_sync "$disk"
		echo "$fabric, vol$lun: $(counter_sum vol$lun cleaned) frames written back, $before before the flush"
		[ "$(counter_sum vol$lun cleaned)" -gt 0 ] || fail 'nothing was written back'
		equal 'dirty bytes after a flush' "$(dirty vol$lun)" 0
	done
done
same_bytes "$(disk_of tcp 0)" /dev/vdb 0 128
same_bytes "$(disk_of iser 1)" /dev/vdc 0 128
