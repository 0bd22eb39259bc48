#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Allocations of the module fail, all, half of them, and so on, while it serves I/O: no error, no hang, no lost byte, in every mode.
# topology: 2n
# kernel: debug
# limit: 1200

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"
. "$HEARTH_TESTS/lib-fault.sh"

modprobe -a tcm_loop sd_mod
make_lun vol0 dev=/dev/vdb,cache=12M,mode=writeback
echo 1 >$core/hearth_0/vol0/attrib/emulate_tpu
echo 1 >$core/hearth_0/vol0/attrib/emulate_tpws
export_luns hearth_0/vol0
login tcp
disk=$(disk_of tcp)
fault_start failslab fail_page_alloc

head -c 512 /dev/zero >zeroes
span=24
for mode in writeback writethrough writearound; do
	echo $mode >$core/hearth_0/vol0/attrib/mode
	for n in 1 3; do
		fault_every $n
		fio_verify "$disk" --size=${span}m --io_size=3m --bsrange=512-128k --iodepth=8 \
			--randseed=$n --verify_backlog=32
		blkdiscard --offset $((32 << 20)) --length $((1 << 20)) "$disk"
		sg_write_same --16 --lba=$((40 << 11)) --num=64 --in=zeroes --xferlen=512 "$disk" >/dev/null
		sg_sync "$disk"
		[ $mode != writeback ] || wait_for 60 is_clean vol0 || fail "$mode, one in $n: does not become clean"
		fault_stop
		count=$(fault_count)
		echo "$mode, one in $n: $count allocations failed"
		[ "$count" -gt 0 ] || fail 'no allocation has failed'
		same_bytes "$disk" /dev/vdb 0 $span
	done
done
