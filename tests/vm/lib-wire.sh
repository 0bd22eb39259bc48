# SPDX-License-Identifier: GPL-2.0-or-later
#
# Guest test helpers: initiator and target in one guest, yet with a wire between them that can be bad, or cut.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # $address is lib-fabric.sh's, $tpg comes from there
#
# The addresses of both ends are this machine's, and what goes to such an
# address never leaves a machine: so the table of local addresses is asked last,
# after one that sends each end's packets through the other's device. Soft-RoCE sits on
# both ends, since it takes a short cut between queue pairs of one device.

wire_rules=(
	"pref 10 iif w0 lookup local"
	"pref 11 iif w1 lookup local"
	"pref 12 lookup 100"
	"pref 100 lookup local"
)

# wire_start [iser]: the target is 10.9.1.1 from now on, the initiator 10.9.1.2.
wire_start() {
	local end rule
	ip link add w0 type veth peer name w1
	defer ip link del w0
	ip addr add 10.9.1.1/32 dev w0
	ip addr add 10.9.1.2/32 dev w1
	for end in w0 w1; do
		sysctl -q "net.ipv4.conf.$end.accept_local=1" "net.ipv4.conf.$end.rp_filter=0"
		# what goes over the wire are packets, not what they were cut from
		ip link set $end gso_max_segs 1 up
	done
	wire_connect
	for rule in "${wire_rules[@]}"; do
		# shellcheck disable=SC2086 # words
		ip rule add $rule
	done
	ip rule del pref 0
	defer wire_forget
	address=10.9.1.1
	[ "${1:-}" != iser ] || wire_rxe
}

# Routes and neighbours, which go when the link does.
wire_connect() {
	ip route replace 10.9.1.1 dev w1 src 10.9.1.2 table 100
	ip route replace 10.9.1.2 dev w0 src 10.9.1.1 table 100
	ip neigh replace 10.9.1.1 lladdr "$(</sys/class/net/w0/address)" dev w1 nud permanent
	ip neigh replace 10.9.1.2 lladdr "$(</sys/class/net/w1/address)" dev w0 nud permanent
}

wire_forget() {
	local rule
	ip rule add pref 0 lookup local
	for rule in "${wire_rules[@]}"; do
		# shellcheck disable=SC2086 # words
		ip rule del $rule
	done
}

wire_rxe() {
	modprobe -a rdma_rxe ib_iser ib_isert
	# A target would listen there, whatever its address; start_rxe makes it again.
	[ ! -e /sys/class/infiniband/rxe0 ] || rdma link delete rxe0
	rdma link add rxe1 type rxe netdev w0
	defer rdma link delete rxe1
	rdma link add rxe2 type rxe netdev w1
	defer rdma link delete rxe2
	wait_for 20 wire_rxe_is_active || fail 'rxe1, rxe2: do not become active'
}

wire_rxe_is_active() {
	grep -q ACTIVE /sys/class/infiniband/rxe1/ports/1/state && grep -q ACTIVE /sys/class/infiniband/rxe2/ports/1/state
}

# wire_is OPTION...: what netem does to the packets of both directions.
wire_is() {
	local end
	modprobe sch_netem
	for end in w0 w1; do
		tc qdisc replace dev $end root netem limit 10000 "$@"
	done
}

wire_is_good() {
	tc qdisc del dev w0 root
	tc qdisc del dev w1 root
}

# How many packets netem has lost.
wire_lost() {
	tc -s qdisc show | sed -n 's/.*(dropped \([0-9]*\),.*/\1/p' | awk '{ sum += $1 } END { print sum }'
}

# How many packets have gone through it.
wire_packets() {
	cat /sys/class/net/w[01]/statistics/tx_packets | awk '{ sum += $1 } END { print sum }'
}

# --- sessions that are lost and found ---

# patient tcp|iser: its commands wait for the session to come back, and are tried again as often as need be.
patient() {
	local session limit
	session=$(session_of "$1")
	echo 120 >"$session/recovery_tmo"
	for limit in "$session"/device/target*/*/scsi_disk/*/max_retries; do
		echo -1 >"$limit"
	done
}

session_state() {
	cat "$(session_of "$1")/state"
}

session_is() {
	[ "$(session_state "$1")" = "$2" ]
}

# cut_by target|wire tcp|iser: the target throws everybody out and lets them in again, or nothing comes through until somebody
# notices. (Not the link: without it, what is for the other end would be delivered here.)
cut_by() {
	case $1 in
	target) echo 0 >"$tpg/enable" ;;
	wire) wire_is loss 100% ;;
	esac
	wait_for 60 session_is "$2" FAILED || fail "$2: nobody notices that the connection is cut"
	case $1 in
	target) echo 1 >"$tpg/enable" ;;
	wire) wire_is_good ;;
	esac
	wait_for 90 session_is "$2" LOGGED_IN || fail "$2: the session does not come back: $(session_state "$2")"
}
