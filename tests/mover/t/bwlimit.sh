# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --bwlimit: never faster than that, whichever end sends. Only slowness is demanded, so a slow machine cannot fail it.
random_file src 1200000
for way in push pull; do
	rm -f dst
	start=$(date +%s%N)
	case $way in
	push) expect 0 ncp --bwlimit=600 src "$HOST:$PWD/dst" ;;
	pull) expect 0 ncp --bwlimit=600K "$HOST:$PWD/src" dst ;;
	esac
	ms=$((($(date +%s%N) - start) / 1000000))
	cmp src dst
	[ $ms -ge 1900 ] || fail "$way: 1.2 MB in $ms ms"
done
# Waiting does not hold up being stopped.
"$HEARTHCP" --bwlimit=10 src dst2 2> err &
client=$!
until_true test -e .dst2.hearth
kill -INT $client
status=0
wait $client || status=$?
[ $status = 20 ] || fail "exit status $status"
