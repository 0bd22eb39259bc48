# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# libhearth without RDMA, where a file stands in for the node (node.c): what is read and written, who may, and every refusal.
mkdir nodes
export HEARTH_NODES="$PWD/nodes"
cat > hearthd <<-END
	#!/bin/sh
	export LD_PRELOAD="$TOOLS/node.so" ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0"
	exec "$BUILD/hearthd" "\$@"
END
chmod +x hearthd
by_ssh() {
	"$TOOLS/reader" -e "$SCRATCH/rsh" -d "$PWD/hearthd" "$@"
}
says() {
	grep -q -- "$1" err || fail "\"$1\" is not in: $(cat err)"
}
refused() {
	name=$1 words=$2
	shift 2
	expect 1 "$@"
	says "^$name: "
	says "$words"
}
random_file nodes/vol0 3000320
cp nodes/vol0 before

# Any bytes, from one message to many; to the end, and behind it.
for range in '0 1' '511 2' '4096 4096' '1 1000000' '262143 262146' '0 3000320' '3000319 100'; do
	# shellcheck disable=SC2086 # two words
	expect 0 by_ssh -t x:lun:/vol0 read $range
	tail -c +$((${range% *} + 1)) before | head -c "${range#* }" | cmp - out || fail "read $range"
done
expect 0 by_ssh x:lun:/vol0 read 3000320 5 size
[ "$(cat out)" = '3000320 512' ] || fail "size: $(cat out)"
expect 0 by_ssh -t x:lun:/vol0 transport
grep -q '^tcp: HEARTH_ATTACH_TCP' out || fail "$(cat out)"
if [ ! -d /sys/class/infiniband ] || [ -z "$(ls /sys/class/infiniband)" ]; then
	expect 0 by_ssh x:lun:/vol0 transport
	grep -q '^tcp: no RDMA device is there; see "rdma link"' out || fail "$(cat out)"
	refused ENODEV 'no RDMA: no RDMA device is there; see "rdma link"' by_ssh -r x:lun:/vol0 size
fi

# Whole blocks are written, nothing else is changed, and a flush is answered.
random_file news 1048576
expect 0 by_ssh -w -f x:lun:/vol0 write 512 1048576 flush read 512 1048576 < news
cmp out news
dd if=news of=before bs=512 seek=1 conv=notrunc status=none
cmp before nodes/vol0
refused EINVAL '100 bytes at 0 are not whole blocks of 512 bytes' by_ssh -w -f x:lun:/vol0 write 0 100 < news
refused EINVAL '512 bytes at 1 are not whole blocks' by_ssh -w -f x:lun:/vol0 write 1 512 < news
refused ENOSPC "1024 bytes at 2999808 end behind the LUN's 3000320" by_ssh -w -f x:lun:/vol0 write 2999808 1024 < news
refused ENOSPC 'end behind' by_ssh -w -f x:lun:/vol0 write 18446744073709551104 512 < news
refused EBADF 'attach with HEARTH_ATTACH_WRITE' by_ssh x:lun:/vol0 write 0 512 < news
cmp before nodes/vol0

# Blocks that describe themselves.
blocks() {
	"$BUILD/hearth-blocks" -e "$SCRATCH/rsh" -d "$PWD/hearthd" -f "$@"
}
for size in 0 1 448 449 1000000; do
	head -c $size news > content
	expect 0 blocks put x:lun:/vol0 1024 $((size + 5)) < content
	[ "$(cat out)" = $((1024 + (size + 64 + 511) / 512 * 512)) ] || fail "$size bytes take up to $(cat out)"
	expect 0 blocks get x:lun:/vol0 1024
	cmp out content
	says "^tag $((size + 5))\$"
done
refused_block() {
	expect 1 blocks get x:lun:/vol0 "$1"
	says "$2"
}
refused_block 512 'there is no block at 512'
dd if=nodes/vol0 of=nodes/vol0 bs=512 skip=2 seek=4000 count=1954 conv=notrunc status=none
refused_block 2048000 'there is no block at 2048000'
printf x | dd of=nodes/vol0 bs=1 seek=500000 conv=notrunc status=none
refused_block 1024 'the block at 1024 is damaged'

# Who is there, and who may.
refused ENOENT 'there is no such LUN here' by_ssh x:lun:/vol1 size
refused EINVAL 'give hearth://' by_ssh x:lun:/../vol0 size
refused EINVAL 'give hearth://' by_ssh x:lun:/vol0@4096 size
refused EINVAL 'give hearth://' by_ssh lun:/vol0 size
refused EINVAL 'give hearth://' by_ssh /tmp/file size
refused ECONNRESET 'the far end did not start' "$TOOLS/reader" -e false x:lun:/vol0 size ||
	refused EPIPE 'the far end did not start' "$TOOLS/reader" -e false x:lun:/vol0 size
for what in flags reserved both window windows timeout cert; do
	expect 1 by_ssh -x $what x:lun:/vol0 size
	says '^EINVAL: '
done
mkfifo word
by_ssh -w -f x:lun:/vol0 wait size < word > waiting 2>&1 &
writer=$!
exec 5> word
until_true grep -q waiting waiting
refused EBUSY 'another copy is writing to it' by_ssh -w -f x:lun:/vol0 size
expect 0 by_ssh x:lun:/vol0 size
echo >&5
exec 5>&-
wait $writer || fail "$(cat waiting)"

# The far end is killed: an error, no signal.
"$TOOLS/reader" -t -e "$SCRATCH/rsh" -d "$PWD/hearthd" x:lun:/vol0 wait read 0 4096 < word > waiting 2>&1 &
victim=$!
exec 5> word
until_true grep -q waiting waiting
kill -KILL $(pgrep -P $victim)
echo >&5
exec 5>&-
status=0
wait $victim || status=$?
[ $status = 1 ] || fail "exit status $status: $(cat waiting)"
grep -q '^ECONNRESET: the connection to the target is gone' waiting || fail "$(cat waiting)"
