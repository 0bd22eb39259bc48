#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# VERIFY compares: one byte that differs is a miscompare, at its LBA, whether the block is cached, dirty, or on the device
# only; without data it reads, and finds what cannot be read.
# topology: 2n
# allow-log: I/O error|critical medium error|sd [0-9:]+|hearth: |Sense|scsi_debug|Expected Transfer Length

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

modprobe sg
make_scsi_debug dev_size_mb=64 sector_size=512
make_lun vol0 "dev=$device,cache=16M,mode=writeback"
attach_lun hearth_0/vol0
hold_back vol0

# verify WANTED OPTION...: its exit status: 0, or 14 for a miscompare, 18 for a medium error that says where
verify() {
	local verdict=0
	sg_verify "${@:2}" "$disk" >said 2>&1 || verdict=$?
	[ $verdict -eq "$1" ] || fail "verify ${*:2}: exit $verdict, should be $1: $(cat said)"
}

# blocks LENGTH: so much of the data, and the same with another last byte
blocks() {
	head -c "$1" data >right
	{ head -c $(($1 - 1)) data; printf '\377'; } >wrong
	! cmp -s right wrong || { head -c $(($1 - 1)) data; printf '\376'; } >wrong
}

head -c 1M /dev/urandom >data
# from an odd block on, so that pieces do not begin with a frame
dd if=data of="$disk" bs=512 seek=99 oflag=direct status=none

compare_all() {
	local nr
	for nr in 1 7 8 9 128 1000; do
		blocks $((nr * 512))
		verify 0 --lba=99 --count=$nr --bpc=$nr --ndo=$((nr * 512)) --in=right
		verify 14 --lba=99 --count=$nr --bpc=$nr --ndo=$((nr * 512)) --in=wrong
		verify 0 --16 --lba=99 --count=$nr --bpc=$nr --ndo=$((nr * 512)) --in=right
		verify 14 --16 --lba=99 --count=$nr --bpc=$nr --ndo=$((nr * 512)) --in=wrong
	done
	# the last look says where
	sg_verify --verbose --lba=99 --count=1000 --bpc=1000 --ndo=512000 --in=wrong "$disk" >said 2>&1 || :
	grep -qi 'miscompare' said || fail "no miscompare: $(cat said)"
	grep -Eqi "(info|information).*0*$(printf %x 1098)" said || fail "not the block where it is: $(cat said)"
}

for mode in writeback writethrough writearound; do
	echo $mode >$core/hearth_0/vol0/attrib/mode
	dd if=data of="$disk" bs=512 seek=99 oflag=direct status=none
	compare_all
	# from the device alone
	act vol0 flush
	echo 1 >/sys/class/hearth/vol0/drop
	compare_all
done

# one block for all
head -c 512 data >block
for ((i = 0; i < 20; i++)); do cat block; done >many
dd if=many of="$disk" bs=512 seek=4096 oflag=direct status=none
verify 0 --16 --lba=4096 --count=20 --bpc=20 --ebytchk=3 --ndo=512 --in=block
verify 14 --16 --lba=4096 --count=21 --bpc=21 --ebytchk=3 --ndo=512 --in=block

# without data: everything is read
verify 0 --16 --lba=0 --count=131072
before=$(counter_sum vol0 misses)
echo 1 >/sys/class/hearth/vol0/drop
verify 0 --lba=8192 --count=256
[ "$(counter_sum vol0 misses)" -gt "$before" ] || fail 'nothing is read'

# scsi_debug's bad blocks: 10 from 0x1234 on
echo 1 >/sys/class/hearth/vol0/drop
echo 2 >/sys/bus/pseudo/drivers/scsi_debug/opts
defer eval 'echo 0 >/sys/bus/pseudo/drivers/scsi_debug/opts'
verify 18 --lba=4600 --count=256
grep -q 'lba=0x1234' said || fail "not the bad block: $(cat said)"
