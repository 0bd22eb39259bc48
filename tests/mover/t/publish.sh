# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --publish makes an EROFS image that holds the tree, by any way that blocks can go; what fails leaves what was there.
# fsck.erofs 1.5 does not restore set-id bits, links and holes: the guest's test looks at these.
mkdir -p src/dir/sub src/none
i=0
while [ $((i += 1)) -le 300 ]; do head -c $((i * 41)) /dev/urandom > "src/dir/sub/f$i"; done
random_file src/large 3000001
printf x > "src/$(printf 'odd\n\377name')"
ln -s ../large src/dir/symlink
ln src/large src/dir/link
mkfifo src/fifo
: > src/empty
chmod 1750 src/dir
touch -d '1961-02-03 04:05:06.789012345' src/empty
# What comes into the tree and goes again leaves no trace.
touch_src() {
	touch -d '2031-02-03 04:05:06.5' src
}
touch_src

whole() { # image
	fsck.erofs -d3 "$1" > log 2>&1 || true
	grep -q "No errors found" log || fail "$1: $(cat log)"
}
holds_src() { # image
	whole "$1"
	rm -rf back
	fsck.erofs --extract=back "$1"
	ln -f back/large back/dir/link
	touch -r src/dir back/dir
	same_tree src back --hard-links
	dump.erofs --path=/large "$1" | grep -q "Links: 2" || fail "the link does not count"
}

expect 0 hcp --publish src image
holds_src image
[ "$(stat -c %a image)" = 644 ] || fail "the image has mode $(stat -c %a image)"
no_leftovers .

# Pushed and pulled, split stages, sealed, from one far end to another; small blocks cut files anywhere.
chmod 600 image
expect 0 hcp --publish src/ "$HOST:$PWD/image"
holds_src image
[ "$(stat -c %a image)" = 600 ] || fail "an image that is replaced does not hand on its mode"
expect 0 ncp --publish --stages=split --streams=4 --block-size=4K src "$HOST:$PWD/split"
holds_src split
expect 0 ncp --publish --seal=encrypt -z "$HOST:$PWD/src" pulled
holds_src pulled
expect 0 ncp --publish one:"$PWD/src" two:"$PWD/third"
holds_src third

# Filters and the like act on what is sent.
expect 0 hcp --publish --exclude='f*' --chmod=F640 --chown=5:6 src filtered
whole filtered
rm -rf back
fsck.erofs --extract=back filtered
[ "$(ls back/dir/sub)" = "" ] || fail "excluded files are there"
[ "$(stat -c %a:%u:%g back/large)" = 640:5:6 ] || fail "chmod and chown did nothing: $(stat -c %a:%u:%g back/large)"
expect 0 hcp --publish -v src named
grep -q "dir/sub/f300" out || fail "-v names nothing"

# A file that shrinks meanwhile is named and left out, and so are links to it; the rest is published.
random_file src/a-large 30000000
ln src/a-large src/zlink
touch_src
"$HEARTHCP" --publish --streams=1 --memory=1M --block-size=64K --bwlimit=4M src shrunk > out 2> err &
client=$!
until_true [ -s .shrunk.hearth ]
truncate -s 20000 src/a-large
status=0
wait $client || status=$?
[ $status = 23 ] || fail "exit status $status: $(cat err)"
grep -q "a-large: shrank\|zlink: shrank" err || fail "unclear: $(cat err)"
grep -q "is a link to a file that is left out" err || fail "the link is not named: $(cat err)"
rm src/a-large src/zlink
touch_src
holds_src shrunk

# Killed in the middle: there is no image, and what was there under its name stays; the next run is not in the way.
random_file src/slow 8000000
cp named target
"$HEARTHCP" --publish --memory=1M --block-size=64K --bwlimit=2M src target > out 2> err &
client=$!
until_true [ -s .target.hearth ]
expect 4 hcp --publish src target
grep -q "target: is in use: mounted, or being published to by another job" err || fail "unclear: $(cat err)"
kill -9 $client
wait $client 2> /dev/null || true
cmp named target
fsck.erofs .target.hearth > log 2>&1 || true
grep -q "cannot find valid erofs superblock" log || fail "half an image is one: $(cat log)"
rm src/slow
touch_src
expect 0 hcp --publish src target
holds_src target
no_leftovers .

# No room: the old image stays. An error of the disk says so.
(
	trap '' XFSZ
	ulimit -f 2000
	expect 4 hcp --publish src target
)
grep -q "target: cannot be written: File too large; it is left as it was" err || fail "unclear: $(cat err)"
whole target
no_leftovers .

# Refused by name, and before anything is touched.
says() {
	grep -q -- "$1" err || fail "\"$1\" is not in: $(cat err)"
	[ ! -e new ] || fail "something was published"
}
for option in --delete --inplace --append-verify --link-dest=x --backup --update --existing --ignore-existing --size-only \
	--ignore-times --checksum --remove-source-files --dry-run --verify --relative --no-perms --no-times --no-owner --no-group; do
	expect 1 hcp --publish $option src new
	says "${option%%=*}: not with --publish"
done
expect 1 hcp --publish --fsync=none src new
says "--fsync: with --publish it is always"
expect 1 hcp --publish src src new
says "give one directory"
expect 1 hcp --publish - new
says "a pipe is neither a directory nor an image"
expect 4 hcp --publish src/large new
says "the source is missing or no directory"
expect 4 hcp --publish src/nothing new
says "the source is missing or no directory"
expect 4 hcp --publish src back
says "an image goes to a file, a block device or a LUN"
expect 4 hcp --publish src missing/new
says "missing/new: No such file"
