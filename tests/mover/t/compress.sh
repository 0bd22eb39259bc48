# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# -z sends less and brings the same; damage on the way is found before anything is unpacked into a file.
mkdir src
seq 400000 > src/text
random_file src/noise 1000000
for i in $(seq 200); do seq "$i" > "src/f$i"; done
bytes=$(cat src/* | wc -c)
for way in push pull; do
	rm -rf dst
	case $way in
	push) expect 0 ncp -az --json src/ "$HOST:$PWD/dst" ;;
	pull) expect 0 ncp -a --compress-level=1 --json "$HOST:$PWD/src/" dst ;;
	esac
	same_tree src dst
	[ "$(summary bytes_wire)" -lt $((bytes - 1000000)) ] || fail "$way: $(summary bytes_wire) of $bytes bytes"
	[ "$(summary bytes_wire)" -gt 1000000 ] || fail "$way: noise shrank: $(summary bytes_wire)"
done
rm -rf dst
expect 0 ncp -a --json src/ "$HOST:$PWD/dst"
[ "$(summary bytes_wire)" -ge "$bytes" ] || fail "not even the content travelled"
