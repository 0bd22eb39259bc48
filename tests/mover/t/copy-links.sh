# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# -L copies what symlinks point to; loops and links to nowhere are named.
mkdir -p src/d outer/deep
echo f > outer/f
echo g > outer/deep/g
ln -s ../outer/f src/file
ln -s ../../outer src/d/dir
ln -s f outer/again
cp -a src theirs-src
expect 0 ncp -aL src/ "$HOST:$PWD/dst"
rsync -aL src/ theirs/
same_tree theirs dst
expect 0 ncp -aL "$HOST:$PWD/src/" pulled
same_tree theirs pulled
ln -s . src/loop
ln -s nowhere src/dangling
expect 23 ncp -aL src/ "$HOST:$PWD/dst2"
{ grep -q "src/loop: leads back to a directory" err && grep -q "src/dangling: is a symlink that cannot be followed" err; } ||
	fail "not named: $(cat err)"
rm dst2/loop 2> /dev/null && fail "followed a loop"
same_tree theirs dst2 --omit-dir-times
