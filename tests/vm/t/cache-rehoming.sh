#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With home=touch, blocks that came in on one node and are then read from another move there; striped ones do not.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=64M,readahead=0
attach_lun hearth_0/vol0
# the kernel has looked for partitions then, and does not do so in the middle of the counting
wait_for 10 blockdev --rereadpt "$disk"
dd if=/dev/urandom of=/dev/vdc bs=64k count=4 oflag=direct status=none

# on_node NODE COMMAND...: with CPU and memory of it
on_node() {
	taskset -c $(($1 * 2)) "${@:2}"
}

# Block N is 64 KiB at 100 MiB and N times 64 KiB: the kernel looked at the beginning and the end of the disk before.
read_block() {
	on_node "$1" dd if="$disk" of=/dev/null bs=64k skip=$((1600 + $2)) count=1 iflag=direct status=none
}

first=$(counter vol0 0 frames)
second=$(counter vol0 1 frames)
missed=$(counter_sum vol0 misses)
on_node 0 dd if=/dev/vdc of="$disk" bs=64k seek=1600 count=4 oflag=direct status=none
equal 'frames on node 0' "$(counter vol0 0 frames)" $((first + 64))
equal 'frames on node 1' "$(counter vol0 1 frames)" "$second"

# Every 61st hit has a vote, eight more for than against move the 16 frames. What moves does so soon after.
for ((i = 0; i < 100; i++)); do
	read_block 1 2
done
moved() {
	[ "$(counter vol0 1 rehomed)" -eq 16 ] && [ "$(counter vol0 1 frames)" -eq $((second + 16)) ]
}
wait_for 10 moved || fail "$(counter vol0 1 rehomed) frames moved, $(counter vol0 1 frames) are on node 1"
equal 'frames left on node 0' "$(counter vol0 0 frames)" $((first + 48))

# What both read alike stays where it is.
for ((i = 0; i < 100; i++)); do
	read_block $((i & 1)) 1
done
equal 'frames moved in all' "$(counter_sum vol0 rehomed)" 16

# Nothing was read from the device for it, and the blocks are right.
equal 'misses' "$(counter_sum vol0 misses)" "$missed"
same_bytes "$disk" /dev/vdb 100 1
dd if="$disk" bs=64k skip=1600 count=4 iflag=direct status=none | cmp -n $((4 << 16)) - /dev/vdc

# They move under writes as well.
(for ((i = 0; i < 60; i++)); do read_block 0 2; done) &
fio_verify "$disk" --offset=100m --size=1m --iodepth=8 --bsrange=512-64k --blockalign=512
wait $!
same_bytes "$disk" /dev/vdb 100 1

echo stripe >$core/hearth_0/vol0/attrib/home
before=$(counter_sum vol0 rehomed)
for ((i = 0; i < 60; i++)); do
	read_block $((i / 50)) 3
done
equal 'frames moved while homes are striped' "$(counter_sum vol0 rehomed)" "$before"
