# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --delete removes what rsync's removes, and nothing when the index cannot be trusted.
mkdir -p src/a/b src/keep
for f in f a/g a/b/h keep/me build.o; do echo "$f" > "src/$f"; done
prepare() {
	for tool in theirs ours; do
		rm -rf $tool
		cp -a src $tool
		mkdir -p $tool/a/extra/deep $tool/odd
		for f in extra a/extra/deep/x a/b/old odd/x.o odd/y z.o "$(printf 'new\nline')"; do echo x > "$tool/$f"; done
		ln -s /etc $tool/a/link
		mkfifo $tool/pipe
		(cd $tool && touch -h -d @7 extra a/extra/deep/x a/b/old odd/* z.o new* a/link pipe)
	done
}
n=0
while read -r args; do
	n=$((n + 1))
	prepare
	eval "rsync -a $args theirs" || [ $? = 25 ]
	eval "ncp -a $args $HOST:$PWD/ours" || [ $? = 25 ] || fail "$args"
	touch -d @0 theirs ours
	same_tree theirs ours --omit-dir-times
done << 'LIST'
--delete src/
--delete src/a/ src/keep
--delete src/a/ src/keep/
--delete --exclude='*.o' src/
--delete-excluded --exclude='*.o' src/
--delete --exclude=/odd src/
--delete --exclude=deep src/
--delete src/f src/keep
--max-delete=0 --delete src/
LIST
[ $n = 9 ] || fail "only $n cases"
[ -d /etc ] || fail "followed a symlink"
# From the far end as well; --max-delete stops in time, and says so.
prepare
expect 25 ncp -a --delete --max-delete=2 --json "$HOST:$PWD/src/" ours
[ "$(summary files_deleted)" = 2 ] || fail "deleted $(summary files_deleted)"
grep -q "max-delete=2: [0-9]* more" out || fail "not said: $(cat out)"
expect 0 ncp -a --delete "$HOST:$PWD/src/" ours
same_tree src ours
# An empty source may be an unmounted disk; so may one of several.
mkdir empty
prepare
rm -rf before
cp -a ours before
expect 25 ncp -a --delete empty/ "$HOST:$PWD/ours"
grep -q "a source is empty: is it mounted" err || fail "not said: $(cat err)"
expect 25 ncp -a --delete empty/ src/ ours
same_tree before ours --omit-dir-times
expect 0 ncp -a --delete --force empty/ "$HOST:$PWD/ours"
[ -z "$(ls -A ours)" ] || fail "--force left $(ls -A ours)"
# A source of which something could not be read deletes nothing.
prepare
rm -rf before
cp -a ours before
expect 23 ncp -a --delete src/ missing/ ours
same_tree before ours --omit-dir-times
grep -q "not all of the source could be read" err || fail "not said: $(cat err)"
# Unfinished files of other jobs go; those of this job stay until they are finished.
expect 0 ncp -a --delete src/ ours
echo part > ours/.f.hearth
echo part > ours/.other.hearth
expect 0 ncp -a --delete src/ ours
[ ! -e ours/.other.hearth ] || fail "an unfinished file of nobody stayed"
[ -e ours/.f.hearth ] || fail "an unfinished file was deleted"
