# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# A data connection is reset, another swallows everything from some moment on: what was on its way goes over another one
# and the copy is whole. Without any connection left, and no way to a new one, it ends with its own status and the same
# command continues.
[ "$(id -u)" = 0 ] || skip "only root makes network namespaces"
near=hearth-near-$$
far=hearth-far-$$
meddler=
two_hosts
# shellcheck disable=SC2154 # two_hosts is done with it
trap 'kill $meddler 2> /dev/null || true; ip netns del $near 2> /dev/null || true; ip netns del $far 2> /dev/null || true' EXIT
port=7000
# The far end is reached directly by its control channel, and by way of a meddler in between for data.
cat > rsh << RSH
#!/bin/sh
shift
SSH_CONNECTION="x x 127.0.0.1 x"
export SSH_CONNECTION
exec ip netns exec $far "\$@"
RSH
chmod +x rsh
meddle() {
	: > meddler.out
	ip netns exec $near "$HEARTH_TESTS/meddler.py" $port 10.213.9.2 "$@" > meddler.out &
	meddler=$!
	until_true grep -q listening meddler.out
}
leave() {
	kill $meddler
	wait $meddler || true
	meddler=
}
far_copy() {
	ip netns exec $near "$HEARTHCP" -e ./rsh --hearthd-path="$HEARTHD" --port=$port --block-size=256K "$@"
}
path() {
	python3 -c 'import json, sys
for line in open("out"):
    event = json.loads(line)
    if event["event"] == "summary":
        print(event["path"][sys.argv[1]])' "$1"
}
random_file big 40000000
for way in push pull; do
	rm -rf copy
	case $way in
	push) set -- big "$HOST:$PWD/copy" ;;
	pull) set -- "$HOST:$PWD/big" copy ;;
	esac
	# Fixed numbers, and the one that is found; a connection that carries all there is.
	meddle reset:3000000 hole:3000000
	expect 0 far_copy --streams=3 --json "$@"
	leave
	cmp big copy
	[ "$(path streams_lost)" -ge 2 ] || fail "$way: $(cat out)"
	[ "$(summary blocks_rerouted)" -ge 1 ] || [ $way = pull ] || fail "$way: nothing went another way: $(cat out)"
	grep -q "data connection [1-3] is lost (.*): what was on its way goes over another one" out || fail "$way: not said"
	for action in reset hole; do
		rm -f copy
		meddle $action:3000000
		expect 0 far_copy --json --seal=encrypt "$@"
		leave
		cmp big copy
		[ "$(path streams_lost)" -ge 1 ] || fail "$way, $action: $(cat out)"
	done
	# None is left, and none can be made.
	rm -f copy
	meddle reset:9000000 reset:9000000 close
	expect 5 far_copy --streams=2 "$@"
	leave
	grep -q "all data connections broke, and no new one could be made (Connection refused); run the same command again" err ||
		fail "$way: unclear: $(cat err)"
	[ ! -e copy ] || fail "$way: half a file under its final name"
	[ -e .copy.hearth-journal ] || fail "$way: no journal is left"
	meddle pass
	expect 0 far_copy --json "$@"
	leave
	cmp big copy
	[ "$(summary bytes_moved)" -lt 39000000 ] || fail "$way: started over: moved $(summary bytes_moved) bytes"
	no_leftovers .
done
# What comes from a pipe cannot be read again: that is said, and not a wrong file made.
meddle reset:3000000
status=0
far_copy - "$HOST:$PWD/piped" < big > out 2> err || status=$?
leave
[ $status = 5 ] || fail "exit status $status: $(cat err)"
grep -q "a data connection broke" err || fail "unclear: $(cat err)"
[ ! -e piped ] || fail "half a file under its final name"
