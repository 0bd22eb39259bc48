#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The cache is dropped, paused and resumed, and ranges are pinned, while the LUN is in use.
# topology: 2n
# limit: 240

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=32M,readahead=0
sys=/sys/class/hearth/vol0
attach_lun hearth_0/vol0

write_file() {
	echo "$2" >"$sys/$1"
}

read_mib() {	# read_mib FIRST NR
	dd if="$disk" of=/dev/null bs=1M skip="$1" count="$2" iflag=direct status=none
}

frames_are() {
	equal "frames $1" "$(counter_sum vol0 frames)" "$2"
}

dd if=/dev/urandom of=pattern bs=1M count=100 status=none
dd if=pattern of="$disk" bs=1M oflag=direct status=none
write_file drop 1
frames_are 'after dropping' 0

# What is pinned outlives a scan of three times the cache, and dropping.
write_file pin 0+6M
equal pinned "$(<$sys/pinned)" 0+6291456
read_mib 0 6
read_mib 6 94
hits=$(counter_sum vol0 hits)
read_mib 0 6
equal 'hits in the pinned range' "$(($(counter_sum vol0 hits) - hits))" 1536
write_file drop 1
frames_are 'that are pinned' 1536
expect_fail 'pin=4M\+4k: overlaps' write_file pin 4M+4k
expect_fail 'pin=16M\+11M: too much' write_file pin 16M+11M
expect_fail 'pin=1T\+1M: not a range of the LUN' write_file pin 1T+1M
expect_fail 'pin=8M: not a range of the LUN' write_file pin 8M
expect_fail 'unpin=0\+4M: no such range' write_file unpin 0+4M
write_file unpin 0+6M
equal 'pinned, afterwards' "$(<$sys/pinned)" ''
write_file drop 1
frames_are 'after unpinning and dropping' 0
expect_fail 'drop=now: give 1' write_file drop now

# A paused cache is not used, and what is written meanwhile is not lost in it.
read_mib 0 4
frames=$(counter_sum vol0 frames)
write_file paused 1
equal paused "$(<$sys/paused)" 1
hits=$(counter_sum vol0 hits)
read_mib 0 8
equal 'hits while paused' "$(counter_sum vol0 hits)" "$hits"
equal 'frames while paused' "$(counter_sum vol0 frames)" "$frames"
dd if=pattern of="$disk" bs=1M skip=50 count=2 oflag=direct conv=notrunc status=none
write_file paused 0
cmp -i 0:$((50 << 20)) -n $((2 << 20)) "$disk" pattern || fail 'what was written while paused reads differently'
expect_fail 'paused=maybe: give 0 or 1' write_file paused maybe

# All of it under I/O that is verified.
fio "${fio_options[@]}" --filename="$disk" --rw=randwrite --do_verify=1 --size=64m --io_size=32m --bs=4k --iodepth=8 \
	>fio.log 2>&1 &
load=$!
while kill -0 $load 2>/dev/null; do
	write_file paused 1
	write_file pin 2M+1M
	write_file paused 0
	write_file drop 1
	write_file unpin 2M+1M
done
wait $load || {
	tail -n 20 fio.log
	fail 'I/O while the cache was paused, dropped and pinned'
}
same_bytes "$disk" /dev/vdb 0 64
