#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A bad wire between initiator and target: packets are lost, late, out of order, twice; and connections are cut in the middle of
# transfers. iSCSI and iSER repeat what they have to, and under verified load no byte is wrong.
# It takes minutes, so it is not among the tests of "make check": make check-wire
# topology: 2n
# limit: 900
# allow-log: iSCSI|iscsi|iser|isert|connection|session|rejecting I/O|tx_data|rx_data|Unable to|ping|recv timeout|reset

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-wire.sh"
. "$HEARTH_TESTS/lib-writeback.sh"
. "$HEARTH_TESTS/lib-load.sh"

# Each as netem(8) has it. RoCE sends again all that comes after a packet which is not there: where any packet may overtake
# others, it stands still.
# shellcheck disable=SC2034 # taken by name
bad_for_tcp=('loss 1%' 'delay 3ms 2ms' 'delay 3ms reorder 25% 50%' 'duplicate 5%' 'delay 1ms loss 0.5% duplicate 2% reorder 10%')
# shellcheck disable=SC2034
bad_for_iser=('loss 0.5%' 'delay 3ms' 'delay 1ms reorder 1%' 'duplicate 5%')

wire_start iser
make_lun vol0 dev=/dev/vdb,cache=24M,mode=writeback
modprobe iscsi_target_mod
export_tcp hearth_0/vol0
mkdir "$tpg/np/$address:3261"
echo 1 >"$tpg/np/$address:3261/iser"
login tcp
login iser
declare -A offsets=([tcp]=0 [iser]=32)

# load tcp|iser: in a region of its own
load() {
	load_start "$(disk_of "$1")" --bsrange=512-128k --iodepth=8 --size=24m --offset="${offsets[$1]}m" --io_size=4m --verify_backlog=64
}

for fabric in tcp iser; do
	patient $fabric
	disk=$(disk_of $fabric)
	load $fabric
	declare -n bads=bad_for_$fabric
	for bad in "${bads[@]}"; do
		before=$(wire_packets)
		# shellcheck disable=SC2086 # words
		wire_is $bad
		load_moves "$disk"
		lost=$(wire_lost)
		wire_is_good
		echo "$fabric, $bad: $(($(wire_packets) - before)) packets, $lost of them lost"
		[[ $bad != *loss* ]] || [ "$lost" -gt 0 ] || fail "$bad: no packet was lost"
		load_moves "$disk"
	done
	load_stop "$disk"
done

echo writethrough >$core/hearth_0/vol0/attrib/mode
load tcp
load iser
for how in target wire; do
	for fabric in tcp iser; do
		cut_by $how $fabric
		load_moves "$(disk_of tcp)"
		load_moves "$(disk_of iser)"
		echo "$fabric, cut by the $how: found again"
	done
done
for fabric in tcp iser; do
	load_stop "$(disk_of $fabric)"
done
sg_sync "$(disk_of tcp)"
same_bytes "$(disk_of tcp)" /dev/vdb 0 56
