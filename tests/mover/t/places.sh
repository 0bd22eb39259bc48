# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Where things land, with slashes, files, directories and several sources, is where rsync puts them.
mkdir -p one/sub two
echo 1 > one/f
echo 2 > one/sub/g
echo 3 > two/h
echo 4 > file
n=0
while read -r args; do
	n=$((n + 1))
	for tool in ours theirs; do
		mkdir -p "$tool$n/there"
		echo old > "$tool$n/oldfile"
		touch -d @1000000000 "$tool$n/oldfile"
	done
	# shellcheck disable=SC2086
	{
		(cd theirs$n && eval "rsync -a $args")
		(cd ours$n && eval "hcp -a $args") || fail "hearthcp -a $args"
		same_tree theirs$n ours$n --omit-dir-times
	}
done <<'LIST'
../one new
../one/ new
../one new/
../one there
../one/ there
../one/. there
../file new
../file new/
../file there
../file oldfile
../file ../two/h there
../one ../two new
../one/ ../two/ there
../one ../file there/
LIST
[ $n = 14 ] || fail "only $n cases"
