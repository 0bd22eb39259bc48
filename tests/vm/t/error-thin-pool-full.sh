#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A thin device whose pool is full: SPACE ALLOCATION FAILED, what is cached stays and is written when the pool has grown.
# topology: 2n
# allow-log: I/O error|Buffer I/O|hearth: vol0|critical space allocation|Sense|CDB|device-mapper: (thin|space map)|lost async page write

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

modprobe dm_thin_pool
sys=/sys/class/hearth/vol0

# pool_table MIB: of data; 64-KiB blocks, and no waiting for more
pool_table() {
	echo "0 $(($1 * 2048)) thin-pool /dev/mapper/meta /dev/mapper/data 128 0 2 skip_block_zeroing error_if_no_space"
}

# grow_pool MIB
grow_pool() {
	reload_dm data "0 $(($1 * 2048)) linear /dev/vdc 16384"
	reload_dm pool "$(pool_table "$1")"
}

# fill FIRST MIB: with what is in the file "new", through the LUN
fill() {
	dd if=new of="$disk" bs=64k seek=$(($1 * 16)) count=$(($2 * 16)) oflag=direct status=none
}

dd if=/dev/zero of=/dev/vdc bs=1M count=1 oflag=direct status=none
make_dm meta '0 16384 linear /dev/vdc 0'
make_dm data "0 $((8 * 2048)) linear /dev/vdc 16384"
make_dm pool "$(pool_table 8)"
dmsetup message pool 0 'create_thin 0'
make_dm thin "0 $((64 * 2048)) thin /dev/mapper/pool 0"
head -c 24M /dev/urandom >new

make_lun vol0 dev=/dev/mapper/thin,cache=64M,dirty=32M,mode=writethrough
attach_lun hearth_0/vol0
fill 0 4
expect_fail 'No space|rror' fill 4 8
head -c 64k new >block
expect_fail 'Space allocation failed' sg_dd if=block of="$disk" bs=512 seek=$((30 * 2048)) bpt=128 blk_sgio=1 verbose=2
cmp -n $((4 << 20)) new "$disk" || fail 'what the pool had room for is not there'
grow_pool 16
fill 4 4
equal 'state with room again' "$(<$sys/state)" ok

# Now later, and not all of it fits.
echo writeback >$core/hearth_0/vol0/attrib/mode
hold_back vol0
sg_sync "$disk"
fill 0 24
expect_fail 'rror|space' sg_sync "$disk"
expect_fail 'Space allocation failed' sg_sync --verbose --verbose "$disk"
equal 'state with a full pool' "$(<$sys/state)" degraded
[ "$(dirty vol0)" -ge $((8 << 20)) ] || fail "only $(dirty vol0) bytes are dirty"
cmp new <(image "$disk" 24) || fail 'the LUN has lost something'
grow_pool 40
sg_sync "$disk" || fail 'a flush when the pool has grown'
is_clean vol0 || fail 'dirty after a flush'
equal 'state in the end' "$(<$sys/state)" ok
cmp new <(image /dev/mapper/thin 24) || fail 'the device has not got the data'
