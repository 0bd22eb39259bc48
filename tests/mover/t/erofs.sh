# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Other people's programs read what the library writes: one of everything, links and attributes included.
"$TOOLS/unit-erofs" image
fsck.erofs -d9 image > log 2>&1 || fail "$(cat log)"
grep -q "No errors found" log || fail "$(cat log)"
fsck.erofs --extract=tree image
[ "$(stat -c %s tree/blocks)" = 12293 ] || fail "a file has another size"
[ "$(readlink tree/dir/sub/short)" = ../one ] || fail "a symlink leads elsewhere"
[ "$(stat -c %t:%T tree/dir/sub/device)" = 103:11170 ] || fail "a device is another one"
[ -p "tree/dir/sub/!before the dots" ] || fail "there is no FIFO"
cmp tree/later tree/dir/sub/attributes
dump.erofs --path=/later image > log
grep -q "Links: 2" log || fail "a link does not count: $(cat log)"
grep -q "Uid: 4000000000 *Gid: 70000" log || fail "owners are others: $(cat log)"
dump.erofs --path=/dir/empty image | grep -q "Xattr size: 60052" || fail "attributes take another size"
# A single byte that is another one is noticed.
printf x | dd of=image bs=1 seek=1100 conv=notrunc status=none
fsck.erofs image > log 2>&1 || true
grep -q "chksum doesn't match" log || fail "the superblock has no checksum: $(cat log)"
