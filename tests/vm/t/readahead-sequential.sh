#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Behind a slow disk a sequential reader of 64 KiB at a time finds most of what it asks for; random reads start no
# readahead, and readahead=0 switches it off.
# topology: 1n
# limit: 300

. "$HEARTH_TESTS/lib.sh"

delay=40 # ms
modprobe dm-delay 2>/dev/null || skip 'this kernel has no dm-delay'
make_dm slow "0 $(sectors /dev/vdb) delay /dev/vdb 0 $delay"
make_lun vol0 dev=/dev/mapper/slow,cache=128M
attach_lun hearth_0/vol0
lun=$core/hearth_0/vol0

# The initiator must not read ahead itself: direct I/O.
read_16m() {
	local before
	misses=$(counter_sum vol0 misses) ahead=$(counter_sum vol0 ahead)
	before=$(date +%s%N)
	dd if="$disk" of=/dev/null bs=64k skip=$(($1 * 16)) count=256 iflag=direct status=none
	took=$((($(date +%s%N) - before) / 1000000))
	misses=$(($(counter_sum vol0 misses) - misses)) ahead=$(($(counter_sum vol0 ahead) - ahead))
}

read_16m 100
echo "with readahead: $misses frames missed, $ahead read ahead, $took ms"
with=$took
# How far the reader gets before the first windows are there depends on the machine.
[ $misses -le 512 ] || fail "$misses frames of 4096 were missed"
[ $ahead -ge $((4096 - 512)) ] || fail "only $ahead frames were read ahead"

echo 0 >$lun/attrib/readahead
read_16m 200
echo "without: $misses frames missed, $ahead read ahead, $took ms"
equal 'misses without readahead' $misses 4096
equal 'frames read ahead without readahead' $ahead 0
[ $took -ge $((256 * delay)) ] || fail "256 reads of a disk that takes $delay ms took $took ms"
# The rest of the time, however long that is, is the machine's.
[ $((with + 256 * delay / 2)) -lt $took ] || fail "readahead made it no faster: $with ms instead of $took ms"

echo 2M >$lun/attrib/readahead
ahead=$(counter_sum vol0 ahead)
fio_load "$disk" --rw=randread --bs=4k --offset=500m --size=1000m --io_size=1m --iodepth=8 --randseed=3
equal 'frames that random reads read ahead' $(($(counter_sum vol0 ahead) - ahead)) 0

for value in 4k 65M nothing; do
	expect_fail "readahead=$value: give a size from 128k to 64M, or 0 for none" tee $lun/attrib/readahead <<<$value
done
equal 'readahead after refusals' "$(<$lun/attrib/readahead)" 2097152
