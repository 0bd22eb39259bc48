#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A LUN shows what it was given, in configfs and in sysfs; tunables change online, accept their own value, refuse others.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=64M,mode=writearound,home=stripe,dispatch=home,stripe=128k,readahead=1M
lun=$core/hearth_0/vol0
sys=/sys/class/hearth/vol0

grep -Fqx 'dev=/dev/vdb cache=67108864 cache_min=67108864 mode=writearound home=stripe dispatch=home stripe=131072 readahead=1048576 dirty=16777216 readonly=0' \
	<(sed -n 2p $lun/info | sed 's/^ *//;s/ *$//') || fail "info: $(<$lun/info)"

equal dev_path "$(<$sys/dev_path)" /dev/vdb
equal size_bytes "$(<$sys/size_bytes)" "$(blockdev --getsize64 /dev/vdb)"
equal block_size "$(<$sys/block_size)" 512
equal cache_bytes "$(<$sys/cache_bytes)" 67108864
equal mode "$(<$sys/mode)" writearound
equal home "$(<$sys/home)" stripe
equal dispatch "$(<$sys/dispatch)" home
equal stripe_bytes "$(<$sys/stripe_bytes)" 131072
equal state "$(<$sys/state)" ok
for node in 0 1; do
	for name in hits misses ahead flipped_bytes local_bytes remote_bytes remote_stored_bytes handed_over \
		rehomed frames limit_frames dirty_frames cleaned evictions bypasses metadata_bytes memory_bytes; do
		[[ $(counter vol0 $node $name) =~ ^[0-9]+$ ]] ||
			fail "node$node/$name: not a number"
	done
done
equal 'limit_frames of all nodes' "$(counter_sum vol0 limit_frames)" $((67108864 / 4096))

for name in mode home dispatch readahead dirty; do
	value=$(<$lun/attrib/$name)
	echo "$value" >$lun/attrib/$name || fail "attrib/$name: refuses its own value $value"
done

echo writethrough >$lun/attrib/mode
equal 'mode, changed' "$(<$sys/mode)" writethrough
echo touch >$lun/attrib/home
equal 'home, changed' "$(<$sys/home)" touch
echo inline >$lun/attrib/dispatch
equal 'dispatch, changed' "$(<$sys/dispatch)" inline
echo 4M >$lun/attrib/readahead
equal 'readahead, changed' "$(<$lun/attrib/readahead)" 4194304
set_attribute() {
	echo "$2" >"$lun/attrib/$1"
}
expect_fail 'mode=sideways: unknown; give writethrough, writeback or writearound' set_attribute mode sideways
for value in 4k lots -1; do
	expect_fail "dirty=$value: not a size of at least 256k" set_attribute dirty $value
done
equal 'dirty after a refusal' "$(<$lun/attrib/dirty)" 16777216
echo 8M >$lun/attrib/dirty
equal 'dirty, changed' "$(<$lun/attrib/dirty)" 8388608
expect_fail 'home=.*nowhere' set_attribute home nowhere
expect_fail 'dispatch=nowhere: unknown; give inline, home or auto' set_attribute dispatch nowhere
equal 'dispatch after a refusal' "$(<$sys/dispatch)" inline
for value in 4k 1G lots -1; do
	expect_fail "readahead=$value: give a size from 128k to 64M, or 0 for none" set_attribute readahead $value
done
equal 'readahead after a refusal' "$(<$lun/attrib/readahead)" 4194304
equal 'mode after a refusal' "$(<$sys/mode)" writethrough
equal 'home after a refusal' "$(<$sys/home)" touch
