# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Where a file cannot go from the page cache to the socket, it is read, and nothing is sent twice for that.
"$TOOLS/without" sendfile /bin/true || skip "no filters for system calls here"
random_file big 5000000
expect 0 "$TOOLS/without" sendfile "$HEARTHCP" -e "$SCRATCH/rsh" --hearthd-path="$HEARTHD" --stages=fused --integrity=link --json big "$HOST:$PWD/copy"
cmp big copy
[ "$(summary blocks_resent)" = 0 ] || fail "$(summary blocks_resent) blocks were sent twice"
