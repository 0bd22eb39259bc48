#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The mode changes under verified I/O; who was told that there is no write cache gets none.
# topology: 2n
# limit: 300

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

modprobe brd rd_nr=1 rd_size=65536 max_part=0
defer modprobe -r brd
set_mode() {
	echo "$1" >$core/hearth_0/vol0/attrib/mode
}

# A device without a volatile cache: initiators read WCE=0 once.
make_lun vol0 dev=/dev/ram0,cache=16M
attach_lun hearth_0/vol0
equal 'write cache' "$(<"/sys/block/${disk##*/}/queue/write_cache")" 'write through'
expect_fail 'mode=writeback: initiators were told that there is no write cache; unexport the LUN first' \
	set_mode writeback
equal 'mode after a refusal' "$(</sys/class/hearth/vol0/mode)" writethrough
undo_now detach_lun
set_mode writeback
attach_lun hearth_0/vol0
equal 'write cache' "$(<"/sys/block/${disk##*/}/queue/write_cache")" 'write back'
hold_back vol0

fio "${fio_options[@]}" --filename="$disk" --rw=randwrite --do_verify=1 --bsrange=512-64k --size=48m --iodepth=16 \
	--loops=2 >fio.log 2>&1 &
load=$!
changes=0
while kill -0 $load 2>/dev/null; do
	for mode in writethrough writeback writearound writeback; do
		set_mode $mode
		changes=$((changes + 1))
	done
done
wait $load || {
	tail -n 20 fio.log
	fail 'fio failed'
}
echo "$changes changes of mode"
[ $changes -ge 4 ] || fail 'the mode was not changed under the load'
set_mode writethrough
equal 'dirty bytes when write-back was left' "$(dirty vol0)" 0
same_bytes "$disk" /dev/ram0 0 48
