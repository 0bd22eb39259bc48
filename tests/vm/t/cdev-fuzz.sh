#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever is done to a LUN's node, in whatever order, by several threads at once, it stays within its range, each mistake has an errno that
# uapi/hearth.h names, and in the end nothing of it is left but what the device holds as well; beside an initiator's verified
# load, in every mode.
# topology: 2n
# limit: 300
# needs: tests/vm/programs

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

dd if=/dev/urandom of=/dev/vdb bs=1M count=32 oflag=direct status=none
make_dm d0 "0 $((64 * 2048)) linear /dev/vdb 0"
make_lun vol0 dev=/dev/mapper/d0,cache=12M
attach_lun hearth_0/vol0
wait_for 10 test -c /dev/hearth/vol0
steps=${CDEV_FUZZ_STEPS:-800}
seed=${CDEV_FUZZ_SEED:-1}
echo "steps $steps, seed $seed"

is_settled() {
	echo 1 >/sys/class/hearth/vol0/flush
	is_clean vol0
}
outside() {
	dd if="$disk" bs=1M iflag=direct count=8 status=none
	dd if="$disk" bs=1M iflag=direct skip=12 count=4 status=none
}
before=$(outside | md5sum)
for mode in writeback writethrough writearound; do
	echo $mode >$core/hearth_0/vol0/attrib/mode
	fio "${fio_options[@]}" --filename="$disk" --offset=32m --size=2m --bsrange=512-64k --iodepth=4 --rw=randwrite --do_verify=1 \
		>fio.log 2>&1 &
	load=$!
	said=$("$HEARTH_BUILD/vm/cdev-fuzz" /dev/hearth/vol0 $((8 << 20)) $((4 << 20)) "$steps" "$seed" 2>&1) || fail "$mode: $said"
	echo "$mode: $said"
	wait $load || fail "fio on the disk: $(tail -n 5 fio.log)"
	wait_for 60 is_settled || fail "$mode: it stays dirty, or mapped"
	equal "$mode: mapped in the end" "$(PYTHONPATH=$HEARTH_TESTS python3 -c "
from hearthdev import *
print(Lun('vol0').info()['mapped_bytes'])")" 0
	equal "$mode: what lies outside" "$(outside | md5sum)" "$before"
	echo 1 >/sys/class/hearth/vol0/drop
	same_bytes "$disk" /dev/vdb 0 36
	seed=$((seed + 1))
done
