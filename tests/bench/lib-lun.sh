# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the benchmarks of LUNs share, inside a guest: the subjects, and one target that exports them all.
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034,SC2317 # lib.sh, lib-fabric.sh and whoever includes this set and use the rest

. "${HEARTH_TESTS:-$(dirname "$0")/../vm}/lib.sh"

load=$HEARTH_BUILD/bench/load

# How much cache a LUN has for each byte of the load: where there are nodes, one of them may have to hold it all.
nodes=(/sys/devices/system/node/node[0-9]*) # one, if there is no such thing
cache_times=$((2 * ${#nodes[@]}))

# --- on a host that is not a guest (HOST=1): nothing of its own may be touched ---

if [ -n "${HEARTH_HOST:-}" ]; then
	leaks() { :; }
	start_target() { modprobe target_core_mod; }
	start_iscsid() {
		modprobe -a iscsi_tcp sd_mod
		iscsid_answers || fail 'iscsid does not answer; start it: systemctl start iscsid'
	}
	start_net() {
		[ ! -e /sys/class/net/hearth-v0 ] || return 0
		ip link add hearth-v0 type veth peer name hearth-v1
		defer ip link delete hearth-v0
		ip addr add $address/24 dev hearth-v0
		ip link set hearth-v0 up
		ip link set hearth-v1 up
	}
	start_rxe() { fail 'iser: not on a host, whose RDMA cards are its own; give FABRICS="loop tcp"'; }
fi

# Subjects whose data cannot be read back: they, or the disk under them, keep none.
forgetful=' rd_nullio '

# make_subject SUBJECT DISK MIB: a backstore for LUNs of MIB MiB; sets $backstore. Returns 1 if this build cannot.
make_subject() {
	case $1 in
	hearth)		try_subject hearth_0 "$1" "dev=$2,cache=$((cache_times * $3))M" ;;
	hearth-wb)	try_subject hearth_0 "$1" "dev=$2,cache=$((cache_times * $3))M,mode=writeback" ;;
	hearth-home)	try_subject hearth_0 "$1" "dev=$2,cache=$((cache_times * $3))M,home=stripe,dispatch=home" ;;
	hearth-inline)	try_subject hearth_0 "$1" "dev=$2,cache=$((cache_times * $3))M,home=stripe,dispatch=inline" ;;
	hearth-around)	try_subject hearth_0 "$1" "dev=$2,cache=$((cache_times * $3))M,mode=writearound" ;;
	fileio)		try_subject fileio_0 "$1" "fd_dev_name=$2,fd_buffered_io=1" ;;
	fileio-direct)	try_subject fileio_0 "$1" "fd_dev_name=$2,fd_async_io=1" ;;
	block)		try_subject iblock_0 "$1" "udev_path=$2" ;;
	rd_mcp)		try_subject rd_mcp_0 "$1" "rd_pages=$((256 * $3))" ;;
	tgt)		start_tgt "$2" ;;
	rd_nullio)	try_subject rd_mcp_0 "$1" "rd_pages=$((256 * $3)),rd_nullio=1" ;;
	*)		fail "$1: no such subject" ;;
	esac
}

try_subject() {
	case $1 in
	hearth_*) start_hearth ;;
	fileio_*) modprobe target_core_file ;;
	iblock_*) modprobe target_core_iblock ;;
	esac
	mkdir -p "$core/$1/$2"
	if ! echo -n "$3" >"$core/$1/$2/control" || ! echo -n 1 >"$core/$1/$2/enable"; then
		remove_backstore "$1" "$2"
		return 1
	fi
	defer remove_backstore "$1" "$2"
	backstore=$1/$2
} 2>/dev/null

# forget SUBJECT: what it has cached.
forget() {
	local lun=/sys/class/hearth/$1
	sync
	echo 3 >/proc/sys/vm/drop_caches
	[ -e "$lun/drop" ] || return 0
	echo 1 >"$lun/flush"
	echo 1 >"$lun/drop"
}

# --- tgt: a target in a process, over the OS page cache; see tgtd(8) ---

# start_tgt DISK: its LUN 1 is the disk (0 is its controller). Over TCP alone: over Soft-RoCE its logins fail.
start_tgt() {
	[ "$fabric" = tcp ] || return 1
	tgtd --foreground --control-port 7 --iscsi "portal=$address:3260" >"$HEARTH_OUT/tgtd.log" 2>&1 &
	defer stop_tgt $!
	wait_for 20 tgt_answers || fail "tgtd does not answer: $(<"$HEARTH_OUT/tgtd.log")"
	tgt --lld iscsi --mode target --op new --tid 1 --targetname "$iqn"
	tgt --lld iscsi --mode logicalunit --op new --tid 1 --lun 1 --backing-store "$1" --bstype rdwr
	tgt --lld iscsi --mode target --op bind --tid 1 --initiator-address ALL
	backstore=
}

tgt_answers() {
	tgt --mode sys --op show >/dev/null 2>&1
}

tgt() {
	tgtadm --control-port 7 "$@"
}

# stop_tgt PID
stop_tgt() {
	tgt --lld iscsi --mode target --op delete --force --tid 1
	tgt --mode sys --op delete 2>/dev/null || true # it does not stay to answer
	wait "$1"
}

# --- several initiators in one guest: a session each, by a name of its own ---

# login_numbered NUMBER FABRIC: sets $disk to that initiator's disk.
login_numbered() {
	local name=hearth$1 transport=tcp record
	[ "$2" != iser ] || transport=iser
	record=(-m node -T "$iqn" -p "$address:$(port_of "$2")" -I "$name")
	iscsiadm -m iface -I "$name" -o new >/dev/null
	defer forget_name "$name"
	iscsiadm -m iface -I "$name" -o update -n iface.transport_name -v "$transport" >/dev/null
	iscsiadm -m iface -I "$name" -o update -n iface.initiatorname -v "iqn.1993-08.org.debian:01:$name" >/dev/null
	iscsiadm "${record[@]}" -o new >/dev/null
	defer logout_as "$name"
	iscsiadm "${record[@]}" --login >/dev/null
	wait_for 30 disk_as "$name" || fail "login as $name: no disk"
}

# session_as NAME: prints its folder.
session_as() {
	local session
	for session in /sys/class/iscsi_session/session*; do
		[ -e "$session" ] || return 1
		[ "$(<"$session/ifacename")" != "$1" ] || {
			echo "$session"
			return
		}
	done
	return 1
}

# disk_as NAME: sets $disk.
disk_as() {
	local session block
	session=$(session_as "$1") || return 1
	for block in "$session"/device/target*/*:*/block/*; do
		[ -b "/dev/${block##*/}" ] || return 1
		disk=/dev/${block##*/}
		return
	done
	return 1
}

logout_as() {
	local session
	session=$(session_as "$1")
	iscsiadm -m session -r "${session##*session}" --logout >/dev/null
	wait_for 30 is_logged_out "$1" || fail "logout of $1: the session stays"
}

is_logged_out() {
	! session_as "$1" >/dev/null
}

# forget_name NAME: with the records of nodes that it logged in to.
forget_name() {
	iscsiadm -m iface -I "$1" -o delete >/dev/null
}

# --- the data ---

is_forgetful() {
	[[ $forgetful = *" $1 "* ]]
}

# verify SUBJECT DISK SPAN: what the loads left is there, else the benchmark is void.
verify() {
	is_forgetful "$1" || "$load" verify "$2" size=64k span="$3" || fail "$1: wrong data, these figures are void"
}
