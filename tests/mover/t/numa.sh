# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --numa: the plan of both ends is said when asked for, threads and blocks obey it, and a node that is not there is refused.
nodes=$(find /sys/devices/system/node -maxdepth 1 -name 'node[0-9]*' | wc -l)
random_file src 3000000
expect 0 ncp --numa=show src "$HOST:$PWD/dst"
cmp src dst
for end in sender receiver; do
	grep -q "numa: the $end has .*; blocks in " err || fail "nothing is said of the $end: $(cat err)"
done
expect 0 ncp --numa=auto src "$HOST:$PWD/dst2"
! grep -q numa err || fail "said unasked: $(cat err)"
expect 0 ncp --numa=off src "$HOST:$PWD/dst3"
cmp src dst3
expect 1 ncp --numa=200 src "$HOST:$PWD/x"
grep -q "no such node" err || fail "unclear: $(cat err)"
expect 1 ncp --numa=near src "$HOST:$PWD/x"
[ "$nodes" -ge 2 ] || exit 0
# Every thread that moves blocks runs on the CPUs of the node, and the blocks come from it.
last=$((nodes - 1))
"$HEARTHCP" --numa=$last --bwlimit=200 src "$HOST:$PWD/slow" -e "$SCRATCH/rsh" --hearthd-path="$HEARTHD" 2> err &
client=$!
until_true test -s .slow.hearth-journal
bound=0
for task in "/proc/$client/task/"*; do
	[ "$(sed -n 's/^Cpus_allowed_list:\t//p' "$task/status")" != "$(cat /sys/devices/system/node/node$last/cpulist)" ] || bound=$((bound + 1))
done
maps=$(grep -c "prefer.*:$last " "/proc/$client/numa_maps" || true)
kill -INT $client
wait $client || true
[ $bound -ge 1 ] || fail "no thread is bound to node $last"
[ "$maps" -ge 1 ] || fail "no memory is bound to node $last"
