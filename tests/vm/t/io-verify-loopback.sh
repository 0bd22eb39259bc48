#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is written is what is read, over the loopback fabric, in each mode, and it is on the device as well.
# topology: 2n
# limit: 240

. "$HEARTH_TESTS/lib.sh"

for mode in writethrough writearound; do
	make_lun vol0 dev=/dev/vdb,cache=16M,mode=$mode,home=stripe,stripe=64k
	attach_lun hearth_0/vol0
	fio_verify "$disk" --size=24m --numjobs=2 --offset_increment=24m --iodepth=16 \
		--bsrange=512-256k --blockalign=512
	same_bytes "$disk" /dev/vdb 0 48
	undo_now detach_lun
	remove_lun vol0
done
