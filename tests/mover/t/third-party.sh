# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Between two far ends: data goes from one to the other, errors come here, and both stop when this end does.
mkdir -p src/sub
random_file src/big 3000000
for i in $(seq 100); do echo "$i" > "src/sub/f$i"; done
expect 0 ncp -a --json "one:$PWD/src/" "two:$PWD/dst"
same_tree src dst
[ "$(summary files_total)" = 101 ] || fail "$(summary files_total) files"
[ "$(summary bytes_moved)" = 0 ] || fail "data came through here"
expect 0 ncp -aiz --seal=encrypt --delete "one:$PWD/src/" "two:$PWD/dst"
[ ! -s out ] || fail "changed again: $(cat out)"
echo new > src/new
rm src/sub/f1
expect 0 hcp -ai --delete "$HOST:$PWD/src/" "root@$HOST:$PWD/dst"
same_tree src dst
{ grep -q "f+++++++++ new" out && grep -q "deleting   sub/f1" out; } || fail "not named: $(cat out)"
printf 'sub/f7\nnew\n' > list
expect 0 ncp -a --files-from=list "one:$PWD/src" "two:$PWD/listed"
[ "$(find listed -type f | wc -l)" = 2 ] || fail "not what was listed: $(find listed)"
expect 23 ncp -a "one:$PWD/src" "one:$PWD/missing" "two:$PWD/partly"
grep -q "missing: no such file" err || fail "not named: $(cat err)"
same_tree src partly/src
expect 4 ncp -a "one:$PWD/src" "two:$PWD/src/new/x"
expect 1 ncp "one:src" "two:dst" "three:dst"
# If the one cannot reach the other, the other connects to the one.
cat > rsh << RSH
#!/bin/sh
host=\$1
shift
case \$host in
hidden) SSH_CONNECTION="x x 192.0.2.300 x" ;;
*) SSH_CONNECTION="x x 127.0.0.1 x" ;;
esac
export SSH_CONNECTION
exec "\$@"
RSH
chmod +x rsh
expect 0 "$HEARTHCP" -a -e ./rsh --hearthd-path="$HEARTHD" "one:$PWD/src/" "hidden:$PWD/reversed"
same_tree src reversed
grep -q "trying the other way round" err || fail "not said: $(cat err)"
expect 3 "$HEARTHCP" -a -e ./rsh --hearthd-path="$HEARTHD" "hidden:$PWD/src/" "hidden:$PWD/never"
[ ! -e never ] || fail "made something"
# A source that offers what was not asked for gets nothing through.
cat > rsh << RSH
#!/bin/sh
host=\$1
shift
SSH_CONNECTION="x x 127.0.0.1 x"
export SSH_CONNECTION
[ \$host = good ] && exec "\$@"
exec "$TOOLS/hostile"
RSH
mkdir guarded
export HOSTILE=unasked
expect 2 timeout 20 "$HEARTHCP" -a -e ./rsh --hearthd-path="$HEARTHD" "bad:src" "good:$PWD/guarded/"
[ -z "$(ls -A guarded)" ] || fail "let through: $(ls -A guarded)"
# A key for other paths opens nothing.
HOSTILE=otherpaths
expect 3 timeout 20 "$HEARTHCP" -a -e ./rsh --hearthd-path="$HEARTHD" "bad:src" "good:$PWD/guarded/"
[ -z "$(ls -A guarded)" ] || fail "let through: $(ls -A guarded)"
# The end that waits for the other waits only as long as the key is good.
cat > rsh << RSH
#!/bin/sh
host=\$1
shift
echo \$\$ > "$PWD/\$host.pid"
[ \$host = silent ] && exec sleep 1000
exec "\$@"
RSH
"$HEARTHCP" -a --timeout=1 -e ./rsh --hearthd-path="$HEARTHD" "silent:src" "waits:$PWD/guarded/" 2> err &
client=$!
until_true test -s waits.pid
until_true test -s silent.pid
is_gone() {
	! grep -qs hearthd "/proc/$1/comm" || [ "$(sed 's/.*) \(.\).*/\1/' "/proc/$1/stat")" = Z ]
}
until_true grep -qs hearthd "/proc/$(cat waits.pid)/comm"
until_true is_gone "$(cat waits.pid)"
kill -0 $client || fail "the client ended first: $(cat err)"
kill -INT $client
kill "$(cat silent.pid)"
wait $client || true
# Stopping this end stops both.
cat > rsh << RSH
#!/bin/sh
shift
echo \$\$ >> "$PWD/pids"
SSH_CONNECTION="x x 127.0.0.1 x"
export SSH_CONNECTION
exec "\$@"
RSH
"$HEARTHCP" --bwlimit=100 -e ./rsh --hearthd-path="$HEARTHD" "one:$PWD/src/big" "two:$PWD/slow" 2> err &
client=$!
until_true test -e .slow.hearth
kill -INT $client
status=0
wait $client || status=$?
[ $status = 20 ] || fail "exit status $status: $(cat err)"
[ "$(wc -l < pids)" = 2 ] || fail "not two ends"
both_gone() {
	while read -r pid; do ! grep -qs hearthd "/proc/$pid/comm" || return 1; done < pids
}
until_true both_gone
[ ! -e slow ] || fail "half a file under its name"
# Daemons: one may connect if it is configured so; either may be the one that opens the port.
for d in a b; do
	mkdir -p $d-module
	"$HEARTHD" --generate-key=user > $d.key
done
cat a.key b.key > client.keys
cp a.key client.keys
chmod 600 ./*.key client.keys
base=$((20000 + ($$ + 9000) % 20000))
printf 'port = %s\nkeys = %s/a.key\n[m]\npath = %s\nuser = root\n' $base "$PWD" "$PWD/src" > a.conf
printf 'port = %s\nkeys = %s/a.key\nthird-party = yes\n[m]\npath = %s\nwrite = yes\nuser = root\n' $((base + 1)) "$PWD" "$PWD/b-module" > b.conf
"$HEARTHD" --config=a.conf 2> a.log &
a=$!
"$HEARTHD" --config=b.conf 2> b.log &
b=$!
trap 'kill $a $b 2> /dev/null || true' EXIT
until_true grep -q "on port" a.log
until_true grep -q "on port" b.log
expect 0 ncp -a --key-file=client.keys "hearth://127.0.0.1:$base/m/" "hearth://127.0.0.1:$((base + 1))/m/"
same_tree src b-module
grep -q "connects to nobody" err || fail "the first daemon connected although it may not: $(cat err)"
expect 0 ncp -a --key-file=client.keys "hearth://127.0.0.1:$base/m/" "one:$PWD/from-daemon"
same_tree src from-daemon
kill $a $b
wait $a $b
