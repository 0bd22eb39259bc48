#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A device that cannot be used is refused with its name and the reason: missing, in use, mounted, too small, read-only.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"

refuse_lun 'refused: .*/dev/nonesuch' dev=/dev/nonesuch,cache=16M
refuse_lun 'refused: .*/dev/zero' dev=/dev/zero,cache=16M

mkfs.ext4 -q -F /dev/vda
mkdir mnt
mount /dev/vda mnt
defer umount "$PWD/mnt"
refuse_lun 'refused: .*/dev/vda.*(use|mounted)' dev=/dev/vda,cache=16M
undo_now umount "$PWD/mnt"

make_dm holder "0 8192 linear /dev/vdc 0"
refuse_lun 'refused: .*/dev/vdc.*use' dev=/dev/vdc,cache=16M
undo_now dmsetup remove --retry holder

make_lun vol0 dev=/dev/vdb,cache=16M
refuse_lun 'refused: .*/dev/vdb.*use' dev=/dev/vdb,cache=16M

modprobe loop
truncate -s 0 empty
loop=$(losetup --find --show empty)
defer losetup --detach "$loop"
refuse_lun "refused: .*$loop.*(small|block)" "dev=$loop,cache=16M"
