# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# A daemon with modules: who has a key gets what the module allows, and nothing outside of it.
mkdir -p data/sub box drop secret
random_file data/big 2000000
echo f > data/sub/f
echo hidden > secret/hidden
ln -s ../secret data/way-out
ln -s "$PWD/secret" data/way-out2
"$HEARTHD" --generate-key=alice > alice.key
"$HEARTHD" --generate-key=bob > bob.key
cat alice.key bob.key > daemon.keys
chmod 600 ./*.key daemon.keys
port=$((20000 + ($$ + 7000) % 20000))
cat > conf << CONF
# a remark
port = $port
keys = $PWD/daemon.keys
max-connections = 8
memory = 16M

[data]
path = $PWD/data
user = root
[box]
path = $PWD/box
write = yes
users = alice carol
user = root
[drop]
path = $PWD/drop
write = yes
user = nobody
CONF
chmod 777 drop
"$HEARTHD" --config=conf 2> daemon.log &
daemon=$!
trap 'kill $daemon 2> /dev/null || true' EXIT
until_true grep -q "3 modules on port $port" daemon.log
at=hearth://127.0.0.1:$port
dcp() {
	"$HEARTHCP" --key-file=alice.key "$@"
}
# Both ways, and again without moving anything; blocks are sealed unless somebody asks for less.
expect 0 dcp -a --json "$at/data/" pulled
[ "$(summary bytes_wire)" -gt 2000000 ] || fail "not over a stream"
same_tree data pulled
expect 0 dcp -a --json "$at/data" pulled
[ "$(summary bytes_moved)" = 0 ] || fail "moved again: $(summary bytes_moved)"
for seal in none mac encrypt; do
	expect 0 dcp -a --seal=$seal data/sub data/big "$at/box/$seal/"
	cmp data/big box/$seal/big
	expect 0 dcp -az --seal=$seal "$at/box/$seal/" back-$seal
	cmp data/big back-$seal/big
done
expect 0 dcp data/big "$at/box/name"
cmp data/big box/name
dcp "hearth://alice@127.0.0.1:$port/data/sub/f" - | cmp - data/sub/f || fail "to a pipe"
expect 0 dcp -a --delete data/sub/ "$at/box/"
[ "$(find box -type f)" = box/f ] || fail "--delete left: $(find box)"
# What one may not.
says() {
	grep -q -- "$1" err || fail "\"$1\" is not in: $(cat err)"
}
expect 4 dcp data/big "$at/data/x"
says "data: this module is read-only"
expect 4 dcp -a --remove-source-files "$at/data/sub" x
says "data: this module is read-only"
expect 4 "$HEARTHCP" --key-file=bob.key data/big "$at/box/x"
says "box: this module is not for this user"
expect 4 dcp "$at/nothing/x" .
says "there is no such module"
expect 4 dcp -rL "$at/data/" x
says "symlinks could lead out of the module"
expect 4 dcp -rt --link-dest=/etc data/sub "$at/box"
says "with a daemon it must be relative"
sed 's/\(.*\)./\10/; s/0$/1/' alice.key > wrong.key
cmp -s alice.key wrong.key && sed -i 's/1$/2/' wrong.key
chmod 600 wrong.key
expect 3 "$HEARTHCP" --key-file=wrong.key "$at/data/big" .
says "do not have the same key"
sed 's/alice/mallory/' alice.key > mallory.key
chmod 600 mallory.key
expect 3 "$HEARTHCP" --key-file=mallory.key "$at/data/big" .
says "do not have the same key"
until_true grep -q "no known key" daemon.log
chmod 644 wrong.key
expect 3 "$HEARTHCP" --key-file=wrong.key "$at/data/big" .
says "others may read it; chmod 600"
expect 3 dcp "hearth://127.0.0.1:1/data/big" .
says "no daemon can be reached"
expect 1 dcp hearth://host data
says "give hearth://"
# Out of the module leads no path and no symlink, neither for reading nor for writing.
mkdir got
for path in data/../secret/hidden data/way-out/hidden data/way-out2/hidden ../secret/hidden data//../../etc/passwd; do
	status=0
	dcp "$at/$path" got/ > out 2> err || status=$?
	[ $status = 4 ] || [ $status = 23 ] || fail "$path: exit status $status: $(cat err)"
	[ -z "$(ls -A got)" ] || fail "$path came out"
done
ln -s ../secret box/out
for path in box/../secret/x box/out/x box/out box/out/new/; do
	status=0
	dcp data/sub/f "$at/$path" > out 2> err || status=$?
	[ "$(ls secret)" = hidden ] || fail "$path got in: $(ls secret)"
done
[ "$(cat secret/hidden)" = hidden ] || fail "overwritten"
expect 4 dcp -rt --link-dest=../../secret secret/ "$at/box/linked"
[ "$(stat -c %h secret/hidden)" = 1 ] || fail "linked out of the module"
# A module is served as the user that it names.
if id nobody > /dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
	chmod 711 "$SCRATCH" "$PWD"
	expect 0 dcp data/sub/f "$at/drop/f"
	[ "$(stat -c %U drop/f)" = nobody ] || fail "served as $(stat -c %U drop/f)"
fi
# Garbage and silence at the port neither get in nor disturb.
head -c 3000 /dev/urandom | timeout 5 "$TOOLS/flip" "$port" 1000000 0 > /dev/null || true
expect 0 dcp "$at/data/sub/f" garbage-done
# What the daemon does not understand in its configuration it names.
refused() {
	printf '%b' "$1" > bad
	expect 1 "$HEARTHD" --config=bad
	says "$2"
}
refused 'nonsense = 1\n' "bad:1: nonsense: there is no such setting"
refused "keys = $PWD/daemon.keys\n[a]\nwrite = maybe\n" "bad:3: maybe: give yes or no"
refused "keys = $PWD/daemon.keys\n[a]\npath = rel\n" "bad:3: rel: a path must begin with /"
refused "keys = $PWD/daemon.keys\n[a]\n[a]\n" "bad:3: a: a module's name has no slash and is there once"
refused "keys = $PWD/daemon.keys\n" "there is no \[module\]"
refused "keys = /nonexistent\n[a]\npath = /\nuser = root\n" "/nonexistent: cannot be read"
[ "$(id -u)" != 0 ] || refused "keys = $PWD/daemon.keys\n[a]\npath = /\n" "a: say as which user"
expect 1 "$HEARTHD" --generate-key='a b'
kill $daemon
status=0
wait $daemon || status=$?
[ $status = 0 ] || fail "the daemon ended with $status: $(cat daemon.log)"
! grep -q "Sanitizer\|runtime error" daemon.log || fail "$(cat daemon.log)"
