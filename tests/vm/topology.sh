# SPDX-License-Identifier: GPL-2.0-or-later
#
# The NUMA topologies of the guests: what QEMU is told and what the guest must then see.
# shellcheck shell=bash
#
# A topology is a list of nodes, each CPUS:MIB. A node may lack CPUs or memory.
# Beside those that the tests use there are 1c, 2c, 4c and 8c: one node of so many CPUs.

# shellcheck disable=SC2034 # for those who source this
HEARTH_TOPOLOGIES='1n 2n 4n unequal memless cpuless'

topology_nodes() {
	case $1 in
	1n)		echo '0-1:4096' ;;
	2n)		echo '0-1:2048 2-3:2048' ;;
	4n)		echo '0:1024 1:1024 2:1024 3:1024' ;;
	unequal)	echo '0-1:3072 2-3:1024' ;;
	memless)	echo '0-1:2048 2:2048 3:' ;;
	cpuless)	echo '0-1:2048 2-3:1024 :1024' ;;
	1c)		echo '0:4096' ;;
	[248]c)		echo "0-$((${1%c} - 1)):4096" ;;
	*)		return 1 ;;
	esac
}

# The QEMU options of a topology, one per line. Every CPU is a socket of its
# own, so that no socket spans two nodes.
topology_qemu() {
	local node cpus mib nid=0 total=0 last=0 i j nodes
	read -ra nodes < <(topology_nodes "$1")
	for node in "${nodes[@]}"; do
		cpus=${node%:*} mib=${node#*:}
		if [ -n "$mib" ]; then
			printf '%s\n' -object "memory-backend-ram,id=m$nid,size=${mib}M"
			total=$((total + mib))
		fi
		printf '%s\n' -numa "node,nodeid=$nid${cpus:+,cpus=$cpus}${mib:+,memdev=m$nid}"
		[ -z "$cpus" ] || last=${cpus#*-}
		nid=$((nid + 1))
	done
	for ((i = 0; i < nid; i++)); do
		for ((j = i + 1; j < nid; j++)); do
			printf '%s\n' -numa "dist,src=$i,dst=$j,val=21"
		done
	done
	printf '%s\n' -m "${total}M" -smp "$((last + 1)),sockets=$((last + 1)),cores=1,threads=1"
}

# The same for the counter (tests/bench/count/counter.c): cpus=NODE:...,mib=SIZE:...
topology_counter() {
	local node range nid=0 cpus='' mibs='' nodes cpu
	read -ra nodes < <(topology_nodes "$1")
	for node in "${nodes[@]}"; do
		range=${node%:*}
		for ((cpu = ${range%-*}; ${#range} && cpu <= ${range#*-}; cpu++)); do
			cpus+=:$nid
		done
		mibs+=:${node#*:}
		nid=$((nid + 1))
	done
	[[ $mibs: != *::* ]] || return 1
	echo "cpus=${cpus#:},mib=${mibs#:}"
}

# Does this machine (sysfs) look like the topology? Says what differs.
topology_assert() {
	local node cpus mib seen nid=0 sys=/sys/devices/system/node nodes
	read -ra nodes < <(topology_nodes "$1")
	for node in "${nodes[@]}"; do
		cpus=${node%:*} mib=${node#*:}
		if [ ! -d $sys/node$nid ]; then
			echo "topology $1: node $nid is missing"
			return 1
		fi
		seen=$(<$sys/node$nid/cpulist)
		if [ "$seen" != "$cpus" ]; then
			echo "topology $1: node $nid has CPUs '$seen', not '$cpus'"
			return 1
		fi
		# the debug kernel keeps an eighth for its shadow, and more on the first node
		seen=$(awk '/MemTotal/ { print int($4 / 1024) }' $sys/node$nid/meminfo)
		if ((seen > ${mib:-0} || seen < ${mib:-0} * 4 / 10)); then
			echo "topology $1: node $nid has $seen MiB, not ${mib:-0}"
			return 1
		fi
		nid=$((nid + 1))
	done
	if [ -d $sys/node$nid ]; then
		echo "topology $1: there is a node $nid too many"
		return 1
	fi
}
