# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# A second run moves nothing; a changed file, a changed mode and a new file are brought up to date, and only they.
mkdir src
for i in $(seq 300); do echo "$i" > "src/f$i"; done
expect 0 hcp -a src/ "$HOST:$PWD/dst"
expect 0 hcp -a --json src/ "$HOST:$PWD/dst"
[ "$(summary bytes_moved)" = 0 ] || fail "moved $(summary bytes_moved) bytes"
echo changed > src/f7
chmod 600 src/f8
echo new > src/new
expect 0 hcp -a --json src/ "$HOST:$PWD/dst"
[ "$(summary bytes_moved)" = 12 ] || fail "moved $(summary bytes_moved) bytes instead of 12"
same_tree src dst
echo newer > dst/f9
expect 0 hcp -a --update src/ "$HOST:$PWD/dst"
[ "$(cat dst/f9)" = newer ] || fail "--update overwrote a newer file"
ln -sf nowhere dst/f10
expect 0 hcp -a --update src/ "$HOST:$PWD/dst"
[ "$(cat dst/f10)" = 10 ] || fail "--update took a symlink for a newer file"
echo more > src/more
expect 0 hcp -a --existing src/ dst
{ [ ! -e dst/more ] && [ "$(cat dst/f9)" = 9 ]; } || fail "--existing"
echo newer > dst/f9
expect 0 hcp -a --ignore-existing src/ dst
{ [ "$(cat dst/f9)" = newer ] && [ "$(cat dst/more)" = more ]; } || fail "--ignore-existing"
expect 0 hcp -a src/ dst
same_tree src dst
