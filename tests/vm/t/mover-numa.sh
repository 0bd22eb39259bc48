#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# hearthcp on two nodes: threads and blocks are where the plan says, huge pages are used if there are any, and a card
# whose interrupts go elsewhere is warned of.
# needs: userspace

. "$HEARTH_TESTS/lib.sh"

hearthcp=$HEARTH_BUILD/userspace/hearthcp
hearthd=$HEARTH_BUILD/userspace/hearthd
huge=/sys/devices/system/node/node1/hugepages/hugepages-2048kB

modprobe e1000e
# who names it anew
[ ! -S /run/udev/control ] || udevadm settle --timeout=60
card=
for device in /sys/class/net/*/device; do
	[ "$(<"$device/numa_node")" != 1 ] || card=$(basename "$(dirname "$device")")
done
[ -n "$card" ] || fail 'no card is on node 1'
ip addr add 10.77.0.1/24 dev "$card"
ip link set "$card" up
defer modprobe -r e1000e

cat >rsh <<'END'
#!/bin/sh
shift
SSH_CONNECTION='x x 10.77.0.1 x' exec "$@"
END
chmod +x rsh
# other tests leave RDMA devices behind
far=(--transport=tcp -e ./rsh --hearthd-path="$hearthd")
head -c 12M /dev/urandom >source

copy() {
	"$hearthcp" "${far[@]}" "$@" source "10.77.0.1:$PWD/copied" 2>said
}

says() {
	grep -q -- "$1" said || fail "'$1' is not in: $(<said)"
}

# threads PID CPUS: how many threads of a process run on just these.
threads() {
	grep -hxc "Cpus_allowed_list:	$2" /proc/"$1"/task/*/status | awk '{ n += $1 } END { print n }'
}

# blocks PID NODE [huge]: the pages of the blocks, which are all there are of a policy, lie on this node, and there are some.
blocks() {
	awk -v mine="^N$2=" -v policy="prefer.*:$2" -v huge="${3:-}" '
		$2 ~ policy {
			if ((/ huge / || / huge$/) != (huge != ""))
				next
			for (i = 3; i <= NF; i++) {
				seen += $i ~ mine
				strange += $i ~ /^N[0-9]/ && $i !~ mine
			}
		}
		END { exit !seen || strange }' "/proc/$1/numa_maps"
}

# in_the_middle OPTIONS: a copy that goes on for as long as it is looked at, in $client and $server.
in_the_middle() {
	rm -f copied .copied.*
	"$hearthcp" "${far[@]}" --stages=split --block-size=64K --bwlimit=200K "$@" source "10.77.0.1:$PWD/copied" 2>said &
	client=$!
	wait_for 100 test -s .copied.hearth-journal || fail "no copy: $(<said)"
	server=$(pgrep -P "$client" -x hearthd) || fail "no hearthd: $(ps -ef --forest)"
}

# What was interrupted is completed by the same command.
complete() {
	kill -INT "$client"
	wait "$client" || true
	copy --stages=split "$@"
	cmp source copied
}

# Near the card, on both ends, in ordinary pages.
in_the_middle --numa=show
for end in sender receiver; do
	says "numa: the $end has 2 nodes; .*network threads and blocks on node 1 (card $card); blocks in ordinary memory"
done
for pid in "$client" "$server"; do
	[ "$(threads "$pid" 2-3)" -ge 1 ] || fail "$(tr '\0' ' ' <"/proc/$pid/cmdline"): no thread is on node 1"
	blocks "$pid" 1 || fail "blocks elsewhere: $(grep prefer "/proc/$pid/numa_maps")"
done
complete --numa=show

# One end on a node of its own, all of it; the other stays near the card.
in_the_middle --numa=0
says 'numa: the sender has 2 nodes; storage threads on node 0 .*network threads and blocks on node 0'
[ "$(threads "$client" 0-1)" -ge 2 ] || fail 'storage and network threads are not on node 0'
equal 'threads on the other node' "$(threads "$client" 2-3)" 0
blocks "$client" 0 || fail "blocks elsewhere: $(grep prefer "/proc/$client/numa_maps")"
complete --numa=0

# Off: nothing is bound to anything.
in_the_middle --numa=off
for pid in "$client" "$server"; do
	equal 'threads on node 1' "$(threads "$pid" 2-3)" 0
	! grep -q prefer "/proc/$pid/numa_maps" || fail 'blocks are bound to a node'
done
complete --numa=off

# Huge pages that were set aside on the node.
echo 64 >"$huge/nr_hugepages"
defer sh -c "echo 0 >$huge/nr_hugepages"
equal 'huge pages' "$(<"$huge/nr_hugepages")" 64
in_the_middle --numa=show --memory=32M
says 'the sender has .*; blocks in huge pages'
says 'the receiver has .*; blocks in huge pages'
for pid in "$client" "$server"; do
	blocks "$pid" 1 huge || fail "not in huge pages: $(grep 'prefer\|huge' "/proc/$pid/numa_maps")"
done
[ "$(<"$huge/free_hugepages")" -lt 64 ] || fail 'no huge page is in use'
complete --numa=show --memory=32M
equal 'free huge pages afterwards' "$(<"$huge/free_hugepages")" 64

# Within one host the blocks are one end's for both, near nothing, and all of it still works.
"$hearthcp" --stages=split --numa=1 source local 2>said
cmp source local
says 'numa: the sender has 2 nodes; storage threads on node 1'

# A card whose interrupts go to CPUs of another node.
route() {
	local irq
	# In use, an interrupt moves only when it is next taken.
	ip link set "$card" down
	for irq in "/sys/class/net/$card/device/msi_irqs"/*; do
		echo "$1" >"/proc/irq/${irq##*/}/smp_affinity_list"
	done
	ip link set "$card" up
	for irq in /proc/irq/*/"$card"*; do
		equal "CPU of $irq" "$(<"${irq%/*}/effective_affinity_list")" "$1"
	done
}
route 0
copy
says "numa: [1-9].* interrupts of $card at the sender go to CPUs of other nodes"
says "interrupts of $card at the receiver go to CPUs of other nodes"
cmp source copied
rm copied
route 2
copy
cmp source copied
[ ! -s said ] || fail "warns of nothing: $(<said)"
