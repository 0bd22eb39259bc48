# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the benchmarks of LUNs share, inside a guest: the subjects, and one target that exports them all.
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # lib.sh and lib-fabric.sh set and use the rest

. "${HEARTH_TESTS:-$(dirname "$0")/../vm}/lib.sh"

load=$HEARTH_BUILD/bench/load

# How much cache a LUN has for each byte of the load: where there are nodes, one of them may have to hold it all.
nodes=(/sys/devices/system/node/node[0-9]*) # one, if there is no such thing
cache_times=$((2 * ${#nodes[@]}))

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
	local lun
	sync
	echo 3 >/proc/sys/vm/drop_caches
	for lun in /sys/class/hearth/*; do
		[ -e "$lun/drop" ] || continue
		echo 1 >"$lun/flush"
		echo 1 >"$lun/drop"
	done
}

is_forgetful() {
	[[ $forgetful = *" $1 "* ]]
}

# verify SUBJECT DISK SPAN: what the loads left is there, else the benchmark is void.
verify() {
	is_forgetful "$1" || "$load" verify "$2" size=64k span="$3" || fail "$1: wrong data, these figures are void"
}
