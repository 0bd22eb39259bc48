#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Commands that overlap, from several CPUs at once, leave one truth: the LUN and the device agree afterwards.
# topology: 2n
# limit: 240

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=2M
attach_lun hearth_0/vol0
for round in 1 2 3; do
	fio_load "$disk" --rw=randrw --rwmixread=40 --size=4m --bsrange=512-64k --blockalign=512 \
		--numjobs=4 --iodepth=16 --norandommap --time_based --runtime=8 --randseed=$round \
		--randrepeat=0 --scramble_buffers=1 --refill_buffers
	same_bytes "$disk" /dev/vdb 0 4
done

# A block that two write at once holds what one of them wrote, everywhere alike.
for round in 1 2 3 4 5; do
	for byte in a b; do
		head -c 1M /dev/zero | tr '\0' $byte >block-of-$byte
		dd if=block-of-$byte of="$disk" bs=4k oflag=direct status=none &
	done
	wait
	seen=$(dd if="$disk" bs=1M count=1 iflag=direct status=none | fold -w 4096 | sort -u | tr -s ab | sort -u | tr '\n' ' ')
	case $seen in
	'a '|'b '|'a b ') ;;
	*) fail "round $round: blocks mix two writes: $seen" ;;
	esac
	same_bytes "$disk" /dev/vdb 0 1
done
