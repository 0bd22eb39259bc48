# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# -H: names of one file are names of one file again, on every way, also across directories and sources.
mkdir -p src/a/b other
echo one > src/one
ln src/one src/a/two
ln src/one src/a/b/three
random_file src/big 3000000
ln src/big src/a/big2
ln src/one other/four
echo alone > src/alone
one_file() {
	for name; do same_file "$name" "$1" || fail "$name is not $1"; done
}
for plan in local "$HOST:$PWD/pushed"; do
	expect 0 ncp -aH src other "$plan"
	where=${plan#*:}
	same_tree src "$where/src" -H
	one_file "$where/src/one" "$where/src/a/two" "$where/src/a/b/three" "$where/other/four"
	one_file "$where/src/big" "$where/src/a/big2"
	[ "$(stat -c %h "$where/src/alone")" = 1 ] || fail "linked what was alone"
done
expect 0 ncp -aH --json "$HOST:$PWD/src/" pulled
same_tree src pulled -H
[ "$(summary bytes_moved)" -lt 3100000 ] || fail "content of links moved: $(summary bytes_moved)"
# A second run changes nothing, and a dry one says so; a link that was broken up is mended.
expect 0 ncp -aHi src/ "$HOST:$PWD/pulled"
[ ! -s out ] || fail "changed again: $(cat out)"
expect 0 ncp -aHin src/ "$HOST:$PWD/pulled"
[ ! -s out ] || fail "would change again: $(cat out)"
cp pulled/a/two x && rm pulled/a/two && cp -p x pulled/a/two && rm x
expect 0 ncp -aHi src/ "$HOST:$PWD/pulled"
{ grep -qx "hf+++++++++ a/two" out && ! grep -q "^<" out; } || fail "not mended: $(cat out)"
same_tree src pulled -H
no_leftovers .
# Without -H they are files of their own.
expect 0 ncp -a src/ plain
[ "$(stat -c %h plain/one)" = 1 ] || fail "linked without -H"
