# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --congestion: the data connections of both ends use what was asked for; what an end has not is refused with what it has.
command -v ss > /dev/null || skip "no ss here"
default=$(cat /proc/sys/net/ipv4/tcp_congestion_control)
other=
read -r all < /proc/sys/net/ipv4/tcp_available_congestion_control
for name in $all; do
	[ "$name" = "$default" ] || other=$name
done
[ -n "$other" ] || skip "there is only $default here"
port=$((22000 + $$ % 9000))
random_file big 3000000
# Both sides of the connection, while it is slow enough to be looked at.
sockets() {
	ss -tinH state established "( sport = :$port or dport = :$port )"
}
both_are() {
	[ "$(sockets | grep -cw "$1")" = 2 ]
}
for name in "$other" "$default"; do
	"$HEARTHCP" -e "$SCRATCH/rsh" --hearthd-path="$HEARTHD" --port=$port --streams=1 --bwlimit=50 --congestion="$name" \
		big "$HOST:$PWD/dst" 2> err &
	client=$!
	until_true both_are "$name"
	kill -INT $client
	wait $client || true
done
expect 0 ncp --congestion="$other" big "$HOST:$PWD/dst"
cmp big dst
expect 1 ncp --congestion=nonsense big "$HOST:$PWD/dst"
grep -q "congestion=nonsense: this end has only: .*$default" err || fail "unclear: $(cat err)"
expect 1 ncp --congestion="$other" --data=ssh big "$HOST:$PWD/dst"
expect 1 ncp --congestion="$other" big dst
# Between two far ends they are asked, not this one.
expect 1 ncp --congestion=nonsense "one:$PWD/big" "two:$PWD/dst2"
grep -q "congestion=nonsense: the far end has only: .*$default" err || fail "unclear: $(cat err)"
