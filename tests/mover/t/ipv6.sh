# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Over IPv6: a daemon by its address, and a far end that ssh reached over it.
[ "$(cat /proc/sys/net/ipv6/conf/lo/disable_ipv6 2> /dev/null || echo 1)" = 0 ] || skip "no IPv6 here"
random_file big 2000000
mkdir box
"$HEARTHD" --generate-key=me > keys
chmod 600 keys
port=$((20000 + ($$ + 13000) % 20000))
printf 'port = %s\nkeys = %s\n[box]\npath = %s\nwrite = yes\nuser = root\n' $port "$PWD/keys" "$PWD/box" > conf
"$HEARTHD" --config=conf 2> daemon.log &
daemon=$!
trap 'kill $daemon 2> /dev/null || true' EXIT
until_true grep -q "on port $port" daemon.log
expect 0 "$HEARTHCP" --key-file=keys big "hearth://[::1]:$port/box/"
cmp big box/big
expect 0 "$HEARTHCP" --key-file=keys "hearth://me@[::1]:$port/box/big" got
cmp big got
cat > rsh << 'RSH'
#!/bin/sh
echo "$1" > host
shift
SSH_CONNECTION="::1 1 ::1 1"
export SSH_CONNECTION
exec "$@"
RSH
chmod +x rsh
expect 0 "$HEARTHCP" -e ./rsh --hearthd-path="$HEARTHD" --data=direct big "[::1]:$PWD/six"
cmp big six
expect 0 "$HEARTHCP" -e ./rsh --hearthd-path="$HEARTHD" --data=reverse big "me@[::1]:$PWD/six2"
cmp big six2
kill $daemon
wait $daemon
