# SPDX-License-Identifier: GPL-2.0-or-later
"""Two ways to one LUN, from many threads at once: what one way has acknowledged, the other shows.

    coherence.py DISK LUN SECONDS [mapped|window]

Each thread owns sectors that nobody else writes; they lie among those of the others, so that frames are shared by
all. It writes runs of its own by a way that it chooses each time, notes the version when that is acknowledged, and
reads runs of anybody's by either way: a sector is never older than what was acknowledged when the read began, never
newer than what was begun when it ended, and is one version from its first byte to its last. With "mapped" all of it is
mapped, too, and read there as well; then a sector may be seen while it changes, but no 16 bytes of it. With "window" a
sector is a page, and is also written by preparing it anew and committing it, mapped at that time or not.
"""
import mmap
import random
import struct
import sys
import threading
import time

from hearthdev import ABANDON, COMMIT, OVERWRITE, PREPARE, Disk, Lun

path, name, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
is_mapped, is_window = 'mapped' in sys.argv[4:], 'window' in sys.argv[4:]
SECTORS, THREADS, SECTOR = (256, 6, 4096) if is_window else (512, 6, 512)
ways = ('disk', 'node') + (('map',) if is_mapped else ()) + (('window',) if is_window else ())
begun, acknowledged = [0] * SECTORS, [0] * SECTORS
failures, counts = [], {}
stop = threading.Event()


def sector(number, version):
    return struct.pack('<IIQ', number, version, 0x6865617274680000 | number) * (SECTOR // 16)


class Map:
    """The mapping, to be read."""

    def __init__(self, lun):
        self.memory = mmap.mmap(lun.fd, SECTORS * SECTOR, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)

    def read(self, length, offset):
        return self.memory[offset:offset + length]


class Window:
    """One of its own for each thread: pages are filled before they are the LUN's."""

    def __init__(self, chance):
        self.lun, self.chance = Lun(name), chance

    def read(self, length, offset):
        return self.lun.read(length, offset)

    def write(self, data, offset):
        how = self.chance.randrange(5)
        assert self.lun.act(PREPARE, offset, len(data), OVERWRITE) == len(data)
        memory = self.lun.map(len(data), offset)
        if how == 4:    # nobody gets to see that
            memory[:] = bytes(len(data))
            self.lun.act(ABANDON, offset, len(data))
            memory.close()
            return self.write(data, offset)
        memory[:] = data
        if how & 1:
            memory.close()
        assert self.lun.act(COMMIT, offset, len(data), how >> 1) == len(data)
        if not how & 1:
            memory.close()
        return len(data)


def check(number, data, least, most):
    piece = 16 if is_mapped or is_window else SECTOR
    for at in range(0, SECTOR, piece):
        seen = struct.unpack('<IIQ', data[at:at + 16])
        version = seen[1]
        if data[at:at + piece] != sector(number, version)[:piece]:
            raise AssertionError(f'sector {number} is torn or another: {seen}, {data[-16:]}')
        if not least <= version <= most:
            raise AssertionError(f'sector {number} has version {version}, should have {least} to {most}')


def write(way, owner, chance):
    """One sector, or a whole run in which every sector is the owner's."""
    first = chance.randrange(SECTORS // THREADS) * THREADS + owner
    if first >= SECTORS:
        return
    begun[first] += 1
    version = begun[first]
    assert way.write(sector(first, version), first * SECTOR) == SECTOR
    acknowledged[first] = version


def read(way, chance):
    first = chance.randrange(SECTORS)
    count = min(chance.choice((1, 1, 3, 8, 17, 64)), SECTORS - first)
    if chance.random() < 0.5:
        first -= first % 8
    least = acknowledged[first:first + count]
    data = way.read(count * SECTOR, first * SECTOR)
    most = begun[first:first + count]
    for i in range(count):
        check(first + i, data[i * SECTOR:(i + 1) * SECTOR], least[i], most[i])


def work(owner):
    chance = random.Random(owner)
    by = {'disk': Disk(path), 'node': Lun(name), 'map': mapping, 'window': Window(chance) if is_window else None}
    try:
        while not stop.is_set():
            which = chance.choice(ways)
            if which != 'map' and chance.random() < 0.5:
                write(by[which], owner, chance)
                counts[which, 'written'] = counts.get((which, 'written'), 0) + 1
            else:
                read(by[which], chance)
                counts[which, 'read'] = counts.get((which, 'read'), 0) + 1
    except BaseException as error:
        failures.append(f'thread {owner}: {error!r}')
        stop.set()


Lun(name).write(b''.join(sector(number, 0) for number in range(SECTORS)), 0)
mapping = Map(Lun(name)) if is_mapped else None
if is_mapped:
    mapping.memory[0] = mapping.memory[0]
threads = [threading.Thread(target=work, args=(owner,)) for owner in range(THREADS)]
for thread in threads:
    thread.start()
stop.wait(seconds)
# all four happened, however slow the machine is
deadline = time.monotonic() + 120
while len(counts) < 2 * len(ways) - is_mapped and not failures and time.monotonic() < deadline:
    time.sleep(0.1)
stop.set()
for thread in threads:
    thread.join()
for way in (Disk(path), Lun(name)) + ((mapping,) if is_mapped else ()):
    data = way.read(SECTORS * SECTOR, 0)
    for number in range(SECTORS):
        check(number, data[number * SECTOR:(number + 1) * SECTOR], begun[number] if not failures else 0, begun[number])
print(dict(sorted(counts.items())))
if failures or len(counts) < 2 * len(ways) - is_mapped:
    sys.exit('\n'.join(failures) or 'some never happened')
