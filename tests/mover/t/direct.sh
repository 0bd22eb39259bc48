# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --direct=yes: files of any length go past the page cache whole, and through it where a file system refuses.
cached() { # how many pages of a file the cache holds
	python3 - "$1" <<-'EOF'
		import ctypes, mmap, os, sys
		fd = os.open(sys.argv[1], os.O_RDONLY)
		size = os.fstat(fd).st_size
		libc = ctypes.CDLL(None, use_errno=True)
		libc.mmap.restype = ctypes.c_void_p
		at = libc.mmap(None, ctypes.c_size_t(size), mmap.PROT_READ, mmap.MAP_SHARED, fd, ctypes.c_long(0))
		pages = (size + 4095) // 4096
		vector = (ctypes.c_ubyte * pages)()
		assert libc.mincore(ctypes.c_void_p(at), ctypes.c_size_t(size), vector) == 0
		print(sum(v & 1 for v in vector))
	EOF
}
drop() {
	sync "$1"
	dd if="$1" iflag=nocache count=0 2> /dev/null
}
mkdir src
random_file src/even 4194304
random_file src/odd 5000001
random_file src/small 300
for i in 1 2 3; do random_file src/a$i 70001; done
truncate -s 3000000 src/hole
head -c 1000000 /dev/urandom | dd of=src/hole bs=1M seek=1 conv=notrunc 2> /dev/null
for f in src/*; do drop "$f"; done
refuses=$(dd if=src/even of=/dev/null iflag=direct bs=1M count=1 2>&1 | grep -c "Invalid argument" || true)
[ "$refuses" = 0 ] || skip "no O_DIRECT here"
expect 0 ncp -a --direct=yes "$HOST:$PWD/src/" push
same_tree src push
expect 0 ncp -a --direct=yes src/ "$HOST:$PWD/pull"
same_tree src pull
expect 0 "$HEARTHCP" -a --direct=yes --block-size=100000 src/ odd-blocks
same_tree src odd-blocks
[ "$(stat -c %b push/hole)" -lt 4000 ] || fail "the hole was filled"
# Neither end's copy of the large file is in the cache, but for its last page.
expect 0 ncp --direct=yes src/odd "$HOST:$PWD/odd"
for f in src/even push/even; do drop $f; done
expect 0 ncp --direct=yes src/even "$HOST:$PWD/even"
for f in src/even even; do
	[ "$(cached $f)" -le 1 ] || fail "$f: $(cached $f) pages in the cache"
done
cmp src/even even
# So it is by itself with one of 64 MiB, however few CPUs there are; but what is in the cache is read from there.
mkdir large
if [ -e "/sys/dev/block/$(stat -c %Hd:%Ld large)" ]; then
	random_file large/file 67109000
	sync large/file
	drop large/file
	expect 0 ncp large/file "$HOST:$PWD/large/push"
	for f in large/file large/push; do
		[ "$(cached $f)" -le 1 ] || fail "$f: $(cached $f) pages in the cache"
	done
	expect 0 ncp --direct=no large/file "$HOST:$PWD/large/through"
	[ "$(cached large/file)" -gt 16000 ] || fail "--direct=no left $(cached large/file) pages in the cache"
	expect 0 ncp large/file "$HOST:$PWD/large/again"
	[ "$(cached large/file)" -gt 16000 ] || fail "reading threw the file out of the cache"
	for f in push through again; do cmp large/file large/$f; done
fi
rm -r large
# What is interrupted continues.
"$HEARTHCP" --direct=yes --bwlimit=1000 src/odd again 2> err &
client=$!
until_true test -s .again.hearth-journal
kill -INT $client
wait $client || true
expect 0 "$HEARTHCP" --direct=yes --json src/odd again
cmp src/odd again
no_leftovers .
# Refused by the file system: said once, by name, and copied all the same.
mkdir ram
mount -t ramfs none ram 2> /dev/null || skip "no ramfs"
expect 0 "$HEARTHCP" -a --direct=yes src/ ram/copy
[ "$(grep -c "refuses O_DIRECT" err)" = 1 ] || fail "not said once: $(cat err)"
same_tree src ram/copy
expect 0 "$HEARTHCP" -a --direct=auto src/ ram/auto
[ ! -s err ] || fail "auto complains: $(cat err)"
expect 1 "$HEARTHCP" --direct=maybe src/odd x
