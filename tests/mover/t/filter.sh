# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --exclude and --include leave out what rsync's leave out, on a push and on a pull.
mkdir -p src/a/b/c src/build/x src/docs 'src/odd[1]'
for f in a/x.o a/b/y.o a/b/y.c a/b/c/z.o build/x/keep.c docs/build docs/a.txt docs/b.txt main.c 'odd[1]/x*y' 'odd[1]/xzy' .git; do
	echo "$f" > "src/$f"
done
printf '*.c\n*/\n' > rules.in
printf '# a remark\n\n- *.o\n*.txt\n' > rules.ex
n=0
while read -r rules; do
	n=$((n + 1))
	for from in src src/; do
		mkdir theirs pushed pulled
		eval "rsync -a $rules $from theirs"
		(eval "ncp -a $rules $from $HOST:$PWD/pushed") || fail "push $rules"
		(eval "ncp -a $rules $HOST:$PWD/$from pulled") || fail "pull $rules"
		touch -d @0 theirs pushed pulled
		same_tree theirs pushed
		same_tree theirs pulled
		rm -r theirs pushed pulled
	done
done <<'LIST'
--exclude='*.o'
--exclude=build
--exclude=build/
--exclude=/build
--exclude=/src/build
--exclude=b/c
--exclude='a/*/c'
--exclude='a/**'
--exclude='**/y.?'
--include='*.c' --include='*/' --exclude='*'
--exclude='[ab].txt' --exclude='[!a-y]*'
--exclude='x\*y'
--include=/src/a --include=/a --exclude='/*'
--exclude='**.o'
-f '- *.o' --filter='exclude build/'
--include-from=rules.in --exclude-from=rules.ex
--exclude='b/***'
--include='/a/***' --include='/src/a/***' --include='src' --exclude='*'
--include='a/b/***' --include='*/' --exclude='*'
LIST
[ $n = 19 ] || fail "only $n cases"
expect 1 hcp --exclude= src dst
grep -q "give a pattern" err
expect 1 hcp -f 'merge x' src dst
grep -q 'only "+ PATTERN" and "- PATTERN"' err
