# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Bytes inverted on the way are noticed, sent again and never stored; a way that damages everything ends the job.
random_file big 30000000
cat > rsh <<'RSH'
#!/bin/sh
if [ "$1" = -W ]; then
	exec "$TOOLS/flip" "${2#127.0.0.1:}" $(cat flips)
fi
shift
exec "$@"
RSH
chmod +x rsh
export TOOLS
echo "3000017 5" > flips
expect 0 "$HEARTHCP" -e ./rsh --hearthd-path="$HEARTHD" --data=ssh --streams=1 --json big "$HOST:$PWD/copy"
cmp big copy
[ "$(summary blocks_resent)" -ge 5 ] || fail "only $(summary blocks_resent) blocks were sent again"
# Without the checksum the damage is stored: this shows that the test damages what it should.
expect 0 "$HEARTHCP" -e ./rsh --hearthd-path="$HEARTHD" --data=ssh --streams=1 --integrity=link big "$HOST:$PWD/damaged"
! cmp -s big damaged || fail "nothing was damaged"
echo "100003 1000000" > flips
expect 6 "$HEARTHCP" -e ./rsh --hearthd-path="$HEARTHD" --data=ssh --streams=1 big "$HOST:$PWD/never"
[ ! -e never ] || fail "a damaged file under its final name"
grep -q "damaged 5 times" err || fail "unclear message: $(cat err)"
# A sealed block is not asked for again: somebody who changes blocks must not be given further tries.
echo "3000017 1" > flips
for seal in mac encrypt; do
	expect 6 "$HEARTHCP" -e ./rsh --hearthd-path="$HEARTHD" --data=ssh --streams=1 --seal=$seal big "$HOST:$PWD/never"
	grep -q "a sealed block was changed on the way" err || fail "unclear message: $(cat err)"
	[ ! -e never ] || fail "a changed file under its final name"
done
