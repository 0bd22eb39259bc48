#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever is done to a LUN in use, what is dirty stays, reads right, and comes to the device: resizing the cache and the
# device, memory pressure, pausing, dropping, pinning, modes. First one by one while the device answers nothing, so that
# all of it is dirty for certain; then all together under verified writes.
# topology: 2n
# limit: 400

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

table() {	# table MIB
	echo "0 $(($1 << 11)) linear /dev/vdb 0"
}

make_dm growing "$(table 400)"
make_lun vol0 dev=/dev/mapper/growing,cache=64M,mode=writeback,dirty=16M
attrib=$core/hearth_0/vol0/attrib
sys=/sys/class/hearth/vol0
attach_lun hearth_0/vol0
dd if=/dev/zero of="$disk" bs=1M count=96 oflag=direct status=none
hold_back vol0

attribute() {
	echo "$2" >"$attrib/$1"
}

# Clean frames for what takes those away, then 2 MiB that the device does not get before it is resumed.
make_dirty() {
	dd if="$disk" of=/dev/null bs=1M skip=8 count=24 iflag=direct status=none
	sg_sync "$disk"
	head -c 2M /dev/urandom >new
	dmsetup suspend --noflush --nolockfs growing
	dd if=new of="$disk" bs=64k oflag=direct conv=notrunc status=none
	equal 'dirty bytes' "$(dirty vol0)" $((2 << 20))
}

# still_dirty WHAT: the device has got nothing yet.
still_dirty() {
	equal "dirty bytes after $1" "$(dirty vol0)" $((2 << 20))
}

# arrives WHAT: now it gets it.
arrives() {
	[ "$(dmsetup info -c --noheadings -o suspended growing)" = Active ] || dmsetup resume growing
	cmp new <(image "$disk" 2) || fail "$1: the LUN has lost something"
	sg_sync "$disk" || fail "$1: a flush fails"
	equal "dirty bytes after $1 and a flush" "$(dirty vol0)" 0
	cmp new <(image /dev/vdb 2) || fail "$1: the device has not got the data"
}

# with WHAT COMMAND...: while 2 MiB are dirty, which stay so.
with() {
	make_dirty
	"${@:2}"
	still_dirty "$1"
	arrives "$1"
}

pressure() {
	echo 2 >/proc/sys/vm/drop_caches
}

with 'a larger cache' attribute cache 96M
with 'a smaller cache' attribute cache 20M
with 'no guarantee' attribute cache_min 4M
with 'memory pressure' pressure
with 'a larger cache again' attribute cache 64M
with 'a guarantee' attribute cache_min 64M
with 'dropping' act vol0 drop
echo 0+8M >$sys/pin
with 'dropping what is pinned' act vol0 drop
echo 0+8M >$sys/unpin
with 'a lower watermark' attribute dirty 1M
attribute dirty 16M
with 'another home' attribute home stripe
attribute home touch

# Pausing: reads go to the device, and see what it does not have; writes replace it there.
make_dirty
echo 1 >$sys/paused
still_dirty pausing
dmsetup resume growing
cmp new <(image "$disk" 2) || fail 'paused: a read does not see what is dirty'
head -c 1M /dev/urandom >over
dd if=over of="$disk" bs=64k seek=8 oflag=direct conv=notrunc status=none
dd if=over of=new bs=64k seek=8 conv=notrunc status=none
cmp new <(image "$disk" 2) || fail 'paused: a write is not seen'
echo 0 >$sys/paused
arrives 'pausing and resuming'

# The device grows.
make_dirty
dmsetup load growing --table "$(table 480)"
dmsetup resume growing
act vol0 rescan
equal 'size of the LUN' "$(<$sys/size_bytes)" $((480 << 20))
arrives 'the device growing'

# Leaving the mode waits for the device, and entering it again needs nothing.
for mode in writethrough writearound; do
	make_dirty
	attribute mode $mode &
	changing=$!
	still_dirty "$mode, which waits"
	dmsetup resume growing
	wait $changing
	equal "dirty bytes after $mode" "$(dirty vol0)" 0
	cmp new <(image /dev/vdb 2) || fail "$mode: the device has not got the data"
	attribute mode writeback
	hold_back vol0
done

# Everything together, under writes that are read back, of the whole range of sizes.
writer() {
	while [ ! -e enough ]; do
		fio "${fio_options[@]}" --filename="$disk" --rw=randwrite --bsrange=512-256k --offset=16m --size=64m \
			--io_size=16m --iodepth=4 --do_verify=1 >fio.log 2>&1 || return
		touch once
	done
}

set_dirty_load() {
	wait_for 60 is_dirty vol0 || fail 'the writer makes nothing dirty'
}

writer &
writer=$!
for round in 1 2 3; do
	for cache in 24M 80M 40M; do
		set_dirty_load
		attribute cache $cache
		pressure
	done
	attribute cache_min 4M
	set_dirty_load
	echo 1 >$sys/paused
	echo 20M+4M >$sys/pin
	echo 0 >$sys/paused
	set_dirty_load
	act vol0 drop
	echo 20M+4M >$sys/unpin
	for mode in writethrough writearound writeback; do
		attribute mode $mode
	done
	wait_for 60 leaves_dirty vol0 || fail 'nothing is written back any more'
	dmsetup suspend growing
	dmsetup load growing --table "$(table $((480 + round * 16)))"
	dmsetup resume growing
	act vol0 rescan
	attribute cache_min 40M
done
wait_for 120 test -e once || fail 'the writer has never read anything back'
touch enough
wait $writer || {
	grep -v '^3;' fio.log | tail -n 20
	fail 'what was written reads differently'
}
equal 'size of the LUN in the end' "$(<$sys/size_bytes)" $((528 << 20))
image "$disk" 1 >/dev/null	# who is told of the new size first repeats what it asked for
sg_sync "$disk"
equal 'dirty bytes in the end' "$(dirty vol0)" 0
same_bytes "$disk" /dev/vdb 0 96
