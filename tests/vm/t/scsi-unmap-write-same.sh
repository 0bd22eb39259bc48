#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# UNMAP and WRITE SAME reach the device, and reads never see what was there before.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=16M
echo 1 >$core/hearth_0/vol0/attrib/emulate_tpu
echo 1 >$core/hearth_0/vol0/attrib/emulate_tpws
attach_lun hearth_0/vol0
zeroes=$(head -c 1M /dev/zero | md5sum | cut -d ' ' -f 1)
head -c 8M /dev/urandom >random
dd if=random of="$disk" bs=1M oflag=direct status=none
sum_of "$disk" 0 8 >/dev/null

sg_unmap --force --lba=2048 --num=2048 "$disk"
equal 'after UNMAP' "$(sum_of "$disk" 1 1)" "$zeroes"
same_bytes "$disk" /dev/vdb 0 8

sg_write_same --16 --unmap --lba=4096 --num=2048 --xferlen=512 "$disk"
equal 'after WRITE SAME with UNMAP' "$(sum_of "$disk" 2 1)" "$zeroes"
same_bytes "$disk" /dev/vdb 0 8

head -c 512 /dev/zero | tr '\0' x >block
sg_write_same --16 --in=block --lba=6144 --num=2048 --xferlen=512 "$disk"
equal 'after WRITE SAME' "$(sum_of "$disk" 3 1)" "$(head -c 1M /dev/zero | tr '\0' x | md5sum | cut -d ' ' -f 1)"
same_bytes "$disk" /dev/vdb 0 8

# Not a multiple of a frame: the neighbours survive.
before=$(dd if="$disk" bs=512 skip=8191 count=1 iflag=direct status=none | md5sum)
sg_write_same --16 --in=block --lba=8192 --num=3 --xferlen=512 "$disk"
equal 'block before' "$(dd if="$disk" bs=512 skip=8191 count=1 iflag=direct status=none | md5sum)" "$before"
equal 'block after' "$(dd if="$disk" bs=512 skip=8195 count=1 iflag=direct status=none | md5sum)" \
	"$(dd if=random bs=512 skip=8195 count=1 status=none | md5sum)"
same_bytes "$disk" /dev/vdb 0 8

# blkdiscard and zeroing as a filesystem does it.
blkdiscard --offset 5M --length 1M "$disk"
blkdiscard --zeroout --offset 6M --length 1M "$disk"
equal 'after blkdiscard' "$(sum_of "$disk" 5 1)" "$zeroes"
equal 'after zeroing' "$(sum_of "$disk" 6 1)" "$zeroes"
same_bytes "$disk" /dev/vdb 0 8

expect_fail 'out of range|Illegal request' sg_unmap --force --lba="$(blockdev --getsz "$disk")" --num=8 "$disk"
