#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two rails carry the same; one that is cut leaves its blocks to the other, the last one to TCP; a slow receiver is waited for.
# topology: 2n
# needs: userspace
# limit: 400

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-rdma.sh"

start_mover
make_rail
make_rail
head -c 24M /dev/urandom >file

expect 0 hcp --json --transport=rdma --block-size=256K file x:"$PWD/balanced"
cmp file balanced
[ "$(summary 'len(s["rails"])')" = 2 ] || fail 'not two rails'
summary 's["rails"]'
[ "$(summary 'max(r["bytes"] for r in s["rails"]) <= 1.1 * min(r["bytes"] for r in s["rails"])')" = True ] ||
	fail 'the rails are not within 10 %'

# cut_during NAME OPTION... -- COMMAND...: runs the command in the middle of a copy.
cut_during() {
	local name=$1 options=() copy
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	start_hcp --json --no-progress --transport=rdma --bwlimit=4M --block-size=128K "${options[@]}" file "x:$PWD/$name" >out 2>err
	wait_for 60 has_bytes "$PWD/$name" 2000000 || fail "$name: nothing was stored"
	"$@"
	wait "$copy" || {
		cat out err
		fail "$name: the copy did not survive"
	}
	cmp file "$name"
}

# The device of one rail goes away.
remove() {
	rdma link delete "$1" &
}
for mode in read write; do
	cut_during removed-$mode --rdma-mode=$mode -- remove rail1
	grep -q 'rail1: .*the device was removed' out || fail 'nothing is said of the rail'
	[ "$(summary '[r["failed"] for r in s["rails"]]')" = '[False, True]' ] || fail 'the wrong rail has failed'
	wait
	rails=1
	ip link delete r1
	undo_now drop_rail rail1
	undo_now ip link delete r1 2>/dev/null || true
	make_rail
done

# Sealed blocks too, and all that is left is TCP.
cut_during both --seal=encrypt -- eval 'remove rail0; remove rail1'
grep -q 'no RDMA connection is left: data goes over TCP' out || fail 'nothing is said of TCP'
[ "$(summary '[r["failed"] for r in s["rails"]]')" = '[True, True]' ] || fail 'not both rails have failed'
wait
