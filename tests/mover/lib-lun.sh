# SPDX-License-Identifier: GPL-2.0-or-later
# Helpers of the tests with LUNs, where files in ./nodes stand in for the nodes (node.c): programs that take them for these.
# shellcheck shell=sh
# shellcheck disable=SC2154 # the runner's variables
mkdir nodes home
export HOME="$PWD/home" HEARTH_NODES="$PWD/nodes"
unset XDG_STATE_HOME STATE_DIRECTORY
for program in hearthcp hearthd; do
	cat > $program <<-END
		#!/bin/sh
		export LD_PRELOAD="$TOOLS/node.so" ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0"
		exec "$BUILD/$program" "\$@"
	END
	chmod +x $program
done
lcp() {
	./hearthcp -e "$SCRATCH/rsh" --hearthd-path="$PWD/hearthd" "$@"
}
says() {
	grep -q -- "$1" err || fail "\"$1\" is not in: $(cat err)"
}
make_lun() {
	random_file "nodes/$1" "$2"
	cp "nodes/$1" "$1.before"
	: > nodes.log
}
# The bytes of a file from $2 on, $3 long, are those of file $4 from its start on; with $5 from there.
same_part() {
	cmp -n "$3" -i "$2:${5:-0}" "$1" "$4" || fail "$1 at $2 is not $4"
}
# True once the journal of a copy into a LUN has more than $1 bytes.
state_has() {
	for journal in home/.local/state/hearth/lun-*; do
		journal_has "$journal" "$1" && return
	done
	return 1
}
no_state() {
	[ -z "$(ls home/.local/state/hearth 2> /dev/null)" ] || fail "left over: $(ls home/.local/state/hearth)"
}
