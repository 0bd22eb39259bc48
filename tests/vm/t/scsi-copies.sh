#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# sg_xcopy (EXTENDED COPY by the target itself), sgp_dd with several threads, and sg_unmap, sg_write_same and
# sg_compare_and_write between them: LUN and device have the very bytes.
# topology: 2n
# limit: 900

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

modprobe -a sg
make_lun vol0 dev=/dev/vdb,cache=24M,mode=writeback
make_lun vol1 dev=/dev/vdc,cache=24M,mode=writeback
# EXTENDED COPY finds a LUN by its identity, of which the last 7 hexadecimal digits do not count.
serial=0
for lun in vol0 vol1; do
	serial=$((serial + 1))
	printf '%08d-0000-4000-8000-000000000000' $serial >$core/hearth_0/$lun/wwn/vpd_unit_serial
	echo 1 >$core/hearth_0/$lun/attrib/emulate_tpu
	echo 1 >$core/hearth_0/$lun/attrib/emulate_tpws
done
export_luns hearth_0/vol0 hearth_0/vol1
login tcp
one=$(disk_of tcp 0)
two=$(disk_of tcp 1)
disk=$two
hold_back vol1
disk=$one
hold_back vol0

# sg_of DISK
sg_of() {
	local node
	node=$(echo "/sys/block/${1##*/}"/device/scsi_generic/sg*)
	echo "/dev/${node##*/}"
}
sg_one=$(sg_of "$one")
sg_two=$(sg_of "$two")

# same_as FILE DISK FIRST: blocks of 512 bytes
same_as() {
	cmp "$1" <(dd if="$2" bs=512 skip="$3" count=$(($(stat -c %s "$1") / 512)) iflag=direct status=none) ||
		fail "$2 at block $3: not as in $1"
}

head -c 8M /dev/urandom >data
for mode in writeback writethrough; do
	for lun in vol0 vol1; do
		echo $mode >$core/hearth_0/$lun/attrib/mode
	done
	# sgp_dd, four threads, requests of its own making
	sgp_dd if=data of="$one" bs=512 bpt=200 thr=4 seek=7 count=16384 2>sgp.log || fail "sgp_dd: $(<sgp.log)"
	same_as data "$one" 7
	sgp_dd if="$one" of=seen bs=512 bpt=77 thr=4 skip=7 count=16384 2>sgp.log || fail "sgp_dd: $(<sgp.log)"
	cmp data seen || fail 'sgp_dd reads other data'

	# from one LUN to the other, then within one, to where nothing is aligned
	sg_xcopy if="$sg_one" of="$sg_two" bs=512 bpt=1024 skip=7 seek=100 count=16384 2>xcopy.log || fail "sg_xcopy: $(<xcopy.log)"
	same_as data "$two" 100
	sg_xcopy if="$sg_two" of="$sg_two" bs=512 bpt=333 skip=100 seek=40001 count=4000 2>xcopy.log || fail "sg_xcopy: $(<xcopy.log)"
	head -c $((4000 * 512)) data >part
	same_as part "$two" 40001

	# around what was copied nothing has changed
	head -c 512 /dev/urandom >block
	sg_write_same --16 --lba=40001 --num=5 --in=block --xferlen=512 "$two" >/dev/null
	sg_unmap --force --lba=40010 --num=16 "$two"
	cat block <(head -c 512 /dev/zero) >pair
	sg_compare_and_write --in=pair --lba=40003 --num=1 --xferlen=1024 "$two" >/dev/null
	python3 - part block <<-END
		import sys
		name, block = sys.argv[1:]
		data, block = bytearray(open(name, "rb").read()), open(block, "rb").read()
		data[: 5 * 512] = block * 5
		data[9 * 512 : 25 * 512] = bytes(16 * 512)
		data[2 * 512 : 3 * 512] = bytes(512)
		open(name, "wb").write(data)
	END
	same_as part "$two" 40001
	sg_sync "$one"
	sg_sync "$two"
	same_bytes "$one" /dev/vdb 0 10
	same_bytes "$two" /dev/vdc 0 24
	echo writeback | tee $core/hearth_0/vol[01]/attrib/mode >/dev/null
	for at in $one $two; do
		dd if=/dev/zero of="$at" bs=1M count=24 oflag=direct status=none
	done
done
