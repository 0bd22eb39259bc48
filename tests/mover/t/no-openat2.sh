# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Where the kernel has no openat2(2), paths cannot be confined: nothing is copied, and the message says why.
echo text > src
mkdir box tree
echo x > tree/f
"$TOOLS/without" openat2 /bin/true || skip "no filters for system calls here"
"$HEARTHD" --generate-key=me > keys
chmod 600 keys
port=$((20000 + ($$ + 11000) % 20000))
printf 'port = %s\nkeys = %s\n[box]\npath = %s\nwrite = yes\nuser = root\n' $port "$PWD/keys" "$PWD/box" > conf
"$TOOLS/without" openat2 "$HEARTHD" --config=conf 2> daemon.log &
daemon=$!
trap 'kill $daemon 2> /dev/null || true' EXIT
until_true grep -q "on port $port" daemon.log
for way in "src hearth://127.0.0.1:$port/box/" "-r tree hearth://127.0.0.1:$port/box/"; do
	status=0
	# shellcheck disable=SC2086
	"$HEARTHCP" --key-file=keys $way > out 2> err || status=$?
	[ $status = 4 ] || [ $status = 23 ] || fail "exit status $status: $(cat err)"
	grep -q "Function not implemented" err || fail "unclear: $(cat err)"
	[ -z "$(ls -A box)" ] || fail "wrote: $(ls -A box)"
done
echo secret > box/secret
status=0
"$HEARTHCP" --key-file=keys "hearth://127.0.0.1:$port/box/secret" got > out 2> err || status=$?
[ $status = 4 ] || [ $status = 23 ] || fail "exit status $status: $(cat err)"
[ ! -e got ] || fail "read without being confined"
status=0
"$TOOLS/without" openat2 "$HEARTHCP" -r tree local > out 2> err || status=$?
[ $status != 0 ] || fail "copied without being confined"
grep -q "Function not implemented" err || fail "unclear: $(cat err)"
kill $daemon
