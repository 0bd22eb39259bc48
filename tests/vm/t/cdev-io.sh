#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# /dev/hearth/<lun> reads and writes the LUN, and refuses what it cannot do with the errno that uapi/hearth.h names.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"

dd if=/dev/urandom of=/dev/vda bs=1M count=64 oflag=direct status=none
make_lun vol0 dev=/dev/vda,cache=16M
attach_lun hearth_0/vol0
node=/dev/hearth/vol0
wait_for 10 test -c $node
equal 'mode of the node' "$(stat -c '%a %U' $node)" '600 root'
expect_fail 'Permission denied' setpriv --reuid=65534 --clear-groups dd if=$node of=/dev/null count=1
equal 'all of the LUN' "$(md5sum <$node)" "$(dd if=/dev/vda bs=1M iflag=direct status=none | md5sum)"
equal 'its size' "$(blockdev --getsize64 /dev/vda)" "$(python3 -c "import os; print(os.lseek(os.open('$node', 0), 0, 2))")"

PYTHONPATH=$HEARTH_TESTS python3 - "$disk" <<'END' || fail 'see above'
import errno, os, sys
from hearthdev import *

lun, disk = Lun('vol0'), Disk(sys.argv[1])
size, block = lun.info()['size_bytes'], lun.info()['block_bytes']
assert size == 64 << 20 and block == 512 and lun.info()['cache_bytes'] == 16 << 20, lun.info()

# reads of any bytes, also in several pieces, and up to the end
whole = disk.read(1 << 20, 1 << 20)
for offset, length in (0, 1), (511, 2), (4095, 2), (4096, 8192), (777, 300000), (65535, 65537):
    assert lun.read(length, (1 << 20) + offset) == whole[offset:offset + length], (offset, length)
pieces = [bytearray(n) for n in (1, 4095, 4097, 5000)]
assert os.preadv(lun.fd, pieces, (1 << 20) + 3) == 13193
assert b''.join(pieces) == whole[3:13196]
assert len(lun.read(4096, size - 100)) == 100 and lun.read(1, size) == b'' and lun.read(9, size + 5000) == b''

# writes of whole blocks: one that is not changes nothing
before = lun.read(8192, 0)
for data, offset in (b'x', 0), (b'x' * 511, 0), (b'x' * 512, 1), (b'x' * 513, 512):
    refused(errno.EINVAL, lun.write, data, offset)
assert disk.read(8192, 0) == before
for offset, length in (512, 512), (4096 - 512, 1024), (0, 65536), (12800, 3 << 20):
    data = os.urandom(length)
    assert lun.write(data, offset) == length
    assert b''.join(disk.read(512, at) for at in (offset, offset + length - 512)) == data[:512] + data[-512:]
    assert lun.read(length, offset) == data
halves = [os.urandom(512), os.urandom(1024)]
assert os.pwritev(lun.fd, halves, 5 << 20) == 1536 and disk.read(1536, 5 << 20) == b''.join(halves)
assert lun.write(b'y' * 4096, size - 512) == 512 and disk.read(512, size - 512) == b'y' * 512
refused(errno.ENOSPC, lun.write, b'y' * 512, size)
assert lun.write(b'', size) == 0

# what an initiator writes is there, and the other way round
disk.write(b'A' * 4096, 8 << 20)
assert lun.read(4096, 8 << 20) == b'A' * 4096
lun.write(b'B' * 512, (8 << 20) + 512)
assert disk.read(4096, 8 << 20) == b'A' * 512 + b'B' * 512 + b'A' * 3072

# zero, punch; ranges that are none
for what in ZERO, PUNCH:
    lun.write(b'C' * (4 << 20), 16 << 20)
    assert lun.act(what, (16 << 20) + 512, 3 << 20) == 3 << 20
    assert disk.read(1024, 16 << 20) == b'C' * 512 + bytes(512)
    assert lun.read(4 << 20, 16 << 20) == b'C' * 512 + bytes(3 << 20) + b'C' * ((1 << 20) - 512)
for what in ZERO, PUNCH, WARM, DROP:
    for bad in (1, 512), (0, 511), (size, 512), (size - 512, 1024), (0, size + 512), (0, 512, 1), (0, 512, 0, 1), (512, 2**64 - 512):
        refused(errno.EINVAL, lun.act, what, *bad)
refused(errno.ENOTTY, lun.act, PUNCH + 77)
reader, writer = Lun('vol0', os.O_RDONLY), Lun('vol0', os.O_WRONLY)
for one, what in (reader, ZERO), (reader, PUNCH), (writer, WARM), (writer, DROP):
    refused(errno.EBADF, one.act, what, 0, 4096)
refused(errno.EINVAL, os.lseek, lun.fd, size + 1, os.SEEK_SET)
os.fsync(lun.fd)

# warm and drop
hits = lambda: sum(int(open(f'/sys/class/hearth/vol0/node{n}/{what}').read()) for n in (0, 1) for what in ('misses',))
assert lun.act(DROP) == size
assert lun.act(WARM, 1 << 20, 4 << 20) == 4 << 20
before = hits()
assert lun.read(4 << 20, 1 << 20) and hits() == before
lun.act(DROP, 1 << 20, 4096)
lun.read(4096, 1 << 20)
assert hits() == before + 1
refused(errno.ENOSPC, lun.act, WARM)
END

same_bytes "$disk" /dev/vda 0 64

# a read-only LUN
remove_lun_of() {
	undo_now detach_lun
	remove_lun vol0
}
remove_lun_of
make_lun vol0 dev=/dev/vda,cache=16M,readonly=1
wait_for 10 test -c $node
expect_fail 'Read-only' dd if=/dev/zero of=$node bs=512 count=1 conv=notrunc
PYTHONPATH=$HEARTH_TESTS python3 -c "
from hearthdev import *
lun = Lun('vol0', os.O_RDONLY)
assert lun.info()['flags'] == READONLY and len(lun.read(100, 100)) == 100
refused(9, lun.act, ZERO, 0, 4096)
" || fail 'a read-only LUN, see above'
