# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What a daemon's limits hold back: connections from one address, users of a module, and bytes a second.
random_file big 1200000
mkdir box
cp big box/
"$HEARTHD" --generate-key=me > keys
chmod 600 keys
port=$((20000 + ($$ + 5000) % 20000))
cat > conf << CONF
port = $port
keys = $PWD/keys
max-per-peer = 2
[slow]
path = $PWD/box
bwlimit = 600K
user = root
[one]
path = $PWD/box
max-connections = 1
user = root
CONF
"$HEARTHD" --config=conf 2> daemon.log &
daemon=$!
trap 'kill $daemon 2> /dev/null || true' EXIT
until_true grep -q "2 modules on port $port" daemon.log
at=hearth://127.0.0.1:$port
dcp() {
	"$HEARTHCP" --key-file=keys "$@"
}
# Slowness alone is demanded, so that a slow machine cannot fail this.
start=$(date +%s%N)
expect 0 dcp --bwlimit=0 "$at/slow/big" got
[ $((($(date +%s%N) - start) / 1000000)) -ge 1900 ] || fail "1.2 MB in $((($(date +%s%N) - start) / 1000000)) ms"
cmp big got
# One at a time, and again when that one is done.
"$HEARTHCP" --key-file=keys --bwlimit=20 "$at/one/big" held 2> held.err &
held=$!
until_true test -e .held.hearth
expect 4 dcp "$at/one/big" got
grep -q "one: as many as may use this module at a time do; try again" err || fail "unclear: $(cat err)"
"$HEARTHCP" --key-file=keys --bwlimit=20 "$at/slow/big" held2 2> held2.err &
held2=$!
until_true test -e .held2.hearth
expect 3 dcp "$at/slow/big" got
grep -q "a daemon that is busy hangs up like that" err || fail "unclear: $(cat err)"
until_true grep -q "a connection from .*127.0.0.1 was turned away: max-per-peer is reached" daemon.log
kill -INT $held $held2
wait $held || true
wait $held2 || true
goes() {
	dcp "$at/one/big" got > out 2> err
}
until_true goes
cmp big got
printf 'keys = %s\n[a]\npath = /\nuser = root\nbwlimit = fast\n' "$PWD/keys" > bad
expect 1 "$HEARTHD" --config=bad
grep -q "bad:5: fast: give bytes a second" err || fail "unclear: $(cat err)"
kill $daemon
wait $daemon || fail "the daemon ended with $?: $(cat daemon.log)"
! grep -q "Sanitizer\|runtime error" daemon.log || fail "$(cat daemon.log)"
