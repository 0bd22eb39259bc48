#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A peer that is killed is told of, and a receiver that stands still uses up no receives.
# topology: 2n
# needs: userspace
# limit: 400

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-rdma.sh"

start_mover
make_rail
head -c 16M /dev/urandom >file
make_victim

# The far end stands still: the sender waits, and no receive was missing.
counters=/sys/class/infiniband/rail0/ports/1/hw_counters
rnr=$(cat $counters/{send_rnr_err,rcvd_rnr_err,retry_rnr_exceeded_err})
begin file "x:$PWD/slow"
wait_for 60 has_bytes "$PWD/slow" 1000000 || fail 'nothing was stored'
kill -STOP "$(<victim.pid)"
wait_for 60 rail_is_at_rest 0 || fail 'the sender does not wait'
kill -CONT "$(<victim.pid)"
wait $copy || fail "the copy failed: $(cat err)"
cmp file slow
equal 'receives that were missing' "$(cat $counters/{send_rnr_err,rcvd_rnr_err,retry_rnr_exceeded_err})" "$rnr"

# The far end is killed: one line, and the same command continues.
begin file "x:$PWD/killed"
wait_for 60 has_stored "$PWD/killed" 2000000 || fail 'nothing was stored'
kill -9 "$(<victim.pid)"
status=0
wait $copy || status=$?
equal 'exit status' $status 5
says 'run the same command again to continue'
expect 0 hcp -t --json --transport=rdma file "x:$PWD/killed"
cmp file killed
[ "$(summary 's["bytes_moved"]')" -lt 16777216 ] || fail 'all of it was sent again'
