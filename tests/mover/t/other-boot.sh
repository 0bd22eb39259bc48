# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# After another boot only what was synced counts: here nothing, since no five seconds passed. The copy is right all the same.
unshare -m true 2> /dev/null || skip "no mount namespaces here"
random_file big 300000000
mkdir dst
"$HEARTHCP" -t --block-size=64K big dst/ &
client=$!
until_true journal_has dst/.big.hearth-journal 24000
kill -9 $client
wait $client || true
# The data is lost with the boot: what the journal claims is no longer there.
dd if=/dev/zero of=dst/.big.hearth bs=1M count=200 conv=notrunc status=none
echo 11111111-2222-3333-4444-555555555555 > boot_id
expect 0 unshare -m sh -c 'mount --bind boot_id /proc/sys/kernel/random/boot_id && exec "$@"' sh \
	"$HEARTHCP" -t --json big dst/
[ "$(summary bytes_resumed)" = 0 ] || fail "trusted $(summary bytes_resumed) bytes"
cmp big dst/big
