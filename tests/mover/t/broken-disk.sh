# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Every call of a copy that is about a file or a directory fails in turn, as on a broken disk, at the near end and at the far.
# shellcheck source=tests/mover/lib-sweep.sh
. "$HEARTH_TESTS/lib-sweep.sh"
# What is only read may be closed in vain; where a device is, and whether there is one source that is no directory, is
# looked for in other ways, too.
# shellcheck disable=SC2034
may_fail="close opendir stat64 lstat64"
make_source
setfattr -n user.mark -v yes src/sub/three 2> /dev/null || echo "no extended attributes here"
chmod 640 src/one

# Half of it is there, some of it old: is compared, replaced, removed.
prepare() {
	mkdir dst/sub
	echo old > dst/sub/three
	echo alien > dst/alien
	rm -rf kept
}

# What was replaced or deleted is in ./kept.
check_more() {
	for f in sub/three alien; do
		cmp -s "dst/$f" "before/$f" || cmp -s "kept/$f" "before/$f" || fail "$1: no backup of $f"
	done
}

options="-aHX --delete --backup --backup-dir=../kept"
rsh="$options -e $SCRATCH/rsh --hearthd-path=$HEARTHD"
# shellcheck disable=SC2086 # words
sweep broken hearthcp "$HEARTHCP" $options --fsync=file src/ dst/
# shellcheck disable=SC2086
sweep broken hearthcp "$HEARTHCP" $rsh src/ "$HOST:$PWD/dst/"
export NTH_EVER=1
# shellcheck disable=SC2086
sweep broken hearthd "$HEARTHCP" $rsh src/ "$HOST:$PWD/dst/"
