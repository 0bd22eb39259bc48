#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The node of a LUN and its initiators see one truth at any time: over iSCSI with digests, in every mode, also when the cache
# is small, dropped, or paused meanwhile; and fio verifies a part of the LUN on each way at once.
# topology: 2n
# limit: 300

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

start_iscsid
digests='node.conn[0].iscsi.HeaderDigest = CRC32C
node.conn[0].iscsi.DataDigest = CRC32C'
cp /etc/iscsi/iscsid.conf iscsid.conf
defer cp "$PWD/iscsid.conf" /etc/iscsi/iscsid.conf
echo "$digests" >>/etc/iscsi/iscsid.conf

make_lun vol0 dev=/dev/vdb,cache=4M,mode=writeback,home=touch
start_net
modprobe iscsi_target_mod
export_tcp hearth_0/vol0
login tcp
disk=$(disk_of tcp)
session=$(session_of tcp)
equal 'data digest' "$(<"/sys/class/iscsi_connection/connection${session##*/session}:0/data_digest")" 1
wait_for 10 test -c /dev/hearth/vol0

# Whatever else happens to the cache meanwhile.
disturb() {
	trap 'exit 0' TERM
	while sleep 0.3; do
		echo 1 >/sys/class/hearth/vol0/drop
		echo 1 >/sys/class/hearth/vol0/paused
		echo 0 >/sys/class/hearth/vol0/paused
	done
}
hold_back vol0
for mode in writeback writethrough writearound; do
	echo $mode >$core/hearth_0/vol0/attrib/mode
	disturb &
	disturber=$!
	said=$(PYTHONPATH=$HEARTH_TESTS python3 "$HEARTH_TESTS/coherence.py" "$disk" vol0 6 2>&1) || {
		kill $disturber
		fail "$mode: $said"
	}
	kill $disturber
	wait $disturber || true
	echo "$mode: $said"
done

echo writeback >$core/hearth_0/vol0/attrib/mode
fio "${fio_options[@]}" --filename="$disk" --offset=32m --size=8m --bsrange=512-64k --iodepth=8 --rw=randwrite --do_verify=1 >fio1.log 2>&1 &
one=$!
fio "${fio_options[@]}" --filename=/dev/hearth/vol0 --filesize=2g --offset=64m --size=8m --bsrange=512-64k --ioengine=psync --numjobs=1 \
	--rw=randwrite --do_verify=1 >fio2.log 2>&1 || fail "fio on the node: $(tail -n 5 fio2.log)"
wait $one || fail "fio on the disk: $(tail -n 5 fio1.log)"
# each part by the other way
equal 'what fio wrote to the disk' "$(dd if=/dev/hearth/vol0 bs=1M skip=32 count=8 status=none | md5sum | cut -d ' ' -f 1)" "$(sum_of "$disk" 32 8)"
equal 'what fio wrote to the node' "$(dd if=/dev/hearth/vol0 bs=1M skip=64 count=8 status=none | md5sum | cut -d ' ' -f 1)" "$(sum_of "$disk" 64 8)"
echo 1 >/sys/class/hearth/vol0/flush
same_bytes "$disk" /dev/vdb 32 40
! klog_has 'digest.*(fail|error|mismatch)|detected conn error' || fail "digest errors: $(klog | grep -i digest)"
