#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ibv_reg_mr() takes a LUN's mapping (Soft-RoCE): what RDMA writes there initiators read, and the other way round, also when
# mapping and file are gone; the LUN stays until the memory region has gone.
# topology: 2n
# needs: tests/vm/programs

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=32M
attach_lun hearth_0/vol0
start_rxe
modprobe ib_uverbs
wait_for 10 test -c /dev/hearth/vol0
wait_for 10 test -e /dev/infiniband/uverbs0

mkfifo word
ulimit -l unlimited
"$HEARTH_BUILD/vm/rdma-map" rxe0 /dev/hearth/vol0 $((5 << 20)) 2 <word >said 2>&1 &
mapper=$!
exec 5>word
alive() {
	grep -q alive said || ! kill -0 $mapper
}
wait_for 60 alive
grep -q alive said || fail "rdma-map: $(<said)"
python3 -c 'import sys; sys.stdout.buffer.write(bytes((i * 7 + i // 4096) & 255 for i in range(2 << 20)))' >pattern
cmp pattern <(dd if="$disk" bs=1M skip=5 count=2 iflag=direct status=none) || fail 'what RDMA wrote is not what the initiator reads'
undo_now detach_lun
delete() {
	rmdir $core/hearth_0/vol0
}
echo 1 >/sys/class/hearth/vol0/flush
cmp pattern <(dd if=/dev/vdb bs=1M skip=5 count=2 iflag=direct status=none) || fail 'what RDMA wrote is not on the device after a flush'
# the mapping and the file are gone; a flush looks who still has something
echo 1 >/sys/class/hearth/vol0/flush
echo 1 >/sys/class/hearth/vol0/drop
expect_fail 'busy' delete
expect_fail 'in use' modprobe -r target_core_hearth
head -c 512 /dev/zero | tr '\0' '\253' | dd of=/dev/hearth/vol0 bs=512 seek=$((5 << 11)) conv=notrunc status=none
echo >&5
exec 5>&-
wait $mapper || fail "rdma-map: $(<said)"
equal 'what RDMA reads after a write' "$(tail -n 1 said)" ab
gone() {
	echo 1 >/sys/class/hearth/vol0/flush && delete 2>/dev/null
}
wait_for 30 gone || fail 'the LUN cannot be deleted although the memory region is gone'
mkdir $core/hearth_0/vol0
