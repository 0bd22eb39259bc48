# SPDX-License-Identifier: GPL-2.0-or-later
"""A LUN's node as uapi/hearth.h describes it, for the tests in a guest."""
import fcntl
import mmap
import os
import struct

READONLY, WRITEBACK, PAUSED, DEGRADED, GONE = 1, 2, 4, 8, 16


def _ioc(direction, number, size):
    return direction << 30 | size << 16 | 0xE7 << 8 | number


INFO = _ioc(2, 0, 64)
PUNCH, ZERO, WARM, DROP, PREPARE, COMMIT, ABANDON = (_ioc(3, number, 32) for number in range(1, 8))
OVERWRITE = DURABLE = 1


class Lun:
    """An open node."""

    def __init__(self, name, flags=os.O_RDWR):
        self.fd = os.open('/dev/hearth/' + name, flags)

    def info(self):
        answer = fcntl.ioctl(self.fd, INFO, bytes(64))
        keys = 'size_bytes', 'block_bytes', 'flags', 'cache_bytes', 'dirty_bytes', 'events', 'mapped_bytes', 'mapped_max_bytes'
        return dict(zip(keys, struct.unpack('<QIIQQI4xQQ8x', answer)))

    def act(self, what, offset=0, length=0, flags=0, reserved=0):
        """Returns how much was done."""
        given = struct.pack('<QQQII', offset, length, 0, flags, reserved)
        return struct.unpack('<QQQII', fcntl.ioctl(self.fd, what, given))[2]

    def map(self, length, offset, prot=mmap.PROT_READ | mmap.PROT_WRITE):
        return mmap.mmap(self.fd, length, mmap.MAP_SHARED, prot, offset=offset)

    def read(self, length, offset):
        return os.pread(self.fd, length, offset)

    def write(self, data, offset):
        return os.pwrite(self.fd, data, offset)


class Disk:
    """An initiator's disk, read and written past its page cache."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_DIRECT)
        self.memory = mmap.mmap(-1, 1 << 20)

    def read(self, length, offset):
        n = os.preadv(self.fd, [memoryview(self.memory)[:length]], offset)
        return self.memory[:n]

    def write(self, data, offset):
        self.memory[:len(data)] = data
        return os.pwritev(self.fd, [memoryview(self.memory)[:len(data)]], offset)


def refused(errno, call, *args):
    """The call fails with just this error."""
    try:
        call(*args)
    except OSError as error:
        assert error.errno == errno, (call, args, error)
        return
    raise AssertionError((call, args, 'succeeded, should say', os.strerror(errno)))
