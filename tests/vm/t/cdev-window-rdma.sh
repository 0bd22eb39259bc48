#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What RDMA puts into a prepared window (Soft-RoCE) is nobody's business until it is committed; then initiators read it, the memory
# region goes on being the LUN's memory, and when it has gone all of it is on the device.
# topology: 2n
# needs: tests/vm/programs

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

dd if=/dev/urandom of=/dev/vdb bs=1M count=16 oflag=direct status=none
make_lun vol0 dev=/dev/vdb,cache=32M,mode=writeback,home=stripe
attach_lun hearth_0/vol0
start_rxe
modprobe ib_uverbs
wait_for 10 test -c /dev/hearth/vol0
wait_for 10 test -e /dev/infiniband/uverbs0
ulimit -l unlimited

python3 -c 'import sys
data = bytes((i * 7 + i // 4096) & 255 for i in range(2 << 20))
open("pattern", "wb").write(data)
open("complement", "wb").write(bytes(255 - byte for byte in data))'

# says WORD: the program has come so far
says() {
	wait_for 60 has_said "$1" || true
	grep -q "^$1" said || fail "$1: rdma-window: $(<said)"
}

has_said() {
	grep -q "^$1" said || ! kill -0 "$window" 2>/dev/null
}

initiator_reads() {
	cmp "$1" <(dd if="$disk" bs=1M skip=5 count=2 iflag=direct status=none) || fail "$2"
}

for mode in writeback writethrough writearound; do
	echo $mode >$core/hearth_0/vol0/attrib/mode
	dd if="$disk" of=before bs=1M skip=5 count=2 iflag=direct status=none
	rm -f word
	mkfifo word
	"$HEARTH_BUILD/vm/rdma-window" land rxe0 /dev/hearth/vol0 $((5 << 20)) 2 <word >said 2>&1 &
	window=$!
	exec 5>word
	says landed
	initiator_reads before "$mode: an initiator reads what was not committed"
	echo >&5
	says committed
	initiator_reads pattern "$mode: an initiator does not read what was committed"
	[ $mode = writeback ] || cmp pattern <(dd if=/dev/vdb bs=1M skip=5 count=2 iflag=direct status=none) ||
		fail "$mode: what was committed is not on the device"
	echo >&5
	says again
	initiator_reads complement "$mode: an initiator does not read what RDMA wrote after the commit"
	head -c 65536 pattern | dd of="$disk" bs=64k seek=80 oflag=direct conv=notrunc status=none
	echo >&5
	says gone
	(head -c 65536 pattern && tail -c +65537 complement) >now
	initiator_reads now "$mode: not what was there last"
	echo >&5
	exec 5>&-
	wait $window || fail "$mode: rdma-window: $(<said)"
	is_written() {
		echo 1 >/sys/class/hearth/vol0/flush
		is_clean vol0
	}
	wait_for 30 is_written || fail "$mode: it stays dirty"
	cmp now <(dd if=/dev/vdb bs=1M skip=5 count=2 iflag=direct status=none) || fail "$mode: not on the device"
done
