# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# -R and --files-from bring the directories on the way, as rsync does.
mkdir -p src/a/b/c src/a/other src/d
for f in top a/f a/b/g a/b/c/h a/other/x d/y; do echo "$f" > "src/$f"; done
chmod 750 src/a/b
touch -d @1000 src/a src/a/b
n=0
while read -r args; do
	n=$((n + 1))
	mkdir theirs ours pulled
	# shellcheck disable=SC2086
	{
		(cd src && eval "rsync -a $args $PWD/../theirs")
		(cd src && eval "ncp -a $args $HOST:$PWD/../ours") || fail "$args"
		(cd src && eval "ncp -a $(echo "$args" | sed "s,@,$HOST:,") ../pulled") || fail "$args"
	}
	touch -d @0 theirs ours pulled
	same_tree theirs ours
	same_tree theirs pulled
	rm -r theirs ours pulled
done << 'LIST'
-R a/b/g
-R a/b/ d
-R ./a/./b/c
-R a/b/g a/b/c/h top
-R a/b a/b/g
LIST
[ $n = 5 ] || fail "only $n cases"
printf 'top\n# remark\n\na/b/g\n./d/y\na/b/c\n' > list
printf 'a/b/g\0a/f' > list0
n=0
while read -r args; do
	n=$((n + 1))
	mkdir theirs ours pulled
	# shellcheck disable=SC2086
	{
		rsync -a $args src/ theirs
		ncp -a $args src/ "$HOST:$PWD/ours" || fail "$args"
		ncp -a $args "$HOST:$PWD/src/" pulled || fail "pull $args"
	}
	touch -d @0 theirs ours pulled
	same_tree theirs ours
	same_tree theirs pulled
	rm -r theirs ours pulled
done << 'LIST'
--files-from=list
--files-from=list -r
-0 --files-from=list0
LIST
[ $n = 3 ] || fail "only $n lists"
# Nothing outside of the source, and what is missing is named.
printf '../secret\na/../../secret\nmissing/x\na/f\n' > list
echo secret > secret
expect 23 ncp -a --files-from=list src "$HOST:$PWD/dst"
[ "$(find dst -type f)" = dst/a/f ] || fail "copied: $(find dst)"
{ grep -q "missing/x" err && grep -q "leads out of the source" err; } || fail "not named: $(cat err)"
# What was named and is not there has not vanished.
echo missing > list
expect 23 ncp -a --files-from=list src "$HOST:$PWD/dst"
grep -q "missing: No such file or directory" err || fail "not named: $(cat err)"
# A long list does not fit into one message.
mkdir many
i=0
while [ $i -lt 30000 ]; do
	echo "no/such/directory/of/a/long/name/$i"
	i=$((i + 1))
done > list
echo top >> list
expect 23 ncp -aq --files-from=list "$HOST:$PWD/src" long
cmp src/top long/top
