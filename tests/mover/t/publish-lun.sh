# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --publish to a LUN, for which a file stands in (node.c): by push, from one far end to another, through a daemon, and what is refused.
# shellcheck source=tests/mover/lib-lun.sh
. "$HEARTH_TESTS/lib-lun.sh"

mkdir -p src/dir/sub
i=0
while [ $((i += 1)) -le 300 ]; do head -c $((i * 41)) /dev/urandom > "src/dir/sub/f$i"; done
random_file src/large 1000001
ln -s ../large src/dir/symlink

# holds_src FILE [OFFSET LEN]: there is an image of the tree in it, from there on.
holds_src() {
	dd if="$1" of=image bs=512 skip=$((${2:-0} / 512)) count=$((${3:-8388608} / 512)) 2> /dev/null
	fsck.erofs -d3 image > log 2>&1 || true
	grep -q "No errors found" log || fail "$1: $(cat log)"
	rm -rf back
	fsck.erofs --extract=back image
	same_tree src back
}
untouched() {
	cmp nodes/vol0 vol0.before
	[ ! -s nodes.log ] || fail "something was written: $(cat nodes.log)"
}

# Here; at a far end; from one far end to another. The first block, which makes it a file system, goes first and comes last.
make_lun vol0 8388608
expect 0 lcp --force --publish --streams=1 --stages=fused src lun:/vol0
holds_src nodes/vol0
[ "$(sed -n 1p nodes.log)" = "write 0 4096" ] || fail "begins with: $(head -n 1 nodes.log)"
[ "$(sed -n '$p' nodes.log)" = "write 0 4096" ] || fail "ends with: $(tail -n 1 nodes.log)"
no_state
make_lun vol0 8388608
expect 0 lcp --force --publish --stages=split --streams=4 --block-size=4K src/ x:lun:/vol0
holds_src nodes/vol0
make_lun vol0 8388608
expect 0 lcp --force --publish x:"$PWD/src" y:lun:/vol0
holds_src nodes/vol0

# All that goes with a tree goes with it; the next one replaces it.
echo dir > list
expect 0 lcp --force --publish --exclude='f1*' --chmod=F640 --files-from=list -r src x:lun:/vol0
dd if=nodes/vol0 of=image bs=4096 2> /dev/null
rm -rf back
fsck.erofs --extract=back image
[ "$(stat -c %a back/dir/sub/f2)" = 640 ] || fail "--chmod did nothing"
[ ! -e back/large ] || fail "there is what is not in the list"
[ ! -e back/dir/sub/f1 ] || fail "there is what was left out"
expect 0 lcp --force --publish src x:lun:/vol0
holds_src nodes/vol0

# Into a part of it, which ends and begins where no block of the image does; nothing outside changes.
for punch in yes no; do
	make_lun vol0 8388608
	HEARTH_PUNCH=$punch expect 0 lcp --force --publish src x:lun:/vol0@1536+6M
	holds_src nodes/vol0 1536 6291456
	same_part nodes/vol0 0 1536 vol0.before
	same_part nodes/vol0 6292992 2095616 vol0.before 6292992
done

# What is too small, in use, or not to be, stays as it is.
make_lun vol0 1048576
expect 4 lcp --force --publish src x:lun:/vol0
says "lun:/vol0: has room for 1.0 MiB, and the tree needs .*; it is left as it was"
untouched
make_lun vol0 8388608
expect 4 lcp --force --publish src x:lun:/vol0@1M+1M
says "has room for 1.0 MiB"
untouched
[ -d /sys/kernel/config/target ] || {
	expect 4 lcp --publish src x:lun:/vol0
	says "lun:/vol0: it cannot be seen whether an initiator may write to it"
	untouched
}
expect 4 lcp --force --publish src lun:/none
says "lun:/none: there is no such LUN here"
expect 4 lcp --force --publish src/large x:lun:/vol0
says "the source is missing or no directory"
(
	exec 9< nodes/vol0
	flock -x 9
	expect 4 lcp --force --publish src x:lun:/vol0
	says "lun:/vol0: another copy is writing to it"
)
untouched
# A second one, while one is under way.
random_file src/slow 4000000
./hearthcp -e "$SCRATCH/rsh" --hearthd-path="$PWD/hearthd" --force --publish --memory=1M --block-size=64K --bwlimit=1M \
	src x:lun:/vol0 > first 2>&1 &
first=$!
until_true [ -s nodes.log ]
expect 4 lcp --force --publish src x:lun:/vol0
says "lun:/vol0: another copy is writing to it"
expect 4 lcp --force src/large x:lun:/vol0
says "lun:/vol0: another copy is writing to it"
wait $first || fail "the first: $(cat first)"
holds_src nodes/vol0
rm src/slow
for option in --keep-warm --no-cache; do
	expect 1 lcp $option --publish src lun:/vol0
	says "--keep-warm, --no-cache: not with --publish"
done
expect 1 lcp --publish lun:/vol0 image
says "a LUN is no directory"
expect 1 lcp --publish src x:lun:/a/b
says "give lun:/NAME"

# A daemon: who may copy into a LUN may publish to it, and nobody else; a directory of its has no LUNs in it.
./hearthd --generate-key=alice > keys
./hearthd --generate-key=bob >> keys
chmod 600 keys
mkdir files
port=$((40000 + $$ % 20000))
cat > conf <<-END
	port = $port
	keys = $PWD/keys
	[images]
	lun = vol0
	write = yes
	users = alice
	user = root
	[readers]
	lun = vol0
	user = root
	[files]
	path = $PWD/files
	write = yes
	user = root
END
./hearthd --config=conf 2> daemon.log &
daemon=$!
trap 'kill $daemon 2> /dev/null || true' EXIT
until_true grep -q 'modules on port' daemon.log
make_lun vol0 8388608
make_lun vol1 8388608
expect 4 lcp --key-file=keys --force --publish src hearth://bob@127.0.0.1:$port/lun:/vol0
says "lun:/vol0: this LUN is read-only for this user"
expect 4 lcp --key-file=keys --force --publish src hearth://alice@127.0.0.1:$port/lun:/vol1
says "lun:/vol1: there is no such LUN for this user"
expect 4 lcp --key-file=keys --force --publish src hearth://alice@127.0.0.1:$port/files/lun:/vol0
untouched
expect 0 lcp --key-file=keys --force --publish src hearth://alice@127.0.0.1:$port/lun:/vol0
holds_src nodes/vol0
