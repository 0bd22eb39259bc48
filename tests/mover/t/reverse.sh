# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Where the far end's data port cannot be reached, the far end connects here; and it says so, and why.
random_file big 3000000
mkdir tree
for i in $(seq 300); do echo "$i" > "tree/f$i"; done
# The far end's own address is a lie, ours is not; it logs who connects to whom.
cat > rsh << 'RSH'
#!/bin/sh
shift
SSH_CONNECTION="127.0.0.1 1 invalid.invalid 1"
export SSH_CONNECTION
exec "$@"
RSH
chmod +x rsh
rcp() {
	"$HEARTHCP" -e ./rsh --hearthd-path="$HEARTHD" "$@"
}
for options in "" "--streams=3 --seal=encrypt" "--port=$((21000 + $$ % 9000))-$((21020 + $$ % 9000))"; do
	rm -rf pushed pulled
	# shellcheck disable=SC2086
	expect 0 rcp -a $options big tree "$HOST:$PWD/pushed"
	grep -q "port [0-9]* of the far end cannot be reached (.*): it connects to port [0-9]* here instead" err ||
		fail "not said: $(cat err)"
	# shellcheck disable=SC2086
	expect 0 rcp -a $options "$HOST:$PWD/big" "$HOST:$PWD/tree" pulled
	for copy in pushed pulled; do
		cmp big $copy/big
		same_tree tree $copy/tree
	done
done
grep -q "here instead" err || fail "not said: $(cat err)"
# The port is one of those that were named.
port=$(sed -n 's/.*it connects to port \([0-9]*\) here.*/\1/p' err)
{ [ "$port" -ge $((21000 + $$ % 9000)) ] && [ "$port" -le $((21020 + $$ % 9000)) ]; } || fail "port $port"
expect 0 rcp --data=reverse big "$HOST:$PWD/forced"
cmp big forced
expect 3 rcp --data=direct big "$HOST:$PWD/never"
grep -q "no data connection with --data=direct: " err || fail "unclear: $(cat err)"
# Neither way, and no ssh to go inside: all three reasons are there.
sed -i 's/"127.0.0.1 1 invalid.invalid 1"/"invalid.invalid 1 invalid.invalid 1"/' rsh
expect 3 rcp --data=reverse big "$HOST:$PWD/never"
grep -q "no data connection with --data=reverse: " err || fail "unclear: $(cat err)"
expect 3 rcp big "$HOST:$PWD/never"
{ grep -q "cannot be reached (.*), nor one here from there (.*): data goes inside ssh" err && grep -q "AllowTcpForwarding" err; } ||
	fail "unclear: $(cat err)"
[ ! -e never ] || fail "something was made"
# A daemon behind a firewall that lets through nothing but its port: it connects to the client, wherever that came from.
daemons=
near=hearth-near-$$
far=hearth-far-$$
two_hosts
ip -n $near rule add pref 5 ipproto tcp dport 7351-7400 to 10.213.9.2 prohibit || skip "no such routing rules here"
"$HEARTHD" --generate-key=me > keys
chmod 600 keys
mkdir box
printf 'keys = %s\ndata-ports = 7351-7400\n[box]\npath = %s\nwrite = yes\nuser = root\n' "$PWD/keys" "$PWD/box" > conf
ip netns exec $far "$HEARTHD" --config=conf 2> daemon.log &
# shellcheck disable=SC2034 # two_hosts ends it
daemons=$!
until_true grep -q "on port 7350" daemon.log
nearby() {
	ip netns exec $near "$HEARTHCP" --key-file=keys "$@"
}
expect 0 nearby -a big tree hearth://10.213.9.2/box/
grep -q "port 73[0-9]* of the far end cannot be reached (.*): it connects to port [0-9]* here instead" err || fail "not said: $(cat err)"
cmp big box/big
same_tree tree box/tree
ip -n $far rule add pref 4 ipproto tcp to 10.213.9.1 dport 7350 lookup main
ip -n $far rule add pref 5 ipproto tcp to 10.213.9.1 sport 1024-7349 prohibit
ip -n $far rule add pref 6 ipproto tcp to 10.213.9.1 sport 7351-65534 prohibit
expect 3 nearby big hearth://10.213.9.2/box/never
grep -q "port 73[0-9]* cannot be reached (.*), nor one here from there (.*); open one" err || fail "unclear: $(cat err)"
# A port that is open for it will do.
expect 0 nearby --port=7350 big hearth://10.213.9.2/box/named
cmp big box/named
