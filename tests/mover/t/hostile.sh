# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# A far end that breaks the rules is refused by name of the fault, and touches nothing outside the destination.
cat > rsh <<'RSH'
#!/bin/sh
shift 2
exec "$TOOLS/hostile"
RSH
chmod +x rsh
mkdir outside
export TOOLS OUTSIDE="$PWD/outside"
export HOSTILE
for HOSTILE in dotdot absolute dotdotdir unasked truncated beyond longer session wrap welcome linkup linkunasked packed; do
	mkdir -p in/dst
	expect 2 timeout 20 "$HEARTHCP" -a -e ./rsh "$HOST:src" in/dst/
	{ [ -z "$(ls -A in/dst)" ] && [ "$(ls -A in)" = dst ]; } || fail "$HOSTILE: something was made: $(find in)"
	rm -r in
done
mkdir dst
HOSTILE=symlink
expect 23 timeout 20 "$HEARTHCP" -a -e ./rsh "$HOST:src" dst/
[ -z "$(ls -A outside)" ] || fail "followed a symlink out of the destination"
grep -q "in the way of a directory" err || fail "unclear message: $(cat err)"
echo text > src
for HOSTILE in want-beyond want-unknown want-twice ack-unsent eager-ack unknown keep-unasked volume-eager volume-unknown volume-huge; do
	expect 2 timeout 20 "$HEARTHCP" -e ./rsh src "$HOST:dst"
done
