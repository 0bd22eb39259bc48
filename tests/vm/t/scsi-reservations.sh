#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Persistent reservations between two initiators, by sg_persist: what each may do with the LUN, in cache or not, in every mode.
# topology: 2n
# allow-log: iSCSI|reservation conflict|PR|SPC-3

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-initiators.sh"

make_lun vol0 dev=/dev/vdb,cache=16M
start_net
export_tcp hearth_0/vol0
login_as one >/dev/null
one=$disk
login_as two >/dev/null
two=$disk
head -c 64k /dev/urandom >data

# pr DISK OPTION...
pr() {
	sg_persist --out "${@:2}" "$1" 2>&1
}

# may DISK OPTION...: and it does
may() {
	local said
	said=$(pr "$@") || fail "sg_persist $*: $said"
}

write_to() {
	dd if=data of="$1" bs=64k seek="$2" oflag=direct status=none
}

read_from() {
	cmp data <(dd if="$1" bs=64k skip="$2" count=1 iflag=direct status=none)
}

head -c 512 data >block

for mode in writethrough writearound; do
	echo $mode >$core/hearth_0/vol0/attrib/mode
	may "$one" --register --param-sark=0xa1
	may "$two" --register --param-sark=0xb2
	equal 'keys' "$(sg_persist --in --read-keys "$one" | grep -c 0x)" 3

	# Write Exclusive: the other one reads
	may "$one" --reserve --param-rk=0xa1 --prout-type=1
	write_to "$one" 0 || fail 'the holder cannot write'
	read_from "$two" 0 || fail 'Write Exclusive: the other cannot read'
	before=$(sum_of "$one" 0 1)
	expect_fail 'exchange|rror' write_to "$two" 1
	expect_fail 'eservation' sg_write_same --16 --in=block --lba=128 --num=8 --xferlen=512 "$two"
	expect_fail 'eservation' sg_sync "$two"
	equal 'what the LUN holds' "$(sum_of "$one" 0 1)" "$before"
	expect_fail 'eservation' pr "$two" --reserve --param-rk=0xb2 --prout-type=3

	# Preempted, then Exclusive Access: the former holder does neither
	may "$two" --preempt --param-rk=0xb2 --param-sark=0xa1 --prout-type=3
	write_to "$two" 2 || fail 'the new holder cannot write'
	expect_fail 'exchange|rror' write_to "$one" 2
	expect_fail 'exchange|rror' read_from "$one" 2
	may "$two" --release --param-rk=0xb2 --prout-type=3
	write_to "$one" 3 || fail 'nobody holds the LUN, and it cannot be written'
	read_from "$two" 3 || fail 'nobody holds the LUN, and it cannot be read'
	may "$two" --clear --param-rk=0xb2
done
same_bytes "$one" /dev/vdb 0 1
