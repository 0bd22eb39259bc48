# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# kill -9 of either end at random moments: the same command continues, sends only what is missing, and nothing is ever
# seen half-written under the final name.
random_file big 150000000
# The far end leaves its process id, to be killed by that.
cat > hearthd-victim << VICTIM
#!/bin/sh
echo \$\$ > "$PWD/victim.pid"
exec "$HEARTHD" "\$@"
VICTIM
chmod +x hearthd-victim
victim_lives() {
	[ -s victim.pid ] && grep -qs hearthd "/proc/$(cat victim.pid)/cmdline"
}
victim_is_gone() {
	! victim_lives
}
far_enough() {
	journal_has "$journal" $((kill_after * 24)) || ! kill -0 "$client" 2> /dev/null
}
# Returns 1 if the copy was done before it could be killed three times.
round() { # who to kill, source, destination, directory of the destination
	journal=$4/.big.hearth-journal
	rm -rf "$4"
	mkdir "$4"
	for kill_after in $(shuf -i 50-400 -n 1) $(shuf -i 600-900 -n 1) $(shuf -i 1200-1600 -n 1); do
		status=0
		rm -f victim.pid
		"$HEARTHCP" -e "ssh -F $SCRATCH/ssh_config" --hearthd-path="$PWD/hearthd-victim" -t --bwlimit=50M --block-size=64K \
			"$2" "$3" > out 2> err &
		client=$!
		until_true far_enough
		case $1 in
		client) kill -9 $client 2> /dev/null || true ;;
		server) ! victim_lives || kill -9 "$(cat victim.pid)" 2> /dev/null || true ;;
		esac
		wait $client || status=$?
		until_true victim_is_gone
		[ ! -e "$4/big" ] || [ $status = 0 ] || fail "half a file under its final name"
		[ "$1" = client ] || [ $status = 5 ] || [ $status = 0 ] || fail "exit status $status, not 5: $(cat err)"
	done
	[ -e "$journal" ] || return 1 # it was done before the last kill
	records=$(($(stat -c %s "$journal") / 24))
	expect 0 hcp -t --block-size=64K --json "$2" "$3"
	cmp big "$4/big" || fail "the copy differs"
	no_leftovers "$4"
	moved=$(summary bytes_moved)
	# What is in the journal need not be sent: some records of the headers' size less, all of 64 KiB.
	[ "$moved" -le $((150000000 - (records - 10) * 65536)) ] ||
		fail "$moved bytes sent again although $records blocks were stored"
}
rounds() {
	for _ in 1 2 3 4 5; do
		round "$@" && return
	done
	fail "always too fast to be killed: $*"
}
rounds client big "$HOST:$PWD/push/" push
rounds server big "$HOST:$PWD/push2/" push2
rounds client "$HOST:$PWD/big" pull pull
rounds server "$HOST:$PWD/big" pull2 pull2
rounds client big local/ local
