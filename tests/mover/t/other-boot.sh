# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# After another boot what was stored but not synced is compared with the source: only what the boot cost is sent again,
# also if that run is killed and the machine boots once more; and nothing is trusted unseen.
unshare -m true 2> /dev/null || skip "no mount namespaces here"
size=300000000
random_file big $size
after_boot() { # a digit, command...; instead of the shell that it is called in
	for i in 8 4 4 4 12; do printf "%0${i}d-" 0; done | sed "s/-$//; s/0/$1/g" > "boot_id$1"
	boot=$PWD/boot_id$1
	shift
	# shellcheck disable=SC2016 # for the inner shell to expand
	exec unshare -m sh -c 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' "$boot" "$@"
}
in_shell() {
	("$@")
}
inode_of() {
	stat -c %i "$1" 2> /dev/null || echo none
}
is_other_inode() {
	[ "$(inode_of "$1")" != "$2" ]
}
# Stops when two hundred blocks are stored and none is synced.
start() { # destination, options
	mkdir "$1"
	"$HEARTHCP" -t --fsync=none --bwlimit=20M --block-size=64K big "$1/" &
	client=$!
	until_true journal_has "$1/.big.hearth-journal" 4800
	kill -9 $client
	wait $client || true
	stored=$(($(stat -c %s "$1/.big.hearth-journal") / 24 - 10))
	python3 - "$1/.big.hearth-journal" << 'END' > start
import struct, sys
data = open(sys.argv[1], "rb").read()[60 + 8 * 24:]
print(struct.unpack("<Q", data[:8])[0])
END
	# The boot cost a few bytes of a block that the journal knows.
	printf 'not what was written' | dd of="$1/.big.hearth" bs=1 seek=$(($(cat start) + 1000)) conv=notrunc status=none
}
# What is there costs its sums, 16 bytes a block, and what is damaged a block.
most() {
	echo $((size - (stored - 2) * 65536 + stored * 16))
}
finish() { # boot, destination, options
	boot_now=$1 dst=$2
	shift 2
	expect 0 in_shell after_boot "$boot_now" "$HEARTHCP" -t --json --block-size=64K "$@" big "$dst/"
	cmp big "$dst/big" || fail "the copy differs"
	no_leftovers "$dst"
	[ "$(summary bytes_resumed)" = 0 ] || fail "trusted $(summary bytes_resumed) bytes unseen"
	[ "$(summary bytes_moved)" -le "$(most)" ] || fail "$(summary bytes_moved) bytes moved instead of $(most)"
}
start once
finish 1 once
# Killed while it compares: the next boot knows as much as this one did.
start twice
journal=twice/.big.hearth-journal
before=$(inode_of $journal)
after_boot 1 "$HEARTHCP" -t --fsync=none --bwlimit=64K --block-size=64K big twice/ &
client=$!
until_true is_other_inode $journal "$before"
kill -9 $client
wait $client || true
finish 2 twice
# --verify compares on the same boot as well, and reads all of it back.
start verified
finish 3 verified --verify
start same
expect 0 "$HEARTHCP" -t --json --verify --block-size=64K big same/
cmp big same/big || fail "the copy differs"
[ "$(summary bytes_moved)" -le "$(most)" ] || fail "$(summary bytes_moved) bytes moved instead of $(most)"
