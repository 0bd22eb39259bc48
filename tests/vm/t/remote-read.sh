#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# libhearth reads any bytes of a LUN by RDMA while an initiator writes elsewhere with verification; a LUN many times the cache
# through a few windows, the least recently used of which go; and into buffers that the device knows.
# topology: 2n
# needs: userspace
# limit: 400

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-rdma.sh"
export PYTHONPATH=$HEARTH_TESTS

start_mover
make_rail
make_lun vol0 dev=/dev/vdb,cache=8M
start_net
modprobe iscsi_target_mod
export_tcp hearth_0/vol0
login tcp
disk=$(disk_of tcp)
wait_for 10 test -c /dev/hearth/vol0

# 64 MiB that are known, and behind them what the initiator works on
head -c 64M /dev/urandom >content
dd if=content of="$disk" bs=1M oflag=direct status=none
fio "${fio_options[@]}" --filename="$disk" --offset=128m --size=16m --bsrange=512-64k --iodepth=4 --rw=randwrite --do_verify=1 >fio1.log 2>&1 &
writer=$!

sent=/sys/class/infiniband/rail0/ports/1/hw_counters/sent_pkts
before=$(<$sent)
python3 - <<'END' || fail 'see above'
import errno, random
from hearthlib import *

content = open('content', 'rb').read()
random.seed(5)
s = Session('vol0', RDMA, window_bytes=256 << 10, max_windows=6)
assert s.transport() == 'rdma', s.why()
d = s.describe()
assert d.window_bytes == 256 << 10 and d.max_windows == 6 and d.size_bytes > 256 << 20, (d.size_bytes, d.max_windows)

# any byte, any length, across windows
for _ in range(150):
    length = random.choice((1, 7, 512, 4096, 70000, random.randrange(1 << 20)))
    offset = random.randrange(len(content) - length)
    assert s.read(length, offset) == content[offset:offset + length], (length, offset)
st = s.statistics()
assert st.rdma_bytes > 1 << 20 and not st.message_bytes and not st.refusals, (st.rdma_bytes, st.message_bytes, s.why())

# a window that is in use stays; of those that are not, the one that was used first goes
size = d.window_bytes
for i in range(6):
    s.read(1, i * size)
base = s.statistics()
assert base.windows == 6
s.read(1, 0)
s.read(1, 6 * size)
st = s.statistics()
assert (st.leases, st.evictions) == (base.leases + 1, base.evictions + 1)
for i in (0, 2, 3, 4, 5, 6):
    s.read(1, i * size)
assert s.statistics().leases == st.leases
s.read(1, size)
assert s.statistics().leases == st.leases + 1
assert not s.statistics().reconnections

# all of the known part, which is eight times the cache, into memory of ours
memory = ctypes.create_string_buffer(3 << 20)
s.register(memory)
refused(errno.EEXIST, s.register, memory)
for at in range(0, len(content), len(memory)):
    n = min(len(memory), len(content) - at)
    assert s.read_into(memory, n, at) == n
    assert memory.raw[:n] == content[at:at + n], at
st = s.statistics()
assert not st.message_bytes and st.leases > 64 << 2, (st.message_bytes, st.leases)

# the end
assert s.read(4096, d.size_bytes) == b''
assert len(s.read(4096, d.size_bytes - 100)) == 100
refused(errno.EBADF, s.write, bytes(4096), 0, says='HEARTH_ATTACH_WRITE')
s.detach()
END
[ $(($(<$sent) - before)) -gt $((64 << 10)) ] || fail 'RDMA has not moved it'
wait $writer || fail "the initiator's writes: $(tail -n 5 fio1.log)"

# The program that measures it; a window is as large as the LUN's cache allows.
expect 0 "$programs/hearth-read-lat" -e "$PWD/rsh" -d "$programs/hearthd" -t rdma -n 300 -r 1048576 x:lun:/vol0
grep -q '^transport rdma, 300 reads of 4096 bytes.* leases 1, as messages 0 bytes' out || fail "it did not read by RDMA: $(<out)"

# as messages it is the same
python3 - <<'END' || fail 'see above'
from hearthlib import *
content = open('content', 'rb').read()
s = Session('vol0', TCP)
assert s.transport() == 'tcp' and s.why() == 'HEARTH_ATTACH_TCP'
assert s.read(len(content), 0) == content
assert s.statistics().rdma_bytes == 0
s.detach()
END
gone() {
	python3 -c 'from hearthdev import *; exit(Lun("vol0").info()["mapped_bytes"] != 0)'
}
wait_for 30 gone || fail 'a window stays'
