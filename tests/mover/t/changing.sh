# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Source files that vanish, shrink or become something else while they are copied: each is named, the rest is copied.
random_file big 30000000
random_file shrinks 2000000
for f in vanishes replaced stays; do echo $f > $f; done
mkdir dst
"$HEARTHCP" --bwlimit=5M --streams=1 --stages=fused --memory=1M --block-size=64K big vanishes shrinks replaced stays dst > out 2> err &
client=$!
until_true journal_has dst/.big.hearth-journal 240
kill -STOP $client
rm vanishes replaced
ln -s /etc/passwd replaced
truncate -s 1000000 shrinks
kill -CONT $client
status=0
wait $client || status=$?
[ $status = 23 ] || fail "exit status $status: $(cat err)"
{
	grep -q "vanishes: vanished before it was copied" err &&
		grep -q "shrinks: shrank while it was copied" err &&
		grep -q "replaced: became a symlink" err
} || fail "unclear messages: $(cat err)"
[ "$(ls -A dst)" = "$(printf 'big\nstays')" ] || fail "left behind: $(ls -A dst)"
cmp big dst/big
