#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# When the kernel wants memory back the cache gives clean frames up; I/O goes on, and the cache fills again.
# topology: 2n
# limit: 240

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=256M,home=stripe
attach_lun hearth_0/vol0
dd if=/dev/urandom of=pattern bs=1M count=160 status=none
dd if=pattern of="$disk" bs=1M oflag=direct status=none
before=$(counter_sum vol0 frames)
equal 'frames, filled' "$before" $((160 * 256))

# 2: call every shrinker, node by node
echo 2 >/proc/sys/vm/drop_caches
[ "$(counter_sum vol0 frames)" -lt $((before / 2)) ] || fail "$(counter_sum vol0 frames) of $before frames are left"
for node in 0 1; do
	[ "$(counter vol0 $node reclaims)" -gt 1000 ] || fail "node $node gave $(counter vol0 $node reclaims) frames back"
done
equal 'limit afterwards' "$(counter_sum vol0 limit_frames)" $((256 * 256))

cmp -n $((160 << 20)) pattern "$disk" || fail 'contents after the cache was shrunk'
[ "$(counter_sum vol0 frames)" -ge "$before" ] || fail "$(counter_sum vol0 frames) frames, filled again, were $before"

# While I/O goes on: shrunk again and again until it is over.
fio "${fio_options[@]}" --filename="$disk" --rw=randwrite --do_verify=1 --size=96m --io_size=32m --bs=8k --iodepth=8 \
	>fio.log 2>&1 &
load=$!
while kill -0 $load 2>/dev/null; do
	echo 2 >/proc/sys/vm/drop_caches
done
wait $load || {
	tail -n 20 fio.log
	fail 'I/O while the cache was shrunk'
}
same_bytes "$disk" /dev/vdb 0 160

# A process takes memory until the cache has to give some up, which it does before there is none left.
dd if="$disk" of=/dev/null bs=1M count=160 iflag=direct status=none
rm pattern
python3 - $(($(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo) + 96 * 1024)) <<'END' || fail 'nothing was given back for a process that needs it'
import glob
import mmap
import sys


def reclaims():
    return sum(int(open(name).read()) for name in glob.glob("/sys/class/hearth/vol0/node*/reclaims"))


before = reclaims()
size = int(sys.argv[1]) << 10
memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, size, 4096):
    memory[at] = 1
    if at % (4 << 20) == 0 and reclaims() > before:
        sys.exit()
sys.exit(1)
END
same_bytes "$disk" /dev/vdb 0 64
