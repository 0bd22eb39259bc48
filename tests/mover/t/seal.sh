# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What --seal=encrypt sends cannot be read on the way, content and packed content alike; what mac sends can.
yes "the secret of the sea" | head -c 1000000 > text
mkdir small
for i in $(seq 30); do echo "the secret of the sea $i" > "small/f$i"; done
cat > rsh << 'RSH'
#!/bin/sh
if [ "$1" = -W ]; then
	tee -a wire | "$TOOLS/flip" "${2#127.0.0.1:}" 1000000000 0
	exit
fi
shift
exec "$@"
RSH
chmod +x rsh
export TOOLS
for seal in none mac encrypt; do
	rm -rf wire dst
	expect 0 "$HEARTHCP" -a -e ./rsh --hearthd-path="$HEARTHD" --data=ssh --seal=$seal text small "$HOST:$PWD/dst"
	same_tree small dst/small
	cmp text dst/text
	[ "$(wc -c < wire)" -gt 1000000 ] || fail "not recorded"
	case $seal in
	encrypt) ! grep -qa "the secret" wire || fail "readable on the way" ;;
	*) grep -qa "the secret" wire || fail "the test looks in the wrong place" ;;
	esac
done
rm -rf dst
expect 0 "$HEARTHCP" -az -e ./rsh --hearthd-path="$HEARTHD" --data=ssh --seal=encrypt text small "$HOST:$PWD/dst"
cmp text dst/text
same_tree small dst/small
expect 0 ncp -a --seal=encrypt --stages=split "$HOST:$PWD/small/" pulled
same_tree small pulled
