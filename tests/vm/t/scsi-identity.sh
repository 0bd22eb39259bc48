#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Capacity and the VPD pages say what the device is: sizes, limits, provisioning, rotation.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=16M
echo 1 >$core/hearth_0/vol0/attrib/emulate_tpu
echo 01234567-89ab-cdef-0123-456789abcdef >$core/hearth_0/vol0/wwn/vpd_unit_serial
attach_lun hearth_0/vol0

says() {
	local regex=$1 said
	shift
	said=$("$@" 2>&1) || fail "$*: failed: $said"
	grep -Eq -- "$regex" <<<"$said" || fail "$*: should say '$regex', said: $said"
}

blocks=$(blockdev --getsz /dev/vdb)
says "Last LBA=$((blocks - 1)) " sg_readcap --16 "$disk"
says 'block length=512 ' sg_readcap --16 "$disk"
says 'Product identification: HEARTH' sg_inq "$disk"
says 'Vendor identification: LIO-ORG' sg_inq "$disk"
says '6001405012345678' sg_vpd --page=di "$disk"

# The virtio disk can discard: so can the LUN.
says 'lbpme=1' sg_readcap --16 "$disk"
says 'Unmap command supported \(LBPU\): 1' sg_vpd --page=lbpv "$disk"
says 'Maximum unmap LBA count: [1-9-]' sg_vpd --page=bl "$disk"
says 'Maximum compare and write length: [1-9]' sg_vpd --page=bl "$disk"
equal rotational "$(<"/sys/block/${disk##*/}/queue/rotational")" "$(</sys/block/vdb/queue/rotational)"
if [ "$(</sys/block/vdb/queue/rotational)" = 0 ]; then
	says 'Non-rotating medium' sg_vpd --page=bdc "$disk"
fi

# What the initiator's kernel makes of it.
lbs=$(</sys/block/vdb/queue/logical_block_size)
equal 'logical block size' "$(<"/sys/block/${disk##*/}/queue/logical_block_size")" "$lbs"
equal 'physical block size' "$(<"/sys/block/${disk##*/}/queue/physical_block_size")" \
	"$(</sys/block/vdb/queue/physical_block_size)"
# A write cache is announced if the device has one that can lose data.
equal 'write cache' "$(<"/sys/block/${disk##*/}/queue/write_cache")" "$(</sys/block/vdb/queue/write_cache)"
