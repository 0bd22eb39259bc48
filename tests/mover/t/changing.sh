# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Source files that vanish, shrink or become something else while they are copied: each is named, the rest is copied.
# With and without checksums: without, a block goes out as the file is, and what it turns out not to have is asked for again.
begin() {
	rm -rf dst vanishes replaced
	random_file shrinks 2000000
	for f in vanishes replaced stays; do echo $f > $f; done
	mkdir dst
	"$HEARTHCP" --bwlimit=5M --streams=1 --stages=fused --memory=1M "$@" big vanishes shrinks replaced stays "$to" > out 2> err &
	client=$!
	until_true journal_has dst/.big.hearth-journal 240
	kill -STOP $client
	rm vanishes replaced
	ln -s /etc/passwd replaced
	truncate -s 1000000 shrinks
	kill -CONT $client
}

check() {
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
}

random_file big 30000000
to=dst
begin --block-size=64K
check
to=$HOST:$PWD/dst
begin -e "$SCRATCH/rsh" --hearthd-path="$HEARTHD" --stats --integrity=link --block-size=256K
check
grep -q " [1-9][0-9]* blocks sent again" out err || fail "no block was void: $(cat out err)"
