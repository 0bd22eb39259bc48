#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A bad wire between initiator and target: packets are lost, late, out of order, twice; and connections are cut in the middle of
# transfers. iSCSI and iSER repeat what they have to, and under verified load no byte is wrong.
# topology: 2n
# limit: 900
# allow-log: iSCSI|iscsi|iser|isert|connection|session|rejecting I/O|tx_data|rx_data|Unable to|ping|recv timeout|reset

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-wire.sh"
. "$HEARTH_TESTS/lib-writeback.sh"
. "$HEARTH_TESTS/lib-load.sh"

wire_start iser
make_lun vol0 dev=/dev/vdb,cache=24M,mode=writeback
modprobe iscsi_target_mod
export_tcp hearth_0/vol0
mkdir "$tpg/np/$address:3261"
echo 1 >"$tpg/np/$address:3261/iser"
login tcp
login iser

offset=0
for fabric in tcp iser; do
	patient $fabric
	load_start "$(disk_of $fabric)" --bsrange=512-128k --iodepth=8 --size=24m --offset=${offset}m --io_size=4m --verify_backlog=64
	offset=$((offset + 32))
done

both_move() {
	load_moves "$(disk_of tcp)"
	load_moves "$(disk_of iser)"
}

# Each as netem(8) has it.
for bad in 'loss 1%' 'delay 3ms 2ms' 'delay 3ms reorder 25% 50%' 'duplicate 5%' 'delay 1ms loss 0.5% duplicate 2% reorder 10%'; do
	before=$(wire_packets)
	# shellcheck disable=SC2086 # words
	wire_is $bad
	both_move
	echo "$bad: $(($(wire_packets) - before)) packets, $(wire_lost) of them lost"
	case $bad in
	*loss*) [ "$(wire_lost)" -gt 0 ] || fail "$bad: no packet was lost" ;;
	esac
	wire_is_good
	both_move
done

echo writethrough >$core/hearth_0/vol0/attrib/mode
for how in target link; do
	for fabric in tcp iser; do
		cut_by $how $fabric
		both_move
	done
done

for fabric in tcp iser; do
	load_stop "$(disk_of $fabric)"
done
sg_sync "$(disk_of tcp)"
same_bytes "$(disk_of tcp)" /dev/vdb 0 56
