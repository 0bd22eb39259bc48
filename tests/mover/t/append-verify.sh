# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --append-verify: what is right of a shorter file stays where it is and only the rest travels; what is wrong is mended.
random_file big 3000000
try() { # bytes that may travel, options
	most=$1
	shift
	inode=$(stat -c %i dst)
	expect 0 ncp -t --append-verify --json "$@"
	cmp big dst || fail "not the same: $*"
	[ "$(stat -c %i dst)" = "$inode" ] || fail "another file: $*"
	[ "$(summary bytes_moved)" -le "$most" ] || fail "$*: moved $(summary bytes_moved) bytes"
	no_leftovers .
}
to="$HOST:$PWD/dst"
for options in --stages=fused --stages=split --seal=encrypt -z --integrity=link --verify --fsync=file "--streams=3 --block-size=4K"; do
	head -c 2000000 big > dst
	# shellcheck disable=SC2086
	try 1010000 $options big "$to"
done
head -c 2000000 big > dst
try 1010000 "$HOST:$PWD/big" dst
head -c 2000000 big > dst
try 1010000 big dst
# One wrong byte costs its block; a file that has nothing in common costs itself.
head -c 2000000 big > dst
printf 'x' | dd of=dst bs=1 seek=700000 conv=notrunc status=none
try 1100000 --block-size=64K big "$to"
head -c 2000000 /dev/zero > dst
try 3100000 big "$to"
# By a handful of bytes, of small files: as rsync does it, and exactly what is new travels of what was right.
mkdir src
for i in $(seq 60); do random_file "src/f$i" $((i * 37)); done
for tool in theirs ours pulled; do
	mkdir $tool
	for i in $(seq 60); do
		head -c $((i * (i % 38))) "src/f$i" > $tool/f"$i"
		[ $((i % 7)) != 0 ] || printf 'wrong' | dd of=$tool/f"$i" conv=notrunc status=none
	done
	(cd $tool && touch -d @7 ./*)
done
rsync -a --append-verify src/ theirs
expect 0 ncp -a --append-verify src/ "$HOST:$PWD/ours"
expect 0 ncp -a --append-verify "$HOST:$PWD/src/" pulled
same_tree src ours
same_tree src pulled
# What is as long or longer is an ordinary file; so is what is none, and a file that is not there.
head -c 4000000 /dev/zero > dst
try 3000000 big "$to"
ln -sf /etc/passwd link
expect 0 ncp --append-verify big "$HOST:$PWD/link"
{ [ ! -L link ] && cmp big link; } || fail "appended to what a symlink points to"
expect 0 ncp --append-verify big new
cmp big new
# Killed in the middle, it goes on.
random_file big 200000000
head -c 100000000 big > dst
"$HEARTHCP" -t --append-verify --bwlimit=20M --block-size=64K big dst &
client=$!
until_true journal_has .dst.hearth-journal 4800
kill -9 $client
wait $client || true
expect 0 ncp -t --append-verify --block-size=64K --json big dst
[ "$(summary bytes_resumed)" -gt 0 ] || fail "started over"
cmp big dst
no_leftovers .
