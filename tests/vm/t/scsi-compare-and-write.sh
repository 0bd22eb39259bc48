#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# COMPARE AND WRITE writes if the data compares, tells where it does not, and serialises its users.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=16M
attach_lun hearth_0/vol0
head -c 512 /dev/urandom >old
head -c 512 /dev/urandom >new
cat old new >pair
dd if=old of="$disk" bs=512 seek=100 oflag=direct status=none

caw() {
	sg_compare_and_write --in=pair --lba=100 --num=1 --xferlen=1024 "$disk"
}
caw
cmp new <(dd if="$disk" bs=512 skip=100 count=1 iflag=direct status=none) || fail 'not written'
cmp new <(dd if=/dev/vdb bs=512 skip=100 count=1 iflag=direct status=none) || fail 'not on the device'
expect_fail '[Mm]iscompare' caw
cmp new <(dd if="$disk" bs=512 skip=100 count=1 iflag=direct status=none) || fail 'written in spite of a miscompare'
