# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Every device that the sources lie on has threads of its own: one that does not answer keeps nobody else waiting.
mkdir slow fast
{ mount -t tmpfs none slow && mount -t tmpfs none fast; } 2> /dev/null || skip "nothing can be mounted here"
client=
trap 'rm -f slow/.stuck; kill $client 2> /dev/null || true' EXIT
random_file slow/big 40000000
random_file fast/big2 40000000
for i in $(seq 300); do random_file "slow/s$i" $((i * 50)); done
mkdir fast/dir
for i in $(seq 300); do random_file "fast/dir/f$i" $((i * 50)); done
stuck() {
	STUCK=$PWD/slow/.stuck LD_PRELOAD=$TOOLS/stuck.so ASAN_OPTIONS=$ASAN_OPTIONS:verify_asan_link_order=0 "$@"
}
fast_is_there() {
	cmp -s fast/big2 "$1/big2" && for i in $(seq 300); do cmp -s "fast/dir/f$i" "$1/dir/f$i" || return 1; done
}
stands_still() { # the destination, command...
	dst=$1
	shift
	touch slow/.stuck
	stuck "$@" 2> err &
	client=$!
	until_true fast_is_there "$dst"
	[ ! -e "$dst/big" ] || fail "the slow device was not slow"
	rm slow/.stuck
	wait $client || fail "ended with $?: $(cat err)"
	client=
	mkdir both
	cp -a slow/. fast/. both
	same_tree both "$dst" -O
	rm -rf both
}
says_the_disk() { # which directory
	device=$(stat -c %Hd:%Ld "$1")
	grep -q "numa: the sender has 4 storage threads of their own for disk $device," err || fail "nothing of $device: $(cat err)"
}
stands_still here "$HEARTHCP" -a --exclude=.stuck --stages=split --numa=show slow/ fast/ here
says_the_disk fast
stands_still there "$HEARTHCP" -a --exclude=.stuck --stages=split -e "$SCRATCH/rsh" --hearthd-path="$HEARTHD" slow/ fast/ "$HOST:$PWD/there"
stands_still few "$HEARTHCP" -a --exclude=.stuck --stages=split --streams=1 --memory=4M slow/big slow/s* fast/ few
# A file system that is mounted in the source is a device, too.
mkdir slow/mounted
mount --move fast slow/mounted
ln -s slow/mounted fast2
rmdir fast
mv fast2 fast
touch slow/.stuck
stuck "$HEARTHCP" -a --exclude=.stuck --stages=split slow/ mounted 2> err &
client=$!
until_true fast_is_there mounted/mounted
[ ! -e mounted/big ] || fail "the slow device was not slow"
rm slow/.stuck
wait $client || fail "ended with $?: $(cat err)"
client=
same_tree slow mounted -O
# Where stages are fused there are no such threads, and everything is copied all the same.
expect 0 "$HEARTHCP" -a --stages=fused --numa=show slow/ fused
same_tree slow fused
! grep -q "of their own" err || fail "threads where there are none: $(cat err)"
