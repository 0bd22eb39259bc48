# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Symlinks that wait at the destination, under a file's, a directory's or a temporary name, are never followed.
mkdir -p src/d dst outside
random_file src/big 2000000
echo data > src/d/f
echo data > src/g
echo precious > outside/precious
ln -s "$PWD/outside" dst/d
ln -s "$PWD/outside/precious" dst/g
ln -s "$PWD/outside/precious" dst/.g.hearth
ln -s "$PWD/outside/precious" dst/.big.hearth
ln -s "$PWD/outside/precious" dst/.big.hearth-journal
expect 23 hcp -r src/ dst
[ "$(cat outside/precious)" = precious ] || fail "a symlink was followed"
[ "$(ls outside)" = precious ] || fail "a symlink to a directory was followed"
[ ! -L dst/g ] && cmp src/g dst/g && cmp src/big dst/big
# What a journal says that is not ours, or that others may write to, is not believed.
[ "$(id -u)" = 0 ] || exit 0
random_file large 100000000
for how in "chown 1" "chmod g+w"; do
	"$HEARTHCP" -t --block-size=64K --bwlimit=5M large dst/ &
	client=$!
	until_true journal_has dst/.large.hearth-journal 2400
	kill -9 $client
	wait $client || true
	$how dst/.large.hearth-journal
	expect 0 "$HEARTHCP" -t --json large dst/
	[ "$(summary bytes_resumed)" = 0 ] || fail "$how: believed what it says of $(summary bytes_resumed) bytes"
	cmp large dst/large
	rm dst/large
done
