#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With dispatch=home what has to be copied is copied on the node where it lies: reads touch no other node but where two
# stripes meet in one page, writes store on none. With dispatch=inline they do. Data is right in every mode.
# topology: 2n
# limit: 400

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=128M,home=stripe,readahead=0
lun=$core/hearth_0/vol0
export_luns hearth_0/vol0
login tcp
disk=$(disk_of tcp)

# copied COMMAND...: sets $local, $remote, $stored and $handed to what it made the counters grow by
copied() {
	local before=("$(counter_sum vol0 local_bytes)" "$(counter_sum vol0 remote_bytes)"
		"$(counter_sum vol0 remote_stored_bytes)" "$(counter_sum vol0 handed_over)")
	"$@"
	local=$(($(counter_sum vol0 local_bytes) - before[0]))
	remote=$(($(counter_sum vol0 remote_bytes) - before[1]))
	stored=$(($(counter_sum vol0 remote_stored_bytes) - before[2]))
	handed=$(($(counter_sum vol0 handed_over) - before[3]))
	echo "$dispatch: $*: $local local, $remote remote, of these $stored stored; $handed handed over"
}

# From every CPU, so that commands arrive on all nodes; each CPU is a socket of its own. Sector by sector off a page.
unaligned_reads() {
	fio_load "$disk" --rw=randread --bs=64k --blockalign=512 --offset=512 --size=31m --io_size=24m --iodepth=4 \
		--numjobs=2 --cpus_allowed=0-3 --cpus_allowed_policy=split
}

unaligned_writes() {
	fio_load "$disk" --rw=randwrite --bs=24k --blockalign=512 --offset=512 --size=31m --io_size=8m --iodepth=4 \
		--numjobs=2 --cpus_allowed=0-3 --cpus_allowed_policy=split
}

dd if=/dev/urandom of="$disk" bs=1M count=32 oflag=direct status=none

dispatch=inline
echo $dispatch >$lun/attrib/dispatch
copied unaligned_reads
[ $((remote * 5)) -gt $((local + remote)) ] || fail "inline: $remote bytes are less than a fifth from afar"
equal 'requests handed over inline' $handed 0
copied unaligned_writes
[ $stored -gt 0 ] || fail 'inline: nothing was stored afar'

dispatch=home
echo $dispatch >$lun/attrib/dispatch
copied unaligned_reads
[ $local -ge $((32 << 20)) ] || fail "home: only $local bytes were copied"
[ $((remote * 100)) -le $((local + remote)) ] || fail "home: reads copied $remote bytes from afar"
[ $handed -gt 0 ] || fail 'home: nothing was handed over'
copied unaligned_writes
equal 'bytes that writes stored afar' $stored 0
[ $remote -le $((16 << 20)) ] || fail "home: writes loaded $remote bytes from afar, more than there are"

dispatch=auto
echo $dispatch >$lun/attrib/dispatch
equal 'dispatch in sysfs' "$(</sys/class/hearth/vol0/dispatch)" auto
copied unaligned_reads

# The mode changes under load; what is read is right.
change_dispatch() {
	local mode
	while true; do
		for mode in inline home auto; do
			echo $mode >$lun/attrib/dispatch
			dd if="$disk" of=/dev/null skip=99 count=9 iflag=direct status=none
		done
	done
}
change_dispatch &
changer=$!
fio_verify "$disk" --size=24m --numjobs=2 --offset_increment=24m --iodepth=16 --bsrange=512-128k --blockalign=512
kill $changer
wait $changer || true
same_bytes "$disk" /dev/vdb 0 48

expect_fail 'dispatch=away: unknown; give inline, home or auto' tee $lun/attrib/dispatch <<<away
