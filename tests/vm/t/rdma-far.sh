#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Over a long path blocks are written, in longer pieces, over more queue pairs, and out of more memory where it holds more; how
# many are under way follows the path. Where a wire is slow, no more is read at once than it has room for.
# topology: 2n
# needs: userspace
# limit: 300

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-rdma.sh"

start_mover
make_far_rails 60 50 0
busybox ping -c 3 -q 10.31.0.2 >trip || fail 'the wire does not carry anything'
[ "$(sed -n 's,^round-trip [^=]*= *\([0-9]*\).*,\1,p' trip)" -ge 60 ] || fail "the wire is not long: $(<trip)"
head -c 6M /dev/urandom >file

# The device says that it is faster than it is: the path could hold more than a pool has to begin with.
expect 0 hcp --json --transport=rdma file x:"$PWD/pushed"
cmp file pushed
summary 's'
equal 'mode of a long path' "$(summary 's["rdma_mode"]')" write
equal 'queue pairs' "$(summary 's["queue_pairs"]')" 16
equal rails "$(summary 'sorted(r["device"] for r in s["rails"])')" "['far0', 'far1']"
[ "$(summary 's["rtt_us"] >= 60000')" = True ] || fail 'that round trip was not measured'

expect 0 hcp --json --transport=rdma x:"$PWD/file" pulled
cmp file pulled
summary '(s["rdma_mode"], s["rdma_depth"], s["path"])'

# Where it is slow a few blocks fill it, though a device would take many.
[ "$(summary 's["rdma_depth"] <= 8')" = True ] || fail 'more is under way than the path has use for'

# Losses are made up for, and READ is as good as what was asked for.
for f in f0 f1; do
	tc qdisc change dev $f root netem delay 30ms rate 50mbit limit 1000 loss 0.1%
done
expect 0 hcp --json --transport=rdma --seal=encrypt file x:"$PWD/lossy"
cmp file lossy
expect 0 hcp --json --transport=rdma --rdma-mode=read file x:"$PWD/read"
cmp file read
equal 'queue pairs that are read over' "$(summary 's["queue_pairs"]')" 4

# Nor is more read at once than a wire has room for that is slower than the devices say, though it is short.
for f in f0 f1; do
	tc qdisc change dev $f root netem delay 0ms rate 50mbit limit 1000 loss 0%
done
head -c 24M /dev/urandom >large
expect 0 hcp --json --transport=rdma large x:"$PWD/slowly"
cmp large slowly
equal 'mode of a short path' "$(summary 's["rdma_mode"]')" read
equal 'rails that failed' "$(summary '[r["device"] for r in s["rails"] if r["failed"]]')" '[]'
