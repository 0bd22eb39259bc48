#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A LUN a hundred times larger than its cache works, and the cache stays below its limit.
# topology: 2n
# limit: 240

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=20M,home=stripe
attach_lun hearth_0/vol0
limit=$(counter_sum vol0 limit_frames)
equal 'limit in frames' "$limit" $((20 * 256))

# Frames, metadata and all. The slab of frames, which shares with no other, takes no more than is counted.
within_limit() {
	local memory
	memory=$(counter_sum vol0 memory_bytes)
	[ "$memory" -le $((20 << 20)) ] || fail "$memory bytes of memory with cache=20M"
	[ "$memory" -ge $((18 << 20)) ] || fail "only $memory bytes of memory, the cache should be full"
	[ "$(counter_sum vol0 metadata_bytes)" -le $(($(counter_sum vol0 frames) * 256)) ] ||
		fail "$(counter_sum vol0 metadata_bytes) bytes of metadata for $(counter_sum vol0 frames) frames"
}
# A kernel that finds mistakes puts red zones between them.
size_of_frame=slab_size
[[ $HEARTH_RELEASE != *debug ]] || size_of_frame=object_size
size_of_frame=$(</sys/kernel/slab/hearth_frame/$size_of_frame)
[ "$size_of_frame" -le 57 ] || fail "a frame takes $size_of_frame bytes of its slab"

# Sequentially over all of it, then at random, remembering what was written.
dd if=/dev/zero of="$disk" bs=4M count=64 oflag=direct status=none
dd if="$disk" of=/dev/null bs=4M count=64 iflag=direct status=none
[ "$(counter_sum vol0 frames)" -le "$limit" ] || fail "$(counter_sum vol0 frames) frames, limit $limit"
within_limit
[ "$(counter_sum vol0 evictions)" -gt "$limit" ] || fail "only $(counter_sum vol0 evictions) evictions"

fio_verify "$disk" --size=2000m --io_size=60m --norandommap=0 --iodepth=16 --bs=16k
[ "$(counter_sum vol0 frames)" -le "$limit" ] || fail "$(counter_sum vol0 frames) frames, limit $limit"
within_limit
same_bytes "$disk" /dev/vdb 0 64
