# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Every allocation of a small copy fails in turn, at the near end and at the far end: no crash, a message, nothing half
# written under its name; what says that it succeeded did, and the same command again completes the rest.
scarce=$TOOLS/scarce.so
sanitizer=$(ldd "$HEARTHCP" | sed -n 's/.*=> \(.*libasan[^ ]*\) .*/\1/p')
mkdir -p src/sub
random_file src/one 150000
random_file src/sub/two 3000
ln src/one src/sub/link
ln -s one src/soft
echo text > src/sub/three

# whole_or_absent: each file at the destination is the source's
whole_or_absent() {
	find dst -type f ! -name '.*' | while read -r f; do
		cmp -s "$f" "src/${f#dst/}" || fail "$*: half a file under its final name: $f"
	done
}

# with_scarce PROGRAM NTH COMMAND...
with_scarce() {
	(
		export SCARCE_PROGRAM="$1" SCARCE_NTH="$2" SCARCE_MARK="$PWD/mark"
		export ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0:detect_leaks=0"
		shift 2
		LD_PRELOAD="$scarce${sanitizer:+:$sanitizer}"
		export LD_PRELOAD
		exec timeout 60 "$@"
	)
}

# sweep PROGRAM COMMAND...
sweep() {
	program=$1
	shift
	nth=1 failures=0
	while :; do
		rm -rf dst mark
		mkdir dst
		status=0
		with_scarce "$program" $nth "$@" > out 2> err || status=$?
		where="$program, allocation $nth${SCARCE_EVER:+ and all after it} of: $*"
		! grep -q "Sanitizer\|runtime error" err || fail "$where: $(cat err)"
		case $status in
		124 | 137) fail "$where: hangs" ;;
		99 | 1[3-9][0-9]) fail "$where: ends with $status: $(cat err)" ;;
		0) same_tree src dst -H ;;
		*) [ -s err ] || fail "$where: exit status $status and not a word" ;;
		esac
		whole_or_absent "$where"
		[ -e mark ] || break
		[ $status = 0 ] || {
			failures=$((failures + 1))
			"$@" > out 2> err || fail "after $where, the same again: $(cat err)"
			same_tree src dst -H
			no_leftovers dst
		}
		nth=$((nth + 1))
	done
	echo "$program, $*: $((nth - 1)) allocations have failed, $failures of the copies did"
	[ $failures -ge 5 ] || fail "hardly a copy has failed"
}

rsh="$HEARTHCP -aH -e $SCRATCH/rsh --hearthd-path=$HEARTHD src/ $HOST:$PWD/dst/"
sweep hearthcp "$HEARTHCP" -aH src/ dst/
# shellcheck disable=SC2086 # words
sweep hearthcp $rsh
# shellcheck disable=SC2086
sweep hearthd $rsh
export SCARCE_EVER=1
# shellcheck disable=SC2086
sweep hearthd $rsh
