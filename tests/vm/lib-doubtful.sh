# SPDX-License-Identifier: GPL-2.0-or-later
#
# Guest test helpers: I/O that may fail, but may not be wrong, for as long as a test disturbs it. See doubtful.py.
# shellcheck shell=bash

declare -A doubtful

# doubtful_start NAME DISK FIRST-MIB MIB [SEED]: from now on; it may fail from the moment this returns.
doubtful_start() {
	rm -f "$1.json"
	python3 "$HEARTH_TESTS/doubtful.py" "$2" "$3" "$4" "${5:-1}" "$1.json" >"$1.said" 2>&1 &
	doubtful[$1]=$!
	defer doubtful_kill "$1"
	wait_for 120 doubtful_has "$1" writes 1 || fail "$1: does not begin: $(<"$1.said")"
}

# doubtful_count NAME WHAT: how much of it is done: writes, reads, failed, ...
doubtful_count() {
	local count=0
	[ ! -e "$1.json" ] || [[ ! $(<"$1.json") =~ \"$2\":\ ([0-9]+) ]] || count=${BASH_REMATCH[1]}
	echo "$count"
}

doubtful_has() {
	doubtful_lives "$1" || fail "$1: $(<"$1.said")"
	[ "$(doubtful_count "$1" "$2")" -ge "$3" ]
}

doubtful_lives() {
	kill -0 "${doubtful[$1]}" 2>/dev/null
}

# doubtful_moves NAME [N]: wait until it has done N more, well or not.
doubtful_moves() {
	local goal
	goal=$(($(doubtful_tried "$1") + ${2:-40}))
	wait_for 180 doubtful_is_past "$1" $goal || fail "$1: does not move"
}

doubtful_tried() {
	echo $(($(doubtful_count "$1" writes) + $(doubtful_count "$1" reads) + $(doubtful_count "$1" failed)))
}

doubtful_is_past() {
	doubtful_lives "$1" || fail "$1: $(<"$1.said")"
	[ "$(doubtful_tried "$1")" -ge "$2" ]
}

# doubtful_stop NAME: nothing fails any more; what it finds in the end must be right.
doubtful_stop() {
	local verdict=0
	kill "${doubtful[$1]}"
	wait "${doubtful[$1]}" || verdict=$?
	undo_now doubtful_kill "$1"
	[ $verdict -eq 0 ] || fail "$1: $(<"$1.said")"
	echo "$1: $(<"$1.json")"
}

doubtful_kill() {
	kill -KILL "${doubtful[$1]}" 2>/dev/null || :
	wait "${doubtful[$1]}" 2>/dev/null || :
}
