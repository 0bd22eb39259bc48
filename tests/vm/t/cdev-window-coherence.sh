#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is committed from windows is seen by initiators, and what they write by who commits, over iSCSI with digests, in every mode, also
# when the cache is small, dropped, or paused meanwhile; beside verified loads on other parts.
# topology: 2n
# limit: 300

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

start_iscsid
cp /etc/iscsi/iscsid.conf iscsid.conf
defer cp "$PWD/iscsid.conf" /etc/iscsi/iscsid.conf
echo 'node.conn[0].iscsi.HeaderDigest = CRC32C
node.conn[0].iscsi.DataDigest = CRC32C' >>/etc/iscsi/iscsid.conf

make_lun vol0 dev=/dev/vdb,cache=12M,mode=writeback,home=touch
start_net
modprobe iscsi_target_mod
export_tcp hearth_0/vol0
login tcp
disk=$(disk_of tcp)
wait_for 10 test -c /dev/hearth/vol0

# Whatever else happens to the cache meanwhile.
disturb() {
	trap 'exit 0' TERM
	while sleep 0.3; do
		echo 1 >/sys/class/hearth/vol0/drop
		echo 1 >/sys/class/hearth/vol0/paused
		echo 8M >$core/hearth_0/vol0/attrib/cache
		echo 0 >/sys/class/hearth/vol0/paused
		echo 12M >$core/hearth_0/vol0/attrib/cache
	done
}
hold_back vol0
for mode in writeback writethrough writearound; do
	echo $mode >$core/hearth_0/vol0/attrib/mode
	fio "${fio_options[@]}" --filename="$disk" --offset=32m --size=4m --bsrange=512-64k --iodepth=8 --rw=randwrite --do_verify=1 \
		>fio.log 2>&1 &
	load=$!
	disturb &
	disturber=$!
	said=$(PYTHONPATH=$HEARTH_TESTS python3 "$HEARTH_TESTS/coherence.py" "$disk" vol0 6 window 2>&1) || {
		kill $disturber
		fail "$mode: $said"
	}
	kill $disturber
	wait $disturber || true
	wait $load || fail "fio on the disk: $(tail -n 5 fio.log)"
	echo "$mode: $said"
done
echo 1 >/sys/class/hearth/vol0/flush
wait_for 30 is_clean vol0
same_bytes "$disk" /dev/vdb 0 36
! klog_has 'digest.*(fail|error|mismatch)|detected conn error' || fail "digest errors: $(klog | grep -i digest)"
