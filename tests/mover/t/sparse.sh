# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Holes stay holes and cost nothing on the way.
truncate -s 3G sparse
for at in 0 1000003 1500000000 3221225400; do
	printf 'island' | dd of=sparse bs=1 seek=$at conv=notrunc status=none
done
expect 0 hcp --json sparse "$HOST:$PWD/copy"
cmp sparse copy
[ "$(summary bytes_moved)" -lt 1000000 ] || fail "moved $(summary bytes_moved) bytes"
[ "$(du -k copy | cut -f1)" -lt 1000 ] || fail "the copy takes $(du -k copy)"
truncate -s 1G hole
expect 0 hcp hole hole2
cmp hole hole2
