# SPDX-License-Identifier: GPL-2.0-or-later
#
# Helpers for the tests that run inside a guest; each test sources this file first.
# shellcheck shell=bash
#
# Whatever a helper makes, it also registers to be undone, in reverse order,
# when the test ends. After that nothing may be left: no session, no target, no
# LUN, no entry in /sys/class/hearth, and the module can be unloaded. A leak
# fails the test even if everything else went well.

set -euo pipefail

target=/sys/kernel/config/target
core=$target/core
# No test depends on udev to make the nodes of device-mapper.
export DM_DISABLE_UDEV=1
dbroot=/etc/rtslib-fb-target
klog_begin="hearth-test: ${HEARTH_TEST:=$$} begins"

# --- outcome ---

fail() {
	echo "$*"
	exit 1
}

skip() {
	echo "$*"
	exit 77
}

# equal WHAT SEEN EXPECTED
equal() {
	[ "$2" = "$3" ] || fail "$1: is '$2', should be '$3'"
}

# wait_for SECONDS COMMAND...: try until it succeeds.
wait_for() {
	local limit=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < limit)) || return 1
		sleep 0.1
	done
}

undo=()

# defer COMMAND...: undo something when the test ends.
defer() {
	undo+=("$(printf '%q ' "$@")")
}

# undo_now COMMAND...: undo it before that, once.
undo_now() {
	local wanted i
	wanted=$(printf '%q ' "$@")
	for i in "${!undo[@]}"; do
		if [ "${undo[$i]}" = "$wanted" ]; then
			unset "undo[$i]"
			"$@"
			return
		fi
	done
	fail "$*: nothing to undo"
}

leaks() {
	local left
	for left in /sys/class/iscsi_session/* "$target"/iscsi/iqn* "$target"/loopback/naa* \
		"$core"/*_*/*/info /sys/class/hearth/*; do
		[ ! -e "$left" ] || echo "left behind: ${left%/info}"
	done
	if [ -d /sys/module/target_core_hearth ]; then
		modprobe -r target_core_hearth ||
			echo "left behind: target_core_hearth cannot be unloaded, in use by $(</sys/module/target_core_hearth/refcnt)"
	fi
}

at_exit() {
	local verdict=$? i left indices=("${!undo[@]}")
	set +e
	trap - EXIT
	cd /
	for ((i = ${#indices[@]} - 1; i >= 0; i--)); do
		eval "${undo[${indices[i]}]}" || {
			echo "cannot undo: ${undo[${indices[i]}]}"
			verdict=1
		}
	done
	left=$(leaks)
	if [ -n "$left" ]; then
		echo "$left"
		verdict=1
	fi
	exit "$verdict"
}
trap at_exit EXIT

# --- the kernel log ---

klog() {
	dmesg --color=never | sed "1,/$klog_begin/d"
}

# klog_expect REGEX: a line of the kernel log since the test began.
klog_expect() {
	wait_for 5 klog_has "$1" || {
		klog | tail -n 5
		fail "kernel log: no line matches '$1'"
	}
}

klog_has() {
	klog | grep -Eq -- "$1"
}

# expect_fail REGEX COMMAND...: it fails, and its output or a kernel log line written meanwhile says REGEX.
expect_fail() {
	local regex=$1 said before
	shift
	before=$(klog | wc -l)
	if said=$("$@" 2>&1); then
		fail "$*: succeeded, should fail with '$regex'"
	fi
	said+=$'\n'$(klog | tail -n "+$((before + 1))")
	grep -Eq -- "$regex" <<<"$said" ||
		fail "$*: should say '$regex', said: $said"
}

# --- backstores, by hand through configfs ---

# The database root that rtslib would choose, chosen before a fabric can fix another one; with the
# folders that persistent reservations and ALUA need.
start_target() {
	modprobe target_core_mod
	mkdir -p $dbroot/{pr,alua}
	[ "$(<$target/dbroot)" = $dbroot ] || echo $dbroot >$target/dbroot
}

start_hearth() {
	start_target
	modprobe target_core_hearth
}

# make_backstore HBA NAME CONTROL: as in make_backstore rd_mcp_0 ram rd_pages=1024
make_backstore() {
	start_target
	mkdir -p "$core/$1/$2"
	defer remove_backstore "$1" "$2"
	echo -n "$3" >"$core/$1/$2/control"
	echo -n 1 >"$core/$1/$2/enable"
}

remove_backstore() {
	local sys=/sys/class/hearth/$2 verdict=0
	# A LUN that writes back is only let go when it is clean; if a test leaves one that cannot be, the next shall not fail for it.
	if [ -w "$sys/flush" ] && [ "$(<"$sys/dirty_bytes")" -gt 0 ] && ! echo 1 >"$sys/flush"; then
		verdict=1
		echo 1 >"$sys/discard_dirty"
	fi
	wait_for 10 is_removed "$1" "$2" || {
		rmdir "$core/$1/$2" || true # says why
		verdict=1
	}
	rmdir "$core/$1" 2>/dev/null || true
	return $verdict
}

# A LUN that wrote back stays held, also when it is clean, until a flush or its next look around; and the first write may
# only now have got hold of it.
is_removed() {
	local flush=/sys/class/hearth/$2/flush
	# the 0 has to be said: in a trap, "return" alone returns how the test ended
	rmdir "$core/$1/$2" 2>/dev/null && return 0
	[ ! -w "$flush" ] || echo 1 >"$flush"
	return 1
}

# make_lun NAME CONTROL: a LUN of ours.
make_lun() {
	start_hearth
	make_backstore hearth_0 "$1" "$2"
}

remove_lun() {
	undo_now remove_backstore hearth_0 "$1"
}

# refuse_lun REGEX CONTROL: this LUN cannot be made, REGEX says why, and nothing stays.
refuse_lun() {
	start_hearth
	mkdir -p $core/hearth_0/refused
	expect_fail "$1" try_lun "$2"
	remove_backstore hearth_0 refused
	[ ! -e /sys/class/hearth/refused ] || fail "refused LUN is in /sys/class/hearth"
}

try_lun() {
	echo -n "$1" >$core/hearth_0/refused/control || return 1
	echo -n 1 >$core/hearth_0/refused/enable || return 1
}

# --- counters ---

# counter LUN NODE NAME
counter() {
	cat "/sys/class/hearth/$1/node$2/$3"
}

# counter_sum LUN NAME: over all nodes.
counter_sum() {
	cat "/sys/class/hearth/$1"/node*/"$2" | awk '{ sum += $1 } END { print sum + 0 }'
}

# --- devices ---

# Ask for a scsi_debug disk: make_scsi_debug OPTION...; sets $device.
make_scsi_debug() {
	modprobe sd_mod
	modprobe scsi_debug delay=0 "$@"
	defer modprobe -r scsi_debug
	wait_for 20 scsi_debug_disk || fail 'scsi_debug: no disk appeared'
}

scsi_debug_disk() {
	local host
	for host in /sys/bus/pseudo/drivers/scsi_debug/adapter0/host*/target*/*/block/*; do
		[ -d "$host" ] || return 1
		device=/dev/${host##*/}
		[ -b "$device" ]
		return
	done
}

# make_dm NAME TABLE: a device-mapper device.
make_dm() {
	dmsetup create "$1" --table "$2"
	defer dmsetup remove --retry "$1"
}

# reload_dm NAME TABLE: put another table under it.
reload_dm() {
	dmsetup suspend "$1"
	dmsetup load "$1" --table "$2"
	dmsetup resume "$1"
}

sectors() {
	blockdev --getsz "$1"
}

# --- input and output ---

fio_options=(--name=job --minimal --ioengine=libaio --direct=1 --group_reporting --random_generator=tausworthe64
	--randseed=7 --fallocate=none --verify=crc32c --verify_fatal=1 --verify_state_save=0)

# fio_verify DISK OPTION...: write, then read everything back and compare.
fio_verify() {
	fio "${fio_options[@]}" --filename="$1" --rw=randwrite --do_verify=1 "${@:2}" >fio.log 2>&1 || {
		grep -v '^3;' fio.log | tail -n 20
		fail "$1: fio failed"
	}
}

# fio_load DISK OPTION...: any other load, which must not fail.
fio_load() {
	fio --name=job --minimal --ioengine=libaio --direct=1 --group_reporting --fallocate=none \
		--filename="$1" "${@:2}" >fio.log 2>&1 || {
		grep -v '^3;' fio.log | tail -n 20
		fail "$1: fio failed"
	}
}

# sum_of DEVICE OFFSET MIB: the checksum of a range (offset in MiB), read past the page cache.
sum_of() {
	dd if="$1" bs=1M skip="$2" count="$3" iflag=direct status=none | md5sum | cut -d ' ' -f 1
}

# same_bytes DISK DEVICE OFFSET MIB: the LUN's disk and the device under it agree.
same_bytes() {
	equal "bytes of $1 and $2 at $3 MiB" "$(sum_of "$1" "$3" "$4")" "$(sum_of "$2" "$3" "$4")"
}

. "$HEARTH_TESTS/lib-fabric.sh"
