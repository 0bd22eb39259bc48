# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Every file system that is written to has threads of its own: one that does not answer keeps nobody else waiting.
client=
trap 'rm -f dst/*/.stuck; kill $client 2> /dev/null || true' EXIT
for dir in one two; do
	mkdir -p src/$dir/deep dst/$dir
	mount -t tmpfs none dst/$dir 2> /dev/null || skip "nothing can be mounted here"
	random_file src/$dir/big 40000000
	for i in $(seq 300); do random_file "src/$dir/deep/f$i" $((i * 50)); done
done
random_file src/top 100000
is_there() {
	diff -rq "src/$1" "dst/$1" > /dev/null && cmp -s src/top dst/top
}
# The volume that is stuck, the other one, command...
stands_still() {
	stuck=$1 other=$2
	shift 2
	touch "dst/$stuck/.stuck"
	STUCK=$PWD/dst/$stuck/.stuck LD_PRELOAD=$TOOLS/stuck.so ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0 "$@" 2> err &
	client=$!
	until_true is_there "$other"
	[ ! -e "dst/$stuck/big" ] || fail "the slow volume was not slow"
	kill -0 $client || fail "it did not wait: $(cat err)"
	rm "dst/$stuck/.stuck"
	wait $client || fail "ended with $?: $(cat err)"
	client=
	same_tree src dst -O
	rm -r dst/top dst/one/* dst/two/*
}
stands_still one two "$HEARTHCP" -a --stages=split --numa=show src/ dst
for dir in one two; do
	device=$(stat -c %Hd:%Ld "dst/$dir")
	grep -q "numa: the receiver has 4 storage threads of their own for disk $device," err || fail "nothing of $device: $(cat err)"
done
stands_still two one "$HEARTHCP" -a --stages=split src/ dst
stands_still two one "$HEARTHCP" -a --stages=split -e "$SCRATCH/rsh" --hearthd-path="$HEARTHD" "$HOST:$PWD/src/" dst
stands_still one two "$HEARTHCP" -a --direct=yes -e "$SCRATCH/rsh" --hearthd-path="$HEARTHD" src/ "$HOST:$PWD/dst"
stands_still one two "$HEARTHCP" -a --stages=split --streams=1 --memory=4M -e "$SCRATCH/rsh" --hearthd-path="$HEARTHD" "$HOST:$PWD/src/" dst
stands_still two one "$HEARTHCP" -a --stages=split --streams=1 --memory=4M --block-size=1M src/ dst
# Without threads of their own, and with nothing to write, everything is as it ever was.
expect 0 "$HEARTHCP" -a --stages=fused --numa=show src/ dst
same_tree src dst -O
! grep -q "of their own" err || fail "threads where there are none: $(cat err)"
rm -r dst/top dst/one/* dst/two/*
expect 0 "$HEARTHCP" -an --stages=split src/ dst
{ [ -z "$(ls dst/one)" ] && [ -z "$(ls dst/two)" ]; } || fail "a dry run copied"
# What is kept lies on a volume of its own, which is synced with the others.
mkdir old
mount -t tmpfs none old
expect 0 "$HEARTHCP" -a --stages=split --numa=show --backup-dir="$PWD/old" src/ dst
same_tree src dst -O
! grep -q "for disk $(stat -c %Hd:%Ld old)," err || fail "threads for what no block goes to: $(cat err)"
