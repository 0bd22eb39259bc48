#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every allocation of everything that an administrator may do fails in turn: it is refused and can be done again, or it
# works all the same; and no byte is lost.
# topology: 2n
# kernel: debug
# limit: 900
# allow-log: hearth: |Unable to|transport|FAULT_INJECTION|Failed to|dma_|ALUA

. "$HEARTH_TESTS/lib.sh"

for kind in failslab fail_page_alloc; do
	[ -d /sys/kernel/debug/$kind ] || fail 'this kernel injects no faults'
	echo 0 >/sys/kernel/debug/$kind/verbose
	echo N >/sys/kernel/debug/$kind/ignore-gfp-wait
done
echo N >/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem
echo 0 >/sys/kernel/debug/fail_page_alloc/min-order

swept=0
# sweep FILE TEXT [UNDO]: see guest/fail-nth
sweep() {
	local counts refused survived
	counts=$("$HEARTH_TESTS/guest/fail-nth" "$@") || fail "$1: '$2' is refused although nothing failed"
	read -r refused survived <<<"$counts"
	echo "${1##*/} '$2': $refused refused, $survived survived"
	swept=$((swept + refused + survived))
}

start_hearth
modprobe -a tcm_loop sd_mod
lun=$core/hearth_0/vol0
mkdir -p $core/hearth_0

mkdir $lun
for setting in dev=/dev/vdb cache=16M mode=writeback home=stripe readahead=4M; do
	sweep $lun/control $setting
done
rmdir $lun

# A LUN that could not be enabled is none, and can be with the next try.
new_lun="mkdir -p $lun && echo -n dev=/dev/vdb,cache=16M,cache_min=4M,mode=writeback >$lun/control"
eval "$new_lun"
defer remove_backstore hearth_0 vol0
before=$swept
sweep $lun/enable 1 "rmdir $lun && [ ! -e /sys/class/hearth/vol0 ] && $new_lun"
[ $((swept - before)) -gt 20 ] || fail 'enable: hardly an allocation could fail'
attach_lun hearth_0/vol0

head -c 8M /dev/urandom >data
dd if=data of="$disk" bs=64k oflag=direct status=none

# change FILE OLD NEW: there and back
change() {
	sweep "$1" "$3" "echo $2 >$1"
	sweep "$1" "$2" "echo $3 >$1"
}
change $lun/attrib/cache 16M 24M
change $lun/attrib/cache_min 4M 8M
change $lun/attrib/home touch stripe
change $lun/attrib/dispatch auto home
change $lun/attrib/readahead 2M 4M
change $lun/attrib/dirty 4M 2M
change $lun/attrib/mode writeback writethrough
class=/sys/class/hearth/vol0
change $class/paused 0 1
for file in flush rescan drop; do
	sweep $class/$file 1
done
cmp data <(dd if="$disk" bs=1M count=8 iflag=direct status=none) || fail 'the data is not what was written'
echo "$swept allocations failed"
[ $swept -gt 60 ] || fail 'hardly an allocation could fail'
