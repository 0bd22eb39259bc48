# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --link-dest: what is the same in an earlier copy becomes another name of it; what is not is copied.
mkdir src
random_file src/big 2000000
mkdir src/sub
echo a > src/sub/a
echo b > src/b
expect 0 ncp -a src/ monday
echo changed > src/b
chmod 600 src/sub/a
expect 0 ncp -a --json --link-dest=../monday src/ "$HOST:$PWD/tuesday"
same_tree src tuesday
same_file tuesday/big monday/big || fail "big was not linked"
! same_file tuesday/b monday/b || fail "a changed file was linked"
! same_file tuesday/sub/a monday/sub/a || fail "a file with another mode was linked"
[ "$(summary bytes_moved)" = 10 ] || fail "moved $(summary bytes_moved) bytes"
[ "$(cat monday/b)" = b ] || fail "the earlier copy was changed"
expect 0 ncp -a --link-dest="$PWD/tuesday" "$HOST:$PWD/src/" wednesday
same_file wednesday/sub/a tuesday/sub/a || fail "not linked on a pull"
expect 4 ncp -a --link-dest=../sunday src/ x
grep -q "link-dest=../sunday: cannot be opened" err
# It does not lead out of that directory.
mkdir outer evil
cp -a src/b outer/
ln -s ../outer evil/sub
mkdir src2 src2/sub
cp -a src/b src2/sub/
expect 0 ncp -a --link-dest=../evil src2/ safe
[ "$(stat -c %h outer/b)" = 1 ] || fail "followed a symlink"
