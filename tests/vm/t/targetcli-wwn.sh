#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A LUN that moves here from the block backstore keeps its identity and its data; no two LUNs have the same.
# topology: 2n
# limit: 300

# shellcheck source=tests/vm/t/targetcli-common.bash
. "$(dirname "$0")/targetcli-common.bash"

# What an initiator knows a disk by: its serial number, its designators, its model.
identity() {
	local device=/sys/block/${disk##*/}/device
	cat "$device/vpd_pg80" "$device/vpd_pg83" "$device/model" | od -An -tx1
}

start_targetcli
targetcli /backstores/block create name=vol0 dev=/dev/vdb >/dev/null
attach_saved block/vol0
dd if=/dev/urandom of=pattern bs=1M count=4 status=none
dd if=pattern of="$disk" bs=1M oflag=direct status=none
identity >before
wwn=$(targetcli /backstores/block/vol0 info | sed -n 's/.*wwn: //p')

expect_fail "hearth/vol0: wwn=$wwn: block/vol0 has this unit serial number; delete that LUN first" \
	targetcli /backstores/hearth create name=vol0 dev=/dev/vdc cache=64M "wwn=$wwn"
targetcli /loopback delete $loopback_wwn >/dev/null
targetcli /backstores/block delete vol0 >/dev/null

create_vol0 "wwn=$wwn" >/dev/null
attach_saved hearth/vol0
identity >after
diff before after || fail 'the initiator sees another disk'
cmp -n $((4 << 20)) pattern "$disk" || fail 'the data differs'
