#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Memory that can be taken away is nothing for caches: it can be, while LUNs are in use, which give back as much as goes.
# topology: 2n
# limit: 300
# allow-log: Offlined Pages|Built|Policy zone|Fallback order|page_alloc|Total pages

. "$HEARTH_TESTS/lib.sh"

# frame_pages NODE: pages of the zones that frames can come from.
frame_pages() {
	awk -v node="$1," '
	/^Node/ { counts = $2 == node && $4 != "Movable" }
	$1 == "managed" && counts { sum += $2 }
	END { print sum + 0 }' /proc/zoneinfo
}

# set_blocks STATE BLOCK...: as many as the kernel allows; sets $changed.
set_blocks() {
	local state=$1 block
	shift
	changed=()
	for block; do
		if echo "$state" >"$block/state" 2>/dev/null; then
			changed+=("$block")
		fi
	done
}

[ -e /sys/devices/system/memory/block_size_bytes ] || skip 'this kernel cannot take memory away'
block_pages=$((16#$(</sys/devices/system/memory/block_size_bytes) / 4096))
mapfile -t blocks < <(printf '%s\n' /sys/devices/system/node/node1/memory[0-9]* | sort -rV | head -n 10)
set_blocks offline "${blocks[@]}"
[ ${#changed[@]} -ge 4 ] || skip "only ${#changed[@]} of ${#blocks[@]} blocks could be taken offline"
set_blocks online_movable "${changed[@]}"
movable=("${changed[@]}")
restore() {
	set_blocks offline "${movable[@]}"
	set_blocks online_kernel "${movable[@]}"
}
defer restore
echo "${#movable[@]} blocks of $block_pages pages are movable"

# The most that a cache may have is told when too much is asked for.
start_hearth
mkdir -p $core/hearth_0/refused
said=$(try_lun dev=/dev/vdb,cache=1T 2>&1; klog) || true
remove_backstore hearth_0 refused
most=$(sed -n 's/.*give at most cache=\([0-9]*\)M.*/\1/p' <<<"$said" | tail -n 1)
pages=$(($(frame_pages 0) + $(frame_pages 1)))
bound=$((pages * 7 / 8 / 256))
echo "at most ${most}M of ${bound}M"
[ "${most:-0}" -gt 0 ] || fail "no size is named: $said"
[ "$most" -le "$bound" ] || fail "a cache may have ${most}M, although frames fit into ${bound}M only"

# Clean frames of the node where memory goes are given back, as many as go, or all.
make_lun vol0 dev=/dev/vdb,cache=768M,home=stripe
attach_lun hearth_0/vol0
fio_load "$disk" --rw=read --bs=1m --size=600m
before=$(counter vol0 1 frames)
reclaims=$(counter vol0 1 reclaims)
[ "$before" -ge 30000 ] || fail "only $before frames on node 1"
fio "${fio_options[@]}" --filename="$disk" --rw=randwrite --bsrange=4k-256k --size=256m --io_size=64m --iodepth=4 \
	--do_verify=1 >fio.log 2>&1 &
load=$!
set_blocks offline "${movable[0]}"
equal 'blocks that could be taken away while a LUN is in use' ${#changed[@]} 1
given=$(($(counter vol0 1 reclaims) - reclaims))
echo "$given of $before frames were given back for $block_pages pages"
[ $given -ge $((block_pages < before ? block_pages / 2 : before / 2)) ] ||
	fail "only $given frames were given back"
set_blocks online_movable "${movable[0]}"
wait $load || {
	grep -v '^3;' fio.log | tail -n 20
	fail 'fio failed'
}
same_bytes "$disk" /dev/vdb 0 600
