#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A wire goes dead without a word, and blocks go over TCP. Once in some fifteen runs the copy does not end, and nobody knows
# why yet: so this is not among the tests of "make check". tests/vm/run tests/vm/rare/rdma-dead-wire.sh
# topology: 2n
# needs: userspace
# limit: 200

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-rdma.sh"

start_mover
make_rail
head -c 16M /dev/urandom >file
begin() {
	hcp -t --json --no-progress --transport=rdma --bwlimit=4M --block-size=128K "$@" >out 2>err &
	copy=$!
}

# The wire goes dead without a word: after the retries blocks go over TCP.
begin file "x:$PWD/silent"
wait_for 60 has_bytes "$PWD/silent" 1000000 || fail 'nothing was stored'
ip addr del 10.21.0.1/24 dev r0
ip link set r0 down
wait $copy || fail "the copy failed: $(cat out err)"
cmp file silent
[ "$(summary 's["rails"][0]["failed"]')" = True ] || fail 'the rail did not fail'
# The kernel takes back what it was about to say over it.
ip link set r0 up
