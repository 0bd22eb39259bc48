# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# -b keeps what is replaced or deleted, under another name.
mkdir src dst
echo new > src/f
ln -s new src/l
echo old > dst/f
ln -s old dst/l
echo extra > dst/extra
touch -d @1 dst/f
cp -a dst theirs
rsync -ab --delete src/ theirs/
expect 0 ncp -ab --delete src/ "$HOST:$PWD/dst"
same_tree theirs dst -O # as rsync with -b, directories keep the time of the change
[ "$(cat dst/f~)" = old ] || fail "no backup"
echo newer > src/f
expect 0 ncp -a --suffix=.bak "$HOST:$PWD/src/" dst
[ "$(cat dst/f.bak)" = new ] || fail "no backup with a suffix"
