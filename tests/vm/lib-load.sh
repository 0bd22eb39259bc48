# SPDX-License-Identifier: GPL-2.0-or-later
#
# Guest test helpers: verified I/O that goes on for as long as a test disturbs it.
# shellcheck shell=bash
# shellcheck disable=SC2154 # $fio_options: lib.sh sets it

declare -A loads

# load_start DISK OPTION...: writes, reads back and compares, again and again, until load_stop.
load_start() {
	local name=${1##*/}
	rm -f "$name.enough"
	echo 0 >"$name.runs"
	load_loop "$name" "$@" >"$name.log" 2>&1 &
	loads[$1]=$!
	defer load_kill "$1"
	load_moves "$1"
}

load_loop() {
	local name=$1 disk=$2 runs=0
	trap - EXIT
	until [ -e "$name.enough" ]; do
		runs=$((runs + 1))
		fio "${fio_options[@]}" --filename="$disk" --rw=randwrite --do_verify=1 --randseed=$runs "${@:3}" || exit
		echo $runs >"$name.runs"
	done
}

# load_moves DISK: wait until it has come further.
load_moves() {
	local before
	before=$(load_done "$1")
	wait_for 120 load_is_past "$1" $((before + 40)) || fail "$1: the load does not move"
	kill -0 "${loads[$1]}" 2>/dev/null || load_stop "$1"
}

# load_done DISK: commands that have come to an end.
load_done() {
	awk '{ print $1 + $5 }' "/sys/block/${1##*/}/stat"
}

load_is_past() {
	[ "$(load_done "$1")" -ge "$2" ] || ! kill -0 "${loads[$1]}" 2>/dev/null
}

# load_stop DISK: it must have found nothing wrong; says how often it came to its end.
load_stop() {
	local name=${1##*/} verdict=0
	touch "$name.enough"
	wait "${loads[$1]}" || verdict=$?
	undo_now load_kill "$1"
	[ $verdict -eq 0 ] || {
		grep -v '^3;' "$name.log" | tail -n 20
		fail "$1: the load has failed"
	}
	echo "$1: $(<"$name.runs") verified runs"
}

load_kill() {
	local pid=${loads[$1]}
	touch "${1##*/}.enough"
	pkill -P "$pid" 2>/dev/null || :
	wait "$pid" 2>/dev/null || :
}
