# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# One big file, local, pushed and pulled, by every plan of threads, is the same at the other end and leaves nothing else.
random_file big 150000001
for plan in "--stages=fused --streams=1" "--stages=fused --streams=4" "--stages=split --streams=3 --block-size=1M"; do
	# shellcheck disable=SC2086
	{
		expect 0 hcp $plan -t big local
		expect 0 hcp $plan -t big "$HOST:$PWD/pushed"
		expect 0 hcp $plan -t --json "$HOST:$PWD/big" pulled
	}
	[ "$(summary bytes_moved)" = 150000001 ] || fail "moved $(summary bytes_moved) bytes"
	for copy in local pushed pulled; do
		cmp big $copy
		[ "$(stat -c %y big)" = "$(stat -c %y $copy)" ] || fail "$copy has another time"
		rm $copy
	done
	no_leftovers .
done
