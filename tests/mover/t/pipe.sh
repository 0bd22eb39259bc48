# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# From a pipe and to a pipe: every length, whatever the other end; nothing hangs, and no half of a file gets the name.
random_file big 3000000
: > empty
head -c 524288 big > block
echo text > small
for f in big empty block small; do
	for to in "$f.local" "$HOST:$PWD/$f.pushed"; do
		# shellcheck disable=SC2002 # it must be a pipe
		cat $f | ncp - "$to" || fail "- $to"
		cmp $f "${to#*:}"
	done
	ncp "$HOST:$PWD/$f" - > $f.out || fail "$f -"
	cmp $f $f.out
	ncp $f - | cat > $f.out || fail "$f - here"
	cmp $f $f.out
done
# What goes to a pipe has to be read in order, also where the far end has threads enough to read several blocks at once.
random_file long 30000000
ncp --direct=yes --block-size=64K "$HOST:$PWD/long" - | cmp - long || fail "to a pipe, with several threads at the far end"
ncp --direct=yes --block-size=64K long - | cmp - long || fail "to a pipe, with several threads here"
# shellcheck disable=SC2002
cat big | ncp -z --fsync=file --stages=split - "$HOST:$PWD/again"
cmp big again
# shellcheck disable=SC2002
cat small | ncp --inplace - "$HOST:$PWD/again"
cmp small again
truncate -s 5000000 hole
printf 'x' | dd of=hole bs=1 seek=2000000 conv=notrunc status=none
ncp "$HOST:$PWD/hole" - | cmp - hole || fail "a hole"
# What cannot be: a directory at either end, a reader that goes away, and being stopped while nothing comes.
mkdir d
expect 23 ncp - "$HOST:$PWD/d" < small
grep -q "a pipe needs a file name" err || fail "unclear: $(cat err)"
expect 4 ncp -r "$HOST:$PWD/d" -
grep -q "only a single file" err || fail "unclear: $(cat err)"
expect 1 ncp - -
expect 1 ncp -v small -
expect 23 ncp "$HOST:$PWD/missing" -
ncp "$HOST:$PWD/big" - 2> err | head -c 100000 | cmp -n 100000 - big
until_true grep -q "standard output cannot be written: Broken pipe" err
mkfifo fifo
sleep 100 > fifo &
writer=$!
"$HEARTHCP" -e "$SCRATCH/rsh" --hearthd-path="$HEARTHD" - "$HOST:$PWD/never" < fifo 2> err &
client=$!
until_true grep -q "hearthcp" "/proc/$client/comm"
has_threads() {
	[ "$(find "/proc/$client/task" -mindepth 1 -maxdepth 1 | wc -l)" -gt 3 ]
}
until_true has_threads
kill -INT $client
status=0
wait $client || status=$?
kill $writer
[ $status = 20 ] || fail "exit status $status: $(cat err)"
[ ! -e never ] || fail "something was made of nothing"
no_leftovers d
