# SPDX-License-Identifier: GPL-2.0-or-later
#
# Guest test helpers: the mover over Soft-RoCE. Both ends are in the guest; a rail is a device with an address.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # the tests use it; $HEARTH_BUILD is the harness's

programs=$HEARTH_BUILD/userspace
rails=0

# Only the rails that a test makes: what others left would be used as well.
start_mover() {
	local left
	[ -x "$programs/hearthcp" ] || fail 'build the programs first: make userspace'
	modprobe -a rdma_rxe rdma_ucm
	for left in /sys/class/infiniband/*; do
		[ ! -e "$left" ] || rdma link delete "${left##*/}"
	done
	cat >rsh <<-'END'
		#!/bin/sh
		shift
		SSH_CONNECTION="x x 127.0.0.1 x"
		export SSH_CONNECTION
		exec "$@"
	END
	chmod +x rsh
	far_program=$programs/hearthd
}

# make_victim: the far end's process is in victim.pid from here on, for signals
make_victim() {
	far_program=$PWD/victim
	cat >victim <<-END
		#!/bin/sh
		echo \$\$ >$PWD/victim.pid
		exec $programs/hearthd "\$@"
	END
	chmod +x victim
}

# begin WORD...: a copy that takes some seconds, as $copy
begin() {
	start_hcp -t --json --no-progress --transport=rdma --bwlimit=2M --block-size=128K "$@" >out 2>err
}

# make_rail: railN on rN, 10.21.N.1
make_rail() {
	local n=$rails
	ip link delete "r$n" 2>/dev/null || true # of a test that was killed
	ip link add "r$n" type veth peer name "s$n"
	defer ip link delete "r$n"
	ip addr add "10.21.$n.1/24" dev "r$n"
	ip link set "r$n" up
	ip link set "s$n" up
	rdma link add "rail$n" type rxe netdev "r$n"
	defer drop_rail "rail$n"
	wait_for 20 rail_is_active "$n" || fail "rail$n: does not become active"
	rails=$((rails + 1))
}

rail_is_active() {
	grep -q ACTIVE "/sys/class/infiniband/rail$1/ports/1/state"
}

# rail_is_at_rest N: for a second nothing went over it but that somebody asks now and then whether anybody is there; to be asked
# until it says so.
declare -A rail_seen
rail_is_at_rest() {
	local sent now before since
	sent=$(<"/sys/class/infiniband/rail$1/ports/1/hw_counters/sent_pkts")
	now=${EPOCHREALTIME/./}
	read -r before since <<<"${rail_seen[$1]:-0 0}"
	if [ "$since" -gt 0 ] && [ $((now - since)) -lt 1000000 ]; then
		return 1
	fi
	rail_seen[$1]="$sent $now"
	[ "$since" -gt 0 ] && [ $((sent - before)) -lt 50 ] || return 1
	unset "rail_seen[$1]"
}

drop_rail() {
	[ ! -e "/sys/class/infiniband/$1" ] || rdma link delete "$1"
}

# hcp OPTION...: with a stand-in for ssh that starts the far end right here.
hcp() {
	"$programs/hearthcp" -e "$PWD/rsh" --hearthd-path="$far_program" "$@"
}

# start_hcp OPTION...: in the background. Sets $copy, its process ("hcp ... &" would be a shell that waits for it).
start_hcp() {
	"$programs/hearthcp" -e "$PWD/rsh" --hearthd-path="$far_program" "$@" &
	# shellcheck disable=SC2034 # the tests use it
	copy=$!
}

# expect STATUS COMMAND...: output goes to ./out and ./err.
expect() {
	local wanted=$1 status=0
	shift
	"$@" >out 2>err || status=$?
	[ "$status" = "$wanted" ] || {
		cat out err
		fail "exit status $status instead of $wanted: $*"
	}
}

says() {
	grep -Eq -- "$1" err || {
		cat err
		fail "standard error does not say: $1"
	}
}

# summary EXPRESSION: of the summary s that --json put into ./out
summary() {
	python3 -c 'import json, sys
for line in open("out"):
    s = json.loads(line)
    if s["event"] == "summary":
        print(eval(sys.argv[1]))' "$1"
}

# has_bytes FILE N: a file, or what is there of it so far, has N bytes on the disk.
has_bytes() {
	local file
	for file in "$1" "${1%/*}/.${1##*/}.hearth"; do
		[ ! -e "$file" ] || [ $(($(stat -c %b "$file") * 512)) -lt "$2" ] || return 0
	done
	return 1
}

# has_stored FILE N: N bytes, and its journal knows of some of them, so that the next run need not send these.
has_stored() {
	has_bytes "$@" && [ "$(stat -c %s "${1%/*}/.${1##*/}.hearth-journal" 2>/dev/null || echo 0)" -gt 240 ]
}

same_tree() {
	rsync -aHAcin --delete "$1/" "$2/" >differences
	[ ! -s differences ] || {
		cat differences
		fail "these differ: $1 $2"
	}
}

# make_far_rails RTT_MS MBIT LOSS: two rails, 10.31.0.1 on far0 and 10.31.0.2 on far1, at the ends of one wire of this length
# and rate. Both are this guest's own, so what goes from one to the other is kept from being local; and one CPU takes what comes
# out of an end, else packets would overtake each other.
make_far_rails() {
	local n queue=$((2 * $2 * ($1 < 20 ? 20 : $1) * 125 / 1500))
	modprobe sch_netem
	ip link add f0 type veth peer name f1
	defer ip link delete f0
	for n in 0 1; do
		sysctl -qw "net.ipv4.conf.f$n.accept_local=1" "net.ipv4.conf.f$n.rp_filter=0" "net.ipv4.conf.f$n.arp_ignore=1"
		ip addr add "10.31.0.$((n + 1))/24" dev "f$n"
		ip link set "f$n" up
		echo $((1 << n)) >"/sys/class/net/f$n/queues/rx-0/rps_cpus"
		ip route add "10.31.0.$((2 - n))" dev "f$n" src "10.31.0.$((n + 1))" table 31
		ip rule add pref $((n + 1)) iif "f$n" lookup local
		defer ip rule del pref $((n + 1))
		tc qdisc add dev "f$n" root netem delay "$(($1 * 500))us" rate "$2mbit" limit $((queue < 1000 ? 1000 : queue)) loss "$3%"
	done
	sysctl -qw net.ipv4.conf.all.rp_filter=0
	ip rule add pref 3 lookup 31
	defer ip rule del pref 3
	ip rule add pref 10 lookup local
	ip rule del pref 0
	defer eval 'ip rule add pref 0 lookup local; ip rule del pref 10'
	for n in 0 1; do
		rdma link add "far$n" type rxe netdev "f$n"
		defer drop_rail "far$n"
		wait_for 20 grep -q ACTIVE "/sys/class/infiniband/far$n/ports/1/state" || fail "far$n: does not become active"
	done
}
