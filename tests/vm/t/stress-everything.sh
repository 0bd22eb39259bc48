#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Verified I/O of 512 bytes to 4 MiB while modes, homes, watermarks and readahead change, other ranges are unmapped and
# compared-and-written, write-back is flushed and the LUN is reset.
# topology: 2n
# limit: 500
# allow-log: LUN_RESET|ABORT_TASK|TMR|iscsi|tx_data|I/O error|lun reset|cmd_reset|Power-on or device reset

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

make_lun vol0 dev=/dev/vdb,cache=24M,mode=writeback
echo 1 >$core/hearth_0/vol0/attrib/emulate_tpu
echo 1 >$core/hearth_0/vol0/attrib/emulate_tpws
export_luns hearth_0/vol0
login tcp
disk=$(disk_of tcp)
hold_back vol0
attrib=$core/hearth_0/vol0/attrib

# Each job has a region of its own, in which its requests overlap.
regions=()
offset=64
for bsrange in 512-8k 4k-64k 512-1m 64k-4m; do
	regions+=("--name=r$offset" "--offset=${offset}m" --size=24m --io_size=20m "--bsrange=$bsrange" --rw=randwrite)
	offset=$((offset + 32))
done
# Again until there was enough that disturbed it, however fast it is.
load() {
	while fio "${fio_options[@]:1}" --filename="$disk" --iodepth=4 --do_verify=1 "${regions[@]}" >fio.log 2>&1; do
		[ ! -e enough ] || return 0
	done
	return 1
}
load &
load=$!

# What disturbs it, in the first 64 MiB, one after the other, until the load is over.
rounds=0
head -c 512 /dev/zero >zeroes
head -c 512 /dev/urandom >block
cat zeroes block >pair
while kill -0 $load 2>/dev/null; do
	for mode in writethrough writearound writeback; do
		echo $mode >$attrib/mode
	done
	if [ $((rounds % 2)) -eq 0 ]; then home=stripe dirty=1M ahead=0; else home=touch dirty=6M ahead=2M; fi
	echo $home >$attrib/home
	echo $dirty >$attrib/dirty
	echo $ahead >$attrib/readahead
	blkdiscard --offset $((16 << 20)) --length $((32 << 20)) "$disk"
	sg_write_same --16 --lba=$((rounds % 64)) --num=1 --in=zeroes --xferlen=512 "$disk" >/dev/null
	sg_compare_and_write --in=pair --lba=$((rounds % 64)) --num=1 --xferlen=1024 "$disk" >/dev/null
	cmp block <(dd if="$disk" bs=512 skip=$((rounds % 64)) count=1 iflag=direct status=none) ||
		fail "round $rounds: what was compared and written is not there"
	sg_sync "$disk"
	[ $((rounds % 4)) -ne 3 ] || sg_reset --device --no-esc "$disk"
	rounds=$((rounds + 1))
	[ $rounds -lt 4 ] || touch enough
done
wait $load || {
	grep -v '^3;' fio.log | tail -n 20
	fail 'fio failed'
}
echo "$rounds rounds"
echo writethrough >$attrib/mode
equal 'dirty bytes in the end' "$(dirty vol0)" 0
same_bytes "$disk" /dev/vdb 0 192
