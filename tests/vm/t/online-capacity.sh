#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A LUN follows the size of its device; every initiator is told, once, in place of one of its commands.
# topology: 2n
# limit: 240
# allow-log: Capacity data has changed|I/O error|critical target error|detected capacity change

. "$HEARTH_TESTS/lib.sh"

# set_size MIB
set_size() {
	dmsetup reload d0 --table "0 $(($1 * 2048)) linear /dev/vdb 0"
	dmsetup resume d0
}

lun_has() {
	[ "$(<$sys/size_bytes)" = $(($1 << 20)) ]
}

told() {
	klog | grep -c 'Capacity data has changed' || true
}

# Each command of an initiator, until it was told; the initiator's kernel repeats the one that was taken.
ask_both() {
	dd if="$over_tcp" of=/dev/null bs=4k count=1 iflag=direct status=none
	dd if="$over_iser" of=/dev/null bs=4k count=1 iflag=direct status=none
}

rescan_disks() {
	echo 1 >"/sys/block/${over_tcp##*/}/device/rescan"
	echo 1 >"/sys/block/${over_iser##*/}/device/rescan"
}

make_dm d0 "0 $((64 * 2048)) linear /dev/vdb 0"
make_lun vol0 dev=/dev/mapper/d0,cache=96M
sys=/sys/class/hearth/vol0
export_luns hearth_0/vol0
login tcp
login iser
over_tcp=$(disk_of tcp)
over_iser=$(disk_of iser)
dd if=/dev/urandom of=pattern bs=1M count=128 status=none
dd if=pattern of="$over_tcp" bs=1M count=64 oflag=direct status=none
equal 'told, at first' "$(told)" 0

# It grows; the first command notices.
set_size 128
dd if="$over_tcp" of=/dev/null bs=4k count=1 iflag=direct status=none
wait_for 20 lun_has 128 || fail "size: $(<$sys/size_bytes) after the device has grown"
ask_both
ask_both
equal 'told that it has grown' "$(told)" 2
rescan_disks
equal 'size that the initiator sees' "$(blockdev --getsize64 "$over_iser")" $((128 << 20))
dd if=pattern of="$over_tcp" bs=1M skip=64 seek=64 count=64 oflag=direct status=none
cmp -n $((128 << 20)) pattern "$over_iser" || fail 'contents of the larger LUN'

# It becomes smaller, on request; what was cached behind its end is forgotten.
set_size 32
echo 1 >$sys/rescan
lun_has 32 || fail "size: $(<$sys/size_bytes) after the device became smaller"
[ "$(counter_sum vol0 frames)" -le $((32 * 256)) ] || fail "$(counter_sum vol0 frames) frames of 32 MiB"
ask_both
ask_both
equal 'told that it is smaller' "$(told)" 4
expect_fail 'rror' dd if="$over_tcp" of=/dev/null bs=1M skip=40 count=1 iflag=direct
cmp -n $((32 << 20)) pattern "$over_iser" || fail 'contents of the smaller LUN'

# What lies there meanwhile is what is read when it grows again.
dd if=/dev/urandom of=changed bs=1M count=8 status=none
dd if=changed of=/dev/vdb bs=1M seek=40 oflag=direct conv=notrunc status=none
set_size 64
echo 1 >$sys/rescan
ask_both
rescan_disks
equal 'what lay behind the end' "$(sum_of "$over_tcp" 40 8)" "$(md5sum <changed | cut -d ' ' -f 1)"

write_file() {
	echo "$2" >"$sys/$1"
}
expect_fail 'rescan=yes: give 1' write_file rescan yes
write_file rescan 1
equal 'told in all' "$(told)" 6
