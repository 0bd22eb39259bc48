# SPDX-License-Identifier: GPL-2.0-or-later
#
# Guest test helpers: several initiators, each with a name of its own, over iSCSI.
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # lib-fabric.sh sets $iqn and $address; $disk is for whoever includes this
#
# Two sessions of one name are one initiator to LIO's reservations: it looks at the first four bytes of the ISID only, and
# open-iscsi counts in the last two.

initiator_name=iqn.1993-08.org.debian:01

# login_as WHO [NAME=VALUE...]: sets $disk to its LUN 0. The rest is for the node's record.
login_as() {
	local record=(-m node -T "$iqn" -p "$address:3260" -I "$1") setting
	start_iscsid
	iscsiadm -m iface -I "$1" -o new >/dev/null 2>&1 || :
	iscsiadm -m iface -I "$1" -o update -n iface.initiatorname -v "$initiator_name:$1" >/dev/null
	iscsiadm "${record[@]}" -o delete >/dev/null 2>&1 || :
	iscsiadm "${record[@]}" -o new >/dev/null
	for setting in initial_login_retry_max=1 "${@:2}"; do
		iscsiadm "${record[@]}" -o update -n "node.session.${setting%%=*}" -v "${setting#*=}" >/dev/null
	done
	iscsiadm "${record[@]}" --login || return
	defer logout_as "$1"
	wait_for 30 disk_as "$1" || fail "$1: no disk"
}

# disk_as WHO: sets $disk.
disk_as() {
	local session path
	for session in /sys/class/iscsi_session/session*; do
		[ "$(<"$session/initiatorname")" = "$initiator_name:$1" ] || continue
		for path in "$session"/device/target*/*:0/block/*; do
			[ -b "/dev/${path##*/}" ] || return 1
			disk=/dev/${path##*/}
			return
		done
	done
	return 1
}

logout_as() {
	iscsiadm -m node -T "$iqn" -p "$address:3260" -I "$1" --logout >/dev/null
	wait_for 30 is_out "$1" || fail "$1: the session stays"
}

is_out() {
	! grep -qsx "$initiator_name:$1" /sys/class/iscsi_session/session*/initiatorname
}
