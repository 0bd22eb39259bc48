#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# LUNs share memory: each has what it is guaranteed, and a greedy one takes nothing of that.
# topology: 2n
# limit: 240

. "$HEARTH_TESTS/lib.sh"

# Guarantees must fit, maxima need not.
total=$(($(awk '/^MemTotal:/ { print $2 }' /proc/meminfo) >> 10))	# MiB
most=$((total / 2))
refuse_lun 'refused: cache_min=lots: not a size' dev=/dev/vdb,cache=64M,cache_min=lots
make_lun vol0 "dev=/dev/vdb,cache=${most}M,cache_min=32M,home=stripe"
make_lun vol1 "dev=/dev/vdc,cache=${most}M,cache_min=48M,home=stripe,readahead=0"
equal 'guarantee of vol0' "$(<$core/hearth_0/vol0/attrib/cache_min)" $((32 << 20))
equal 'limit of vol0, before it wants more' "$(counter_sum vol0 limit_frames)" $((32 * 256))
grep -q "cache=$((most << 20)) cache_min=$((48 << 20)) " $core/hearth_0/vol1/info || fail "info: $(<$core/hearth_0/vol1/info)"

export_luns hearth_0/vol0 hearth_0/vol1
login tcp
greedy=$(disk_of tcp 0)
modest=$(disk_of tcp 1)

# The modest one has 40 MiB, and what was read by whoever looks for partitions; the greedy one reads far more than its
# guarantee.
dd if="$modest" of=/dev/null bs=1M count=40 iflag=direct status=none
frames=$(counter_sum vol1 frames)
[ "$frames" -ge $((40 * 256)) ] || fail "the modest one has $frames frames"
dd if="$greedy" of=/dev/null bs=1M count=300 iflag=direct status=none
[ "$(counter_sum vol0 limit_frames)" -gt $((250 * 256)) ] ||
	fail "the greedy one has borrowed up to $(counter_sum vol0 limit_frames) frames only"
[ "$(counter_sum vol1 frames)" -ge "$frames" ] ||
	fail "the modest one has $(counter_sum vol1 frames) frames afterwards, $frames before"
equal 'evictions of the modest' "$(counter_sum vol1 evictions)" 0

# A guarantee may be changed while the LUN is in use; it cannot be more than there is.
set_min() {
	echo "$2" >"$core/hearth_0/$1/attrib/cache_min"
}
set_min vol1 64M
[ "$(counter_sum vol1 limit_frames)" -ge $((64 * 256)) ] || fail "limit of vol1: $(counter_sum vol1 limit_frames)"
expect_fail 'cache_min=-3: not a size' set_min vol1 -3
equal 'guarantee after a refusal' "$(<$core/hearth_0/vol1/attrib/cache_min)" $((64 << 20))
set_min vol0 "${most}M"
expect_fail 'cache=.*: more than the [0-9]+ MiB that' set_min vol1 "${most}M"
equal 'guarantee after another' "$(<$core/hearth_0/vol1/attrib/cache_min)" $((64 << 20))
same_bytes "$greedy" /dev/vdb 0 64
