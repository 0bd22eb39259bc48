# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# A peer of another version, one that falls silent, and a network that goes away: each ends with its own status and
# message, and the same command continues.
says() {
	grep -q -- "$1" err || fail "\"$1\" is not in: $(cat err)"
}
random_file big 100000000
# The number of the protocol in the first message is another one.
cat > other-version << 'RSH'
#!/bin/sh
shift
{ head -c 9; head -c 4 > /dev/null; printf 'c\0\0\0'; cat; } | "$@" | cat
RSH
# The far end leaves its process id.
cat > watched << RSH
#!/bin/sh
shift
echo \$\$ > "$PWD/far.pid"
SSH_CONNECTION="127.0.0.1 1 127.0.0.1 1"
export SSH_CONNECTION
exec "\$@"
RSH
chmod +x other-version watched
expect 2 "$HEARTHCP" -e ./other-version --hearthd-path="$HEARTHD" big "$HOST:$PWD/never"
says "this end speaks protocol 99, the far end [0-9]* (hearthd [0-9.]*); install the same version at both"
cat > no-hearth << 'RSH'
#!/bin/sh
echo "Welcome to this machine, have a nice day"
RSH
chmod +x no-hearth
expect 2 "$HEARTHCP" -e ./no-hearth big "$HOST:$PWD/never"
says "what came back is not Hearth's protocol; see that .* prints nothing"
expect 3 "$HEARTHCP" -e ./watched --hearthd-path=/no/such/hearthd big "$HOST:$PWD/never"
says "there is no /no/such/hearthd; install hearth there or give --hearthd-path"
[ ! -e never ] || fail "something was made"
# Where the journal of a copy under way is.
begin() { # source, destination, journal
	rm -f far.pid
	stored=$(stat -c %s "$3" 2> /dev/null || echo 0)
	"$HEARTHCP" -t --timeout=4 --block-size=64K --bwlimit=20M -e ./watched --hearthd-path="$HEARTHD" "$1" "$2" > out 2> err &
	client=$!
	until_true journal_has "$3" $((stored + 2400))
}
ends() {
	status=0
	wait $client || status=$?
	[ $status = 5 ] || fail "exit status $status: $(cat err)"
	says "same command"
}
# "gone" also means dead and not yet collected.
is_gone() {
	! grep -qs . "/proc/$1/cmdline"
}
mkdir push pull
for way in push pull; do
	case $way in
	push) set -- big "$HOST:$PWD/push/" ;;
	pull) set -- "$HOST:$PWD/big" pull/ ;;
	esac
	# The far end stops reading and answering, without hanging up.
	begin "$@" $way/.big.hearth-journal
	kill -STOP "$(cat far.pid)"
	ends
	says "nothing heard from the far end for 4 s"
	kill -KILL "$(cat far.pid)" 2> /dev/null || true
	[ ! -e $way/big ] || fail "half a file under its final name"
	# This end does, and the far end does not wait for ever.
	begin "$@" $way/.big.hearth-journal
	kill -STOP $client
	until_true is_gone "$(cat far.pid)"
	kill -KILL $client
	wait $client || true
	[ ! -e $way/big ] || fail "half a file under its final name"
	expect 0 ncp -t --block-size=64K --json "$@"
	cmp big $way/big
	[ "$(summary bytes_moved)" -lt 99000000 ] || fail "started over: moved $(summary bytes_moved) bytes"
	no_leftovers $way
done
# The network goes away under a daemon and its client, and comes back.
[ "$(id -u)" = 0 ] || skip "only root takes networks away"
daemons=
near=hearth-near-$$
far=hearth-far-$$
two_hosts
"$HEARTHD" --generate-key=me > keys
chmod 600 keys
mkdir box
printf 'keys = %s\n[box]\npath = %s\nwrite = yes\nuser = root\n' "$PWD/keys" "$PWD/box" > conf
ip netns exec $far "$HEARTHD" --config=conf 2> daemon.log &
daemons=$!
until_true grep -q "on port 7350" daemon.log
ip netns exec $near "$HEARTHCP" --key-file=keys -t --timeout=4 --block-size=64K --bwlimit=20M big hearth://10.213.9.2/box/ 2> err &
client=$!
until_true journal_has box/.big.hearth-journal 2400
ip -n $near link set eth0 down
ends
[ ! -e box/big ] || fail "half a file under its final name"
no_children() {
	! grep -qs . "/proc/$daemons/task/$daemons/children"
}
until_true no_children
ip -n $near link set eth0 up
expect 0 ip netns exec $near "$HEARTHCP" --key-file=keys -t --block-size=64K --json big hearth://10.213.9.2/box/
cmp big box/big
[ "$(summary bytes_moved)" -lt 99000000 ] || fail "started over: moved $(summary bytes_moved) bytes"
