# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# -c looks at contents, not at times; a file with the same content only gets its time.
mkdir src
echo aaaa > src/f
echo same > src/g
random_file src/big 1500000
expect 0 ncp -a src/ dst
echo bbbb > src/f
touch -r dst/f src/f
touch -d @5 src/g
expect 0 ncp -a --size-only src/ dst
[ "$(cat dst/f)" = aaaa ] || fail "copied what looks the same"
expect 0 ncp -ac --json src/ "$HOST:$PWD/dst"
[ "$(summary bytes_moved)" = 5 ] || fail "moved $(summary bytes_moved) bytes"
same_tree src dst
expect 0 ncp -ac --json "$HOST:$PWD/src/" dst
[ "$(summary bytes_moved)" = 0 ] || fail "moved $(summary bytes_moved) bytes again"
