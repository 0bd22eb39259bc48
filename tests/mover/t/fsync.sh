# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --fsync: data is forced to disk once at the end, for each file before it gets its name, or not at all.
command -v strace > /dev/null || skip "no strace here"
export ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"
mkdir src
for i in 1 2 3 4 5; do echo "$i" > "src/f$i"; done
random_file src/big 3000000
strace -o trace true 2> /dev/null || skip "strace may not trace here"
for how in none file end; do
	strace -f -o trace -e trace=fsync,fdatasync,syncfs,rename,renameat,renameat2 \
		"$HEARTHCP" -a --fsync=$how src/ $how > out 2> err || fail "$(cat err)"
	same_tree src $how
	files=$(grep -c ' fsync(' trace || true)
	ends=$(grep -c ' syncfs(' trace || true)
	case $how in
	none) [ "$files,$ends" = 0,0 ] || fail "none: $files fsync, $ends syncfs" ;;
	end) { [ "$ends" -ge 1 ] && [ "$files" = 0 ]; } || fail "end: $files fsync, $ends syncfs" ;;
	file) [ "$files" -ge 6 ] || fail "file: only $files fsync" ;;
	esac
done
# A file system that is mounted in the destination is synced as well; the one of the source is not.
mkdir -p mounted/sub more/sub
cp src/big more/sub
if mount -t tmpfs none mounted/sub 2> /dev/null; then
	strace -f -y -o trace -e trace=syncfs "$HEARTHCP" -a more/ mounted > out 2> err || fail "$(cat err)"
	cmp src/big mounted/sub/big
	for at in mounted mounted/sub; do
		[ "$(grep -c " syncfs([0-9]*<$PWD/$at>)  *= 0" trace)" = 1 ] || fail "$at is not synced once: $(cat trace)"
	done
	mkdir both
	cp -a more/sub both
	mount -t tmpfs none both/sub
	strace -f -y -o trace -e trace=syncfs "$HEARTHCP" -a both/ one > out 2> err || fail "$(cat err)"
	[ "$(grep -c ' syncfs(' trace)" = 1 ] || fail "not one file system: $(cat trace)"
fi
# Without the option it is once at the end, after the last file has its name.
strace -f -o trace -e trace=syncfs,renameat "$HEARTHCP" -a src/ default > out 2> err || fail "$(cat err)"
grep ' renameat(\| syncfs(' trace | grep -v journal > order
[ "$(grep -c ' renameat(' order)" = 6 ] || fail "not 6 files: $(cat trace)"
tail -n 1 order | grep -q 'syncfs(' || fail "not at the end: $(cat trace)"
