#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What libhearth writes, by RDMA or by messages, initiators read at once and the device has after a flush; the other way round
# as well; blocks that describe themselves; and who may write.
# topology: 2n
# needs: userspace
# limit: 400

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-rdma.sh"
export PYTHONPATH=$HEARTH_TESTS

start_mover
make_rail
make_lun vol0 dev=/dev/vdb,cache=8M,mode=writeback
start_net
modprobe iscsi_target_mod
export_tcp hearth_0/vol0
login tcp
disk=$(disk_of tcp)
wait_for 10 test -c /dev/hearth/vol0

python3 - "$disk" <<'END' || fail 'see above'
import errno, os, random, sys
from hearthlib import *
from hearthdev import Disk

disk = Disk(sys.argv[1])
random.seed(6)
refused(errno.EBUSY, Session, 'vol0', WRITE, says='may write to it')
model = bytearray(disk.read(1 << 20, 0))
for flags in RDMA, TCP:
    s = Session('vol0', WRITE | FORCE | flags, window_bytes=128 << 10, max_windows=3)
    refused(errno.EBUSY, Session, 'vol0', WRITE | FORCE, says='another')
    block = s.describe().block_bytes
    for _ in range(60):
        length = block * random.randrange(1, 300)
        offset = block * random.randrange(((1 << 20) - length) // block)
        data = os.urandom(length)
        who = random.random()
        if who < 0.6:
            s.write(data, offset)
        else:
            data = data[:length - length % 512]
            disk.write(data, offset)
        model[offset:offset + len(data)] = data
        at = offset - offset % 512
        n = min(-(-(offset + length - at) // 512) * 512, (1 << 20) - at)
        assert disk.read(n, at) == model[at:at + n], (flags, offset, length)
        assert s.read(length, offset) == model[offset:offset + length], (flags, offset, length)
    refused(errno.EINVAL, s.write, bytes(block), 1, says='whole blocks')
    refused(errno.EINVAL, s.write, bytes(block + 1), 0, says='whole blocks')
    refused(errno.ENOSPC, s.write, bytes(block * 2), s.describe().size_bytes - block, says='end behind')
    st = s.statistics()
    if flags == RDMA:
        assert not st.message_bytes and st.leases > 3, (st.message_bytes, st.leases, s.why())
    else:
        assert not st.rdma_bytes
    s.flush()
    with open('/dev/vdb', 'rb') as device:
        os.posix_fadvise(device.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert device.read(1 << 20) == model, flags

    for size in 0, 1, block - 64, block - 63, 300000:
        data = os.urandom(size)
        assert s.put(size, data, 2 << 20) == -(-(size + 64) // block) * block
        assert s.get(2 << 20) == (size, data)
    disk.write(os.urandom(512), (2 << 20) + 512)
    refused(errno.EBADMSG, s.get, 2 << 20, says='damaged')
    refused(errno.ENODATA, s.get, 4 << 20, says='no block')
    refused(errno.EMSGSIZE, s.get, 2 << 20, 10, says='the buffer 10')
    s.detach()
END
undo_now logout tcp
python3 - <<'END' || fail 'see above'
from hearthlib import *
s = Session('vol0', WRITE | RDMA)
s.write(bytes(4096), 0)
s.detach()
END
