#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 64 sessions log in to one LUN at once, each has a disk that reads what the others wrote, and all log out; twice.
# topology: 2n
# limit: 600
# allow-log: iSCSI|iscsi|connection|session

. "$HEARTH_TESTS/lib.sh"

sessions=64

# disks: of all sessions, one a line
disks() {
	local path
	for path in /sys/class/iscsi_session/session*/device/target*/*:0/block/*; do
		[ ! -b "/dev/${path##*/}" ] || echo "/dev/${path##*/}"
	done
}

all_there() {
	[ "$(disks | wc -l)" -eq $sessions ]
}

all_gone() {
	! compgen -G '/sys/class/iscsi_session/session*' >/dev/null
}

make_lun vol0 dev=/dev/vdb,cache=16M
export_luns hearth_0/vol0
for round in 1 2; do
	login tcp node.session.nr_sessions=$sessions
	wait_for 120 all_there || fail "round $round: $(disks | wc -l) disks of $sessions"
	mapfile -t all < <(disks)
	# each writes a block of its own, all at once, and reads its neighbour's
	for i in "${!all[@]}"; do
		printf '%4096s' "$round.$i" >"own.$i"
		dd if="own.$i" of="${all[$i]}" bs=4k seek="$i" oflag=direct status=none &
	done
	wait
	for i in "${!all[@]}"; do
		next=$(((i + 1) % sessions))
		cmp "own.$next" <(dd if="${all[$i]}" bs=4k skip=$next count=1 iflag=direct status=none) ||
			fail "round $round: session $i reads something else than session $next wrote"
	done
	undo_now logout tcp
	wait_for 60 all_gone || fail "round $round: sessions stay"
done
