# SPDX-License-Identifier: GPL-2.0-or-later
# Helpers of the tests in which every call of a kind fails in turn (nth.h): no crash, no hang, a message, nothing half
# written under its name; what says that it succeeded did, and the same command again completes the rest.
# shellcheck shell=sh
# shellcheck disable=SC2154 # the runner's variables
sanitizer=$(ldd "$HEARTHCP" | sed -n 's/.*=> \(.*libasan[^ ]*\) .*/\1/p')

# A file of each kind; small, since it is copied hundreds of times.
make_source() {
	mkdir -p src/sub
	random_file src/one 150000
	random_file src/sub/two 3000
	ln src/one src/sub/link
	ln -s one src/soft
	echo text > src/sub/three
}

# with_nth OBJECT PROGRAM NTH COMMAND...
with_nth() {
	(
		preload="$TOOLS/$1.so${sanitizer:+:$sanitizer}"
		export NTH_PROGRAM="$2" NTH_CALL="$3" NTH_MARK="$PWD/mark"
		export ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0:detect_leaks=0"
		shift 3
		export LD_PRELOAD="$preload"
		exec timeout 60 "$@"
	)
}

# whole_or_absent WHERE: each file at the destination is the source's, or was there before
whole_or_absent() {
	find dst -type f ! -name '.*' | while read -r f; do
		cmp -s "$f" "src/${f#dst/}" || cmp -s "$f" "before/${f#dst/}" || fail "$*: half a file under its final name: $f"
	done
}

# sweep OBJECT PROGRAM COMMAND...: copies src to dst. A call that fails fails the copy, unless its name is among the words of
# $may_fail; "prepare" is run before and "check_more" after each copy, if there are such functions.
sweep() {
	object=$1 program=$2
	shift 2
	nth=1 failures=0
	while :; do
		rm -rf dst before mark
		mkdir dst
		! command -v prepare > /dev/null || prepare
		cp -a dst before
		status=0
		with_nth "$object" "$program" $nth "$@" > out 2> err || status=$?
		name=$(cat mark 2> /dev/null || :)
		where="$program, call $nth ($name)${NTH_EVER:+ and all after it} of: $*"
		! grep -q "Sanitizer\|runtime error" err || fail "$where: $(cat err)"
		case $status in
		124 | 137) fail "$where: hangs" ;;
		99 | 1[3-9][0-9]) fail "$where: ends with $status: $(cat err)" ;;
		0)
			same_tree src dst -H
			[ -z "$name" ] || case " $may_fail " in
			*" any "* | *" $name "*) ;;
			*) fail "$where: fails, and the copy does not" ;;
			esac
			;;
		*) [ -s err ] || fail "$where: exit status $status and not a word" ;;
		esac
		whole_or_absent "$where"
		! command -v check_more > /dev/null || check_more "$where"
		[ -e mark ] || break
		[ $status = 0 ] || {
			failures=$((failures + 1))
			"$@" > out 2> err || fail "after $where, the same again: $(cat err)"
			same_tree src dst -H
			no_leftovers dst
		}
		nth=$((nth + 1))
	done
	echo "$program, $*: $((nth - 1)) calls have failed, $failures of the copies did"
	[ $failures -ge 5 ] || fail "hardly a copy has failed"
}
