#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A wire goes dead without a word: that is noticed, and blocks go over TCP.
# topology: 2n
# needs: userspace
# limit: 400

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-rdma.sh"

start_mover
head -c 16M /dev/urandom >file
make_victim

# The wire goes dead, also while the far end stands still and can say nothing of it.
go_dead() {
	start=${EPOCHREALTIME/./}
	ip addr del 10.21.0.1/24 dev r0
	ip link set r0 down
}
stand_still_and_go_dead() {
	kill -STOP "$(<victim.pid)"
	wait_for 60 rail_is_at_rest 0 || fail 'the sender does not wait'
	go_dead
	kill -CONT "$(<victim.pid)"
}
for cut in go_dead stand_still_and_go_dead; do
	make_rail
	begin file "x:$PWD/$cut"
	wait_for 60 has_bytes "$PWD/$cut" 1000000 || fail "$cut: nothing was stored: $(cat out err)"
	$cut
	wait_for 30 grep -q 'no RDMA connection is left: data goes over TCP' out || fail "$cut: nobody has noticed: $(cat out err)"
	echo "$cut: noticed after $(((${EPOCHREALTIME/./} - start) / 1000)) ms"
	# Less than five seconds of the clock, if the guest gets all of its time.
	[ $((${EPOCHREALTIME/./} - start)) -lt 20000000 ] || fail 'that took too long'
	wait $copy || fail "$cut: the copy failed: $(cat out err)"
	cmp file $cut
	[ "$(summary 's["rails"][0]["failed"]')" = True ] || fail 'the rail did not fail'
	# What the cut has left of it: its connection manager's own queue pair may have failed for good.
	undo_now drop_rail rail0
	undo_now ip link delete r0
	rails=0
done
