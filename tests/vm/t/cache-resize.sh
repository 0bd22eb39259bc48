#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A cache grows and shrinks while I/O goes on, and nothing is lost; a size that cannot be had is refused and the old stays.
# topology: 2n
# limit: 300

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=32M
lun=$core/hearth_0/vol0
sys=/sys/class/hearth/vol0
attach_lun hearth_0/vol0

set_cache() {
	echo "$1" >$lun/attrib/cache
}

within_limit() {
	[ "$(counter_sum vol0 memory_bytes)" -le $(($1 << 20)) ] ||
		fail "$(counter_sum vol0 memory_bytes) bytes of memory with cache=$1M"
}

dd if=/dev/urandom of=pattern bs=1M count=100 status=none
dd if=pattern of="$disk" bs=1M oflag=direct status=none
within_limit 32
set_cache 96M
equal 'cache, grown' "$(<$sys/cache_bytes)" $((96 << 20))
equal 'limit of both nodes' "$(counter_sum vol0 limit_frames)" $((96 * 256))
for node in 0 1; do
	[ "$(counter vol0 $node limit_frames)" -gt 5000 ] || fail "node $node: a share of $(counter vol0 $node limit_frames) frames"
done
dd if="$disk" of=/dev/null bs=1M count=90 iflag=direct status=none
[ "$(counter_sum vol0 frames)" -gt $((80 * 256)) ] || fail "$(counter_sum vol0 frames) frames after growing"
set_cache 24M
within_limit 24
[ "$(counter_sum vol0 frames)" -gt $((18 * 256)) ] || fail "$(counter_sum vol0 frames) frames after shrinking"
cmp -n $((100 << 20)) pattern "$disk" || fail 'contents after shrinking'

# Under I/O that is verified; the sizes change until it is over.
fio "${fio_options[@]}" --filename="$disk" --rw=randwrite --do_verify=1 --size=96m --io_size=48m --bs=4k --iodepth=8 \
	>fio.log 2>&1 &
load=$!
changes=0
while kill -0 $load 2>/dev/null; do
	for size in 64M 17M 30M 90M 24M; do
		set_cache $size
		changes=$((changes + 1))
	done
done
wait $load || {
	tail -n 20 fio.log
	fail 'I/O while the cache was resized'
}
[ $changes -gt 0 ] || fail 'the load was over before anything changed'
within_limit 24
same_bytes "$disk" /dev/vdb 0 100

expect_fail 'cache=1099511627776: more than the [0-9]+ MiB that' set_cache 1T
expect_fail 'cache=1073741824: more than its index can grow to' set_cache 1G
expect_fail 'cache=64k: not a size of at least 1M' set_cache 64k
equal 'cache after the refusals' "$(<$lun/attrib/cache)" $((24 << 20))
set_cache "$(<$lun/attrib/cache)"
# What was given back is there for others, and comes back when the LUN goes.
remove_all() {
	undo_now detach_lun
	remove_lun vol0
}
remove_all
make_lun vol0 dev=/dev/vdb,cache=1G
