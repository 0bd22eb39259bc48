#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A read-only device needs readonly=1; its LUN can be read, and refuses writes.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"

dd if=/dev/urandom of=/dev/vdb bs=1M count=4 oflag=direct status=none
sum=$(head -c 4M /dev/vdb | sha256sum)
blockdev --setro /dev/vdb
defer blockdev --setrw /dev/vdb
refuse_lun 'refused: .*/dev/vdb.*(readonly=1|read-only)' dev=/dev/vdb,cache=16M

make_lun vol0 dev=/dev/vdb,cache=16M,readonly=1
attach_lun hearth_0/vol0
equal 'what is read' "$(dd if="$disk" bs=1M count=4 iflag=direct status=none | sha256sum)" "$sum"
equal 'read-only flag of the disk' "$(blockdev --getro "$disk")" 1

# The generic device lets a write command through to the LUN, whatever the disk's flag says.
modprobe sg
generic=$(echo "/sys/block/${disk##*/}"/device/scsi_generic/sg*)
write_block() {
	sg_write_same --10 --lba=0 --num=1 --xferlen=512 "/dev/${generic##*/}"
}
wait_for 10 test -c "/dev/${generic##*/}"
expect_fail '[Pp]rotect' write_block
equal 'what is on the device' "$(head -c 4M /dev/vdb | sha256sum)" "$sum"
