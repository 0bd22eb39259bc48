# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --verify finds a disk that keeps something else than it was given, and leaves the file out.
random_file big 3000000
echo small > small
expect 0 ncp -t --verify big small "$HOST:$PWD/good/"
cmp big good/big
cmp small good/small
mkdir bad
cat > "$PWD/hearthd-liar" << LIAR
#!/bin/sh
export LD_PRELOAD="$TOOLS/liar.so" ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0"
exec "$HEARTHD" "\$@"
LIAR
chmod +x hearthd-liar
lie() {
	"$HEARTHCP" -e "$SCRATCH/rsh" --hearthd-path="$PWD/hearthd-liar" "$@"
}
expect 0 lie -t big small "$HOST:$PWD/bad/"
! cmp -s big bad/big || fail "the liar does not lie"
rm bad/*
expect 23 lie -t --verify big small "$HOST:$PWD/bad/"
grep -q "big: .*gave back something else" err || fail "not named: $(cat err)"
grep -q "small: .*gave back something else" err || fail "not named: $(cat err)"
[ -z "$(ls -A bad)" ] || fail "kept what is wrong: $(ls -A bad)"
