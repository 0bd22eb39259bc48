# SPDX-License-Identifier: GPL-2.0-or-later
#
# Guest test helpers: failures of memory and of I/O on purpose, by the kernel's fault injection.
# shellcheck shell=bash
#
# Only what the module asks for fails, itself or through what it calls: it has
# to be on the stack. So it must be loaded before that is said, and stay. For
# the nth allocation of one system call see guest/fail-nth. Of requests, only
# those to a device fail whose make-it-fail is set.

debug=/sys/kernel/debug
fault_kinds=() # those that fault_start was given
fault_plenty=1000000000

# fault_start KIND...
fault_start() {
	local kind size base
	fault_kinds=("$@")
	[ -d "$debug/${fault_kinds[0]}" ] || fail "this kernel injects no faults: ${fault_kinds[0]}"
	start_hearth
	read -r size base < <(awk '$1 == "target_core_hearth" { print $2, $6 }' /proc/modules)
	for kind in "${fault_kinds[@]}"; do
		echo 0 >"$debug/$kind/probability"
		echo 0 >"$debug/$kind/verbose"
		[ ! -e "$debug/$kind/ignore-gfp-wait" ] || echo N >"$debug/$kind/ignore-gfp-wait"
		echo N >"$debug/$kind/task-filter"
		echo 32 >"$debug/$kind/stacktrace-depth"
		echo "$base" >"$debug/$kind/require-start"
		printf '0x%x\n' $((base + size)) >"$debug/$kind/require-end"
	done
	if [[ " ${fault_kinds[*]} " = *' fail_page_alloc '* ]]; then
		echo N >$debug/fail_page_alloc/ignore-gfp-highmem
		echo 0 >$debug/fail_page_alloc/min-order
	fi
	defer fault_stop
}

# fault_every N: from now on every Nth allocation of the kernel fails, if it is for the module; or every Nth request.
fault_every() {
	local kind
	for kind in "${fault_kinds[@]}"; do
		echo "$1" >"$debug/$kind/interval"
		echo $fault_plenty >"$debug/$kind/times"
		echo 100 >"$debug/$kind/probability"
	done
}

# fault_count: how many have failed since then.
fault_count() {
	local kind left count=0
	for kind in "${fault_kinds[@]}"; do
		left=$(<"$debug/$kind/times")
		count=$((count + fault_plenty - left))
	done
	echo $count
}

fault_stop() {
	local kind
	for kind in "${fault_kinds[@]}"; do
		echo 0 >"$debug/$kind/probability"
	done
}
