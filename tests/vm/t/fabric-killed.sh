#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An initiator that is killed, or whose connection is reset, in the middle of its writes: what was answered is there, what was
# sent in part is not, and nothing stays behind.
# topology: 2n
# allow-log: iSCSI|iscsi|tx_data|rx_data|Unable to|Closing

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

make_lun vol0 dev=/dev/vdb,cache=24M,mode=writeback
export_luns hearth_0/vol0
login tcp
disk=$(disk_of tcp)
for mode in writeback writethrough writearound; do
	echo $mode >$core/hearth_0/vol0/attrib/mode
	[ $mode != writeback ] || hold_back vol0
	"$HEARTH_TESTS/guest/half-initiator" $address 3260 $iqn "$disk" 8 $mode || fail "$mode: wrong"
	sg_sync "$disk"
	same_bytes "$disk" /dev/vdb 0 8
done
