#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is written over iSCSI is read over iSER, and the other way round; counters tell hits from misses.
# topology: 2n
# limit: 300

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=64M,readahead=0
export_luns hearth_0/vol0
login tcp
login iser
tcp=$(disk_of tcp)
iser=$(disk_of iser)
sum=$(head -c 16M /dev/urandom | tee random | md5sum | cut -d ' ' -f 1)

dd if=random of="$tcp" bs=1M oflag=direct status=none
equal 'written over TCP, read over iSER' "$(sum_of "$iser" 0 16)" "$sum"
dd if=random of="$iser" bs=1M seek=16 oflag=direct status=none
equal 'written over iSER, read over TCP' "$(sum_of "$tcp" 16 16)" "$sum"
same_bytes "$tcp" /dev/vdb 0 32

hits=$(counter_sum vol0 hits) misses=$(counter_sum vol0 misses)
sum_of "$tcp" 0 16 >/dev/null
equal 'misses of a warm read' "$(counter_sum vol0 misses)" "$misses"
equal 'hits of a warm read' "$(counter_sum vol0 hits)" $((hits + 4096))
sum_of "$tcp" 100 16 >/dev/null
equal 'misses of a cold read' "$(counter_sum vol0 misses)" $((misses + 4096))

fio_verify "$tcp" --size=8m --offset=200m --iodepth=16 --bsrange=512-128k --blockalign=512
fio_verify "$iser" --size=8m --offset=300m --iodepth=16 --bsrange=512-128k --blockalign=512
same_bytes "$iser" /dev/vdb 200 8
same_bytes "$tcp" /dev/vdb 300 8
