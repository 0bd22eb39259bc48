# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# -x stops where another file system begins, as rsync does; without it, it goes on.
[ "$(id -u)" = 0 ] || skip "only root mounts"
mkdir -p src/a/other src/b
echo here > src/a/f
mount -t tmpfs -o size=1m none src/a/other || skip "no tmpfs can be mounted here"
echo there > src/a/other/f
rsync -ax src/ theirs/
expect 0 ncp -ax src/ "$HOST:$PWD/ours"
expect 0 ncp -ax "$HOST:$PWD/src/" pulled
same_tree theirs ours
same_tree theirs pulled
[ ! -e ours/a/other/f ] || fail "went on"
expect 0 ncp -a src/ all
[ "$(cat all/a/other/f)" = there ] || fail "stopped without -x"
# What lies there is not deleted for want of it in the index.
expect 0 ncp -ax --delete src/ all
[ "$(cat all/a/other/f)" = there ] || fail "deleted what was not looked at"
