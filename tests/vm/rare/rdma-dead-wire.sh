#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A wire goes dead without a word: that is noticed, and blocks go over TCP. It once did not end in one run of some fifteen; until
# many runs in a row have shown that it does, it is not among the tests of "make check":
# tests/vm/run tests/vm/rare/rdma-dead-wire.sh
# topology: 2n
# needs: userspace
# limit: 400

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-rdma.sh"

start_mover
make_rail
head -c 16M /dev/urandom >file
far_program=$PWD/victim
cat >victim <<END
#!/bin/sh
echo \$\$ >$PWD/victim.pid
exec $programs/hearthd "\$@"
END
chmod +x victim

begin() {
	start_hcp -t --json --no-progress --transport=rdma --bwlimit=2M --block-size=128K "$@" >out 2>err
}

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
	# The kernel takes back what it was about to say over it.
	ip link set r0 up
	ip addr add 10.21.0.1/24 dev r0
	wait_for 20 rail_is_active 0 || fail 'the port stays down'
done
