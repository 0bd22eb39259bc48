#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# PRE-FETCH brings blocks into the cache, says whether they are all there, and refuses what lies beyond the LUN.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=64M,readahead=0
export_luns hearth_0/vol0
login tcp
disk=$(disk_of tcp)
blocks=$(sectors "$disk")

# prefetch met|good OPTION...: the status that it answers; sg_seek exits with 25 for CONDITION MET
prefetch() {
	local wanted=$1 seen=0
	shift
	sg_seek --pre-fetch -v "$@" "$disk" || seen=$?
	case $seen in
	0) seen=good ;;
	25) seen=met ;;
	esac
	equal "sg_seek $*" "$seen" "$wanted"
}

frames_ahead() {
	counter_sum vol0 ahead
}

# all_hits OFFSET-MIB MIB: the device is not asked for them any more, and they are right. Whoever looks for partitions
# may read a few other frames meanwhile.
all_hits() {
	local misses
	misses=$(counter_sum vol0 misses)
	same_bytes "$disk" /dev/vdb "$1" "$2"
	misses=$(($(counter_sum vol0 misses) - misses))
	[ $misses -le 32 ] || fail "$misses misses at $1 MiB"
}

dd if=/dev/urandom of=/dev/vdc bs=1M count=16 oflag=direct status=none
dd if=/dev/vdc of="$disk" bs=1M count=16 seek=600 oflag=direct status=none

# (10) and (16), with and without IMMED
prefetch met --10 --lba=$((100 * 2048)) --num-blocks=16384
equal 'frames fetched by PRE-FETCH (10)' "$(frames_ahead)" 2048
all_hits 100 8
prefetch met --lba=$((200 * 2048)) --num-blocks=24576
equal 'frames fetched by PRE-FETCH (16)' "$(frames_ahead)" $((2048 + 3072))
all_hits 200 12
prefetch met --immed --lba=$((300 * 2048)) --num-blocks=8192
fetched_all() {
	[ "$(frames_ahead)" -eq $((2048 + 3072 + 1024)) ]
}
wait_for 30 fetched_all || fail "with IMMED $(frames_ahead) frames are there"
all_hits 300 4

# What is there already is not fetched again; nor is anything read ahead behind it.
prefetch met --lba=$((100 * 2048)) --num-blocks=16384
prefetch met --lba=$((600 * 2048)) --num-blocks=32768
equal 'frames fetched' "$(frames_ahead)" $((2048 + 3072 + 1024))

# 0 blocks: to the end of the LUN; some of that may be there, since whoever looks for partitions reads it
prefetch met --lba=$((blocks - 8192)) --num-blocks=0
[ "$(frames_ahead)" -gt $((2048 + 3072 + 1024 + 512)) ] || fail 'up to the end next to nothing was fetched'
all_hits $((blocks / 2048 - 4)) 4
prefetch met --10 --lba=$((blocks - 8)) --num-blocks=8

# More than the cache holds: GOOD, and the cache keeps its limit.
prefetch good --lba=0 --num-blocks=0
[ "$(counter_sum vol0 frames)" -le 16384 ] || fail "$(counter_sum vol0 frames) frames are more than the limit"
prefetch good --immed --lba=0 --num-blocks=$((66 * 2048))

# Beyond the LUN: LBA out of range
for options in "--lba=$blocks --num-blocks=1" "--lba=$((blocks - 4)) --num-blocks=5" "--lba=$blocks --num-blocks=0" \
	"--10 --lba=$blocks --num-blocks=0" "--lba=0x7fffffffffffffff --num-blocks=0x7fffffff"; do
	# shellcheck disable=SC2086 # options
	expect_fail 'Logical block address out of range' sg_seek --pre-fetch -v $options "$disk"
done

# It fetches what the device has now, also where it is written meanwhile.
prefetch met --immed --lba=$((700 * 2048)) --num-blocks=16384
fio_verify "$disk" --offset=700m --size=8m --iodepth=8 --bsrange=512-64k --blockalign=512
same_bytes "$disk" /dev/vdb 700 8
