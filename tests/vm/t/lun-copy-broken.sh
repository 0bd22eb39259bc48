#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Copies into a LUN that are killed continue, over TCP and RDMA, whatever an initiator wrote meanwhile; a LUN that is revoked,
# read-only, gone or none, one that another copy writes to, and a user who may not: each is said, and nothing is written.
# topology: 2n
# needs: userspace
# limit: 400
# allow-log: I/O error|hearth: vol0|Buffer I/O

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-rdma.sh"

start_mover
make_rail
start_net
modprobe iscsi_target_mod
export HOME=$PWD

head -c 6M /dev/urandom >image
make_lun vol0 dev=/dev/vda,cache=16M
wait_for 10 test -c /dev/hearth/vol0
export_tcp hearth_0/vol0

has_records() {
	local file
	for file in .local/state/hearth/lun-*; do
		[ -e "$file" ] && [ "$(stat -c %s "$file")" -gt "$1" ] && return
	done
	return 1
}
nobody_writes() {
	flock -n /dev/hearth/vol0 true
}
for transport in tcp rdma; do
	start_hcp --transport=$transport --bwlimit=400K --block-size=64K image x:lun:/vol0@1M 2>/dev/null
	wait_for 60 has_records 500 || fail 'nothing was stored'
	expect 4 hcp --transport=$transport image x:lun:/vol0
	says 'lun:/vol0: another copy is writing to it'
	kill -9 $copy
	wait $copy && fail 'killed, and yet it succeeded'
	wait_for 60 nobody_writes || fail 'the far end stays'
	login tcp
	dd if=/dev/urandom of="$(disk_of tcp)" bs=4k seek=256 count=2 oflag=direct conv=notrunc status=none
	undo_now logout tcp
	expect 0 hcp --json --transport=$transport --block-size=64K image x:lun:/vol0@1M
	[ "$(summary 's["bytes_moved"]')" -lt $((6 << 20)) ] || fail 'all of it was sent again'
	login tcp
	equal 'what the initiator reads' "$(sum_of "$(disk_of tcp)" 1 6)" "$(md5sum <image | cut -d ' ' -f 1)"
	dd if=/dev/zero of="$(disk_of tcp)" bs=1M seek=1 count=6 oflag=direct conv=notrunc status=none
	undo_now logout tcp
	! has_records 0 || fail 'the journal stays'
done

# Revoked in the middle.
start_hcp --bwlimit=1M --block-size=64K image x:lun:/vol0 2>err
wait_for 60 has_records 500 || fail 'nothing was stored'
echo 1 >/sys/class/hearth/vol0/revoke
status=0
wait $copy || status=$?
equal 'status of a copy into what was revoked' $status 23
says 'lun:/vol0: cannot be written: the administrator has revoked it'
expect 0 hcp --force image lun:/vol0
start_hcp --bwlimit=1M --memory=1M --block-size=64K x:lun:/vol0 copy 2>err
wait_for 60 has_bytes "$PWD/copy" 500000 || fail 'nothing was read'
echo 1 >/sys/class/hearth/vol0/revoke
status=0
wait $copy || status=$?
equal 'status of a copy from what was revoked' $status 23
says 'cannot be read: the administrator has revoked it'
undo_now unexport
remove_lun vol0

# No LUN, no permission, read-only; a fabric's nexus.
mkdir -p /dev/hearth
mknod /dev/hearth/fake c 1 3
expect 4 hcp image x:lun:/fake
says 'lun:/fake: /dev/hearth/fake is no node of a Hearth LUN'
rm /dev/hearth/fake
expect 4 hcp image x:lun:/vol0
says 'lun:/vol0: there is no such LUN here'
make_lun vol0 dev=/dev/vda,cache=16M,readonly=1
wait_for 10 test -c /dev/hearth/vol0
sum=$(md5sum </dev/hearth/vol0)
expect 4 hcp image x:lun:/vol0
says 'lun:/vol0: the LUN is read-only .readonly=1.'
expect 0 hcp x:lun:/vol0@1M+6M copy2
cmp -n $((6 << 20)) -i $((1 << 20)):0 /dev/hearth/vol0 copy2
chmod 755 "$PWD"
expect 4 setpriv --reuid=65534 --clear-groups "$programs/hearthcp" lun:/vol0 /tmp/none
says 'no permission for /dev/hearth/vol0; run as root'
equal 'what the LUN holds' "$(md5sum </dev/hearth/vol0)" "$sum"
remove_lun vol0
make_lun vol0 dev=/dev/vda,cache=16M
attach_lun hearth_0/vol0
expect 4 hcp image x:lun:/vol0
says 'lun:/vol0: nexus naa.6001405000000002 may write to it'
equal 'what the LUN holds' "$(md5sum </dev/hearth/vol0)" "$sum"
