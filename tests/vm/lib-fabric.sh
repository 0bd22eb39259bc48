# SPDX-License-Identifier: GPL-2.0-or-later
#
# Guest test helpers: services, network, exporting LUNs and logging in to them.
# shellcheck shell=bash
# shellcheck disable=SC2154 # $target and $core: lib.sh sets them
#
# One target with two portals on one veth address: TCP at 3260 and, over
# Soft-RoCE on the same interface, iSER at 3261. The initiator is the guest too.

iqn=iqn.2003-01.org.linux-iscsi.hearth:test
address=10.9.0.1
tpg=$target/iscsi/$iqn/tpgt_1

# --- services: started once in a guest, they stay for the tests after it ---

start_udev() {
	[ ! -S /run/udev/control ] || return 0
	mkdir -p /run/udev
	env -u HEARTH_TEST /lib/systemd/systemd-udevd --daemon >/dev/null 2>&1
	udevadm trigger --subsystem-match=block --action=add
	udevadm settle --timeout=60
}

start_dbus() {
	[ ! -S /run/dbus/system_bus_socket ] || return 0
	rm -f /run/dbus/pid
	env -u HEARTH_TEST dbus-daemon --system --fork >/dev/null 2>&1
}

start_iscsid() {
	[ ! -e /run/hearth/iscsid ] || return 0
	echo "InitiatorName=iqn.1993-08.org.debian:01:hearth" >/etc/iscsi/initiatorname.iscsi
	rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets
	modprobe -a iscsi_tcp sd_mod
	env -u HEARTH_TEST iscsid >/dev/null 2>&1
	wait_for 20 iscsid_answers || fail 'iscsid: does not answer'
	touch /run/hearth/iscsid
}

iscsid_answers() {
	iscsiadm -m session >/dev/null 2>&1 || [ $? -eq 21 ]
}

start_net() {
	[ ! -e /sys/class/net/v0 ] || return 0
	ip link add v0 type veth peer name v1
	ip addr add $address/24 dev v0
	ip link set v0 up
	ip link set v1 up
}

start_rxe() {
	start_net
	[ ! -e /sys/class/infiniband/rxe0 ] || return 0
	modprobe -a rdma_rxe ib_iser ib_isert
	rdma link add rxe0 type rxe netdev v0
	wait_for 20 rxe_is_active || fail 'rxe0: does not become active'
}

rxe_is_active() {
	grep -q ACTIVE /sys/class/infiniband/rxe0/ports/1/state
}

# --- the target ---

# export_tcp HBA/NAME...: as LUN 0, 1, ..., over TCP alone.
export_tcp() {
	local number=0 lun setting
	start_target
	mkdir -p "$tpg"
	defer unexport
	for setting in authentication=0 generate_node_acls=1 demo_mode_write_protect=0 cache_dynamic_acls=1; do
		echo "${setting#*=}" >"$tpg/attrib/${setting%=*}"
	done
	for lun; do
		mkdir -p "$tpg/lun/lun_$number"
		ln -s "$core/$lun" "$tpg/lun/lun_$number/"
		number=$((number + 1))
	done
	mkdir "$tpg/np/$address:3260"
	echo 1 >"$tpg/enable"
}

# export_luns HBA/NAME...: on both portals.
export_luns() {
	start_target
	start_rxe
	modprobe iscsi_target_mod
	export_tcp "$@"
	mkdir "$tpg/np/$address:3261"
	echo 1 >"$tpg/np/$address:3261/iser"
}

unexport() {
	local lun
	echo 0 >"$tpg/enable"
	for lun in "$tpg"/lun/lun_*; do
		find "$lun" -maxdepth 1 -type l -delete
		rmdir "$lun"
	done
	rmdir "$tpg"/np/* "$tpg" "${tpg%/*}"
}

# --- the initiator ---

port_of() {
	case $1 in
	tcp) echo 3260 ;;
	iser) echo 3261 ;;
	*) fail "fabric $1: give tcp or iser" ;;
	esac
}

# login tcp|iser [NAME=VALUE...]: waits until every LUN has its disk; see disk_of. The rest is for the node's record.
login() {
	local port record setting
	port=$(port_of "$1")
	start_iscsid
	record=(-m node -T "$iqn" -p "$address:$port")
	iscsiadm "${record[@]}" -o new >/dev/null
	[ "$1" != iser ] || iscsiadm "${record[@]}" -o update -n iface.transport_name -v iser
	for setting in node.session.timeo.replacement_timeout=5 "${@:2}"; do
		iscsiadm "${record[@]}" -o update -n "${setting%%=*}" -v "${setting#*=}"
	done
	defer logout "$1"
	iscsiadm "${record[@]}" --login >/dev/null
	wait_for 30 all_disks_of "$1" || fail "login over $1: no disk for each LUN"
}

logout() {
	iscsiadm -m node -T $iqn -p "$address:$(port_of "$1")" --logout >/dev/null
	wait_for 30 session_is_gone "$1" || fail "logout over $1: the session stays"
	iscsiadm -m node -T $iqn -p "$address:$(port_of "$1")" -o delete >/dev/null
}

# connection_of tcp|iser: its directory in sysfs
connection_of() {
	local port connection
	port=$(port_of "$1")
	for connection in /sys/class/iscsi_connection/connection*; do
		[ -e "$connection" ] || return 1
		if [ "$(<"$connection/persistent_port")" = "$port" ]; then
			echo "$connection"
			return
		fi
	done
	return 1
}

session_of() {
	local connection
	connection=$(connection_of "$1") || return 1
	connection=${connection##*/connection}
	echo "/sys/class/iscsi_session/session${connection%:*}"
}

session_is_gone() {
	! session_of "$1" >/dev/null
}

all_disks_of() {
	local lun
	for lun in "$tpg"/lun/lun_*; do
		disk_of "$1" "${lun##*_}" >/dev/null || return 1
	done
}

# disk_of tcp|iser [LUN]: the initiator's disk, /dev/sdX.
disk_of() {
	local session disk
	session=$(session_of "$1") || return 1
	for disk in "$session"/device/target*/*:"${2:-0}"/block/*; do
		[ -b "/dev/${disk##*/}" ] || return 1
		echo "/dev/${disk##*/}"
		return
	done
}

# --- a shorter way: the loopback fabric, no network ---

loopback=$target/loopback/naa.6001405000000001

# attach_lun HBA/NAME: sets $disk to a local SCSI disk of the LUN.
attach_lun() {
	modprobe -a tcm_loop sd_mod
	mkdir -p "$loopback/tpgt_1/lun/lun_0"
	defer detach_lun
	echo naa.6001405000000002 >"$loopback/tpgt_1/nexus"
	ln -s "$core/$1" "$loopback/tpgt_1/lun/lun_0/"
	wait_for 20 loopback_disk || fail "$1: no disk over the loopback fabric"
}

loopback_disk() {
	local block host
	host=$(<"$loopback/tpgt_1/address")
	for block in /sys/class/scsi_disk/"${host%:*}":*/device/block/*; do
		[ -b "/dev/${block##*/}" ] || return 1
		disk=/dev/${block##*/}
		return
	done
}

detach_lun() {
	local link
	for link in "$loopback"/tpgt_1/lun/lun_0/*; do
		[ ! -L "$link" ] || rm "$link"
	done
	rmdir "$loopback/tpgt_1/lun/lun_0" "$loopback/tpgt_1" "$loopback"
}
