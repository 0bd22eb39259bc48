# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# -n changes nothing anywhere; -v and -i name what rsync would name.
mkdir -p src/sub/deep src/new dst/sub
echo same > src/same
echo changed > src/changed
echo longer text > src/sub/grown
echo g > src/sub/deep/g
: > src/empty
ln -s target src/link
mkfifo src/pipe
echo was a symlink > src/turned
touch -d @1000000000 src/same src/changed src/sub/grown
cp -a src/same dst/
echo CHANGED > dst/changed
echo short > dst/sub/grown
chmod 600 dst/same
ln -s nowhere dst/turned
mkdir dst/gone
echo x > dst/gone/x
touch -d @1500000000 dst dst/sub
cp -a dst before
expect 0 rsync -ain --delete src/ dst/
sort out > theirs
for where in dst "$HOST:$PWD/dst"; do
	expect 0 ncp -ain --delete src/ "$where"
	sed 's/^</>/' out | sort > ours
	diff theirs ours || fail "other changes than rsync to $where"
	expect 0 ncp -avn --delete src/ "$where"
	{ grep -qx "sub/grown" out && grep -qx "deleting gone/x" out; } || fail "-v: $(cat out)"
	expect 0 ncp -an --json src/ "$where"
	[ "$(summary bytes_moved)" = 0 ] || fail "moved $(summary bytes_moved) bytes"
done
same_tree before dst
# Nothing at all is there, not even the destination.
expect 0 ncp -avn src "$HOST:$PWD/nowhere/"
grep -qx "src/sub/deep/g" out || fail "not named: $(cat out)"
[ ! -e nowhere ] || fail "a dry run made something"
expect 0 ncp -ai --delete "$HOST:$PWD/src/" dst
sort out | diff theirs - || fail "other changes than rsync on a pull"
same_tree src dst
