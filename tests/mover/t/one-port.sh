# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# One port for everything: the daemon's own takes data connections, and hands each to the session that it is for.
mkdir -p src/sub box other
random_file src/big 3000000
for i in $(seq 200); do echo "$i" > "src/sub/f$i"; done
"$HEARTHD" --generate-key=me > keys
chmod 600 keys
port=$((20000 + ($$ + 15000) % 20000))
serve() { # port, directory, more
	printf 'port = %s\nkeys = %s/keys\ndata-ports = same\n%b[m]\npath = %s\nwrite = yes\nuser = root\n' "$1" "$PWD" "$3" "$2" > "conf.$1"
	"$HEARTHD" --config="conf.$1" 2> "log.$1" &
	until_true grep -q "on port $1" "log.$1"
}
daemons=
trap 'kill $daemons 2> /dev/null || true' EXIT
serve $port "$PWD/box" ''
daemons=$!
serve $((port + 1)) "$PWD/other" 'third-party = yes\n'
daemons="$daemons $!"
at=hearth://127.0.0.1:$port/m
dcp() {
	"$HEARTHCP" --key-file=keys --data=direct "$@"
}
for options in "" "--streams=8 --seal=none" "-z --streams=3"; do
	rm -rf box/* back
	# shellcheck disable=SC2086
	expect 0 dcp -a $options src/ "$at/"
	same_tree src box
	# shellcheck disable=SC2086
	expect 0 dcp -a $options "$at/" back
	same_tree src back
done
# Several sessions at once, each with its own data.
for i in 1 2 3 4; do
	dcp -a --streams=2 "$at/sub/f$i" "$at/big" "at$i/" 2> "err$i" &
	eval "job$i=$!"
done
for i in 1 2 3 4; do
	eval "wait \$job$i" || fail "$(cat "err$i")"
	{ cmp src/sub/f$i at$i/f$i && cmp src/big at$i/big; } || fail "session $i"
done
# Between two of them, and while strangers knock.
head -c 3000 /dev/urandom | timeout 5 "$TOOLS/flip" "$port" 1000000 0 > /dev/null || true
printf 'HRTHDATA12345678 and so on' | timeout 5 "$TOOLS/flip" "$port" 1000000 0 > /dev/null || true
expect 0 "$HEARTHCP" -a --key-file=keys "$at/" "hearth://127.0.0.1:$((port + 1))/m/"
same_tree src other
expect 0 "$HEARTHCP" -a --key-file=keys -e "$SCRATCH/rsh" --hearthd-path="$HEARTHD" "$at/" "one:$PWD/third"
same_tree src third
for log in log.*; do
	! grep -q "Sanitizer\|runtime error" "$log" || fail "$(cat "$log")"
done
# Through a wall in which there is nothing but that port.
near=hearth-near-$$
far=hearth-far-$$
two_hosts
ip -n $near rule add pref 5 ipproto tcp to 10.213.9.2 dport 1-7349 prohibit || skip "no such routing rules here"
ip -n $near rule add pref 6 ipproto tcp to 10.213.9.2 dport 7351-65534 prohibit
rm -rf other
mkdir other
sed "s/^port.*/port = 7350/; s/^data-ports.*//" "conf.$((port + 1))" > conf.any
ip netns exec $far "$HEARTHD" --config=conf.any 2> log.any &
any=$!
daemons="$daemons $any"
until_true grep -q "on port 7350" log.any
expect 3 ip netns exec $near "$HEARTHCP" --key-file=keys --data=direct src/big hearth://10.213.9.2/m/
kill $any
wait $any || true
echo "data-ports = same" | cat - conf.any > conf.same
ip netns exec $far "$HEARTHD" --config=conf.same 2> log.same &
daemons="$daemons $!"
until_true grep -q "on port 7350" log.same
expect 0 ip netns exec $near "$HEARTHCP" -a --key-file=keys --data=direct src/ hearth://10.213.9.2/m/
same_tree src other
