# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk with a volatile write cache, for nbdkit's python plugin.

    nbdkit ... python tests/powercut/disk.py dir=DIR size=BYTES evict=P seed=N

Each export is the file DIR/<export>.img.  What is written stays in the memory
of this process until it is flushed, was written with FUA, or until the disk,
as disks do, writes some of it of its own accord: after each write, with
probability P, a few random sectors go to the file, in no order.  So a kill of
this process is a cut of the disk's power: a random part of what was not
flushed is lost.  A flush, though, is never half a flush.

DIR/<export>.cached says how many sectors are in danger.
"""
import os
import random
import struct

import nbdkit

API_VERSION = 2
SECTOR = 512

settings = {"evict": "0", "seed": "0"}
disks = {}
rng = random.Random()


class Disk:
    """One export."""

    def __init__(self, name):
        path = os.path.join(settings["dir"], name)
        self.fd = os.open(path + ".img", os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self.fd, int(settings["size"]))
        self.note = os.open(path + ".cached", os.O_RDWR | os.O_CREAT, 0o600)
        self.cache = {}

    def keep(self, sectors):
        """Writes these to the file, neighbours together."""
        start, run = None, []
        for sector in sorted(sectors):
            if run and sector != start + len(run):
                os.pwrite(self.fd, b"".join(run), start * SECTOR)
                run = []
            if not run:
                start = sector
            run.append(self.cache.pop(sector))
        if run:
            os.pwrite(self.fd, b"".join(run), start * SECTOR)

    def count(self):
        os.pwrite(self.note, struct.pack("<Q", len(self.cache)), 0)


def config(key, value):
    settings[key] = value


def config_complete():
    rng.seed(settings["seed"])


def thread_model():
    return nbdkit.THREAD_MODEL_SERIALIZE_ALL_REQUESTS


def open(readonly):
    name = os.path.basename(nbdkit.export_name())
    if name not in disks:
        disks[name] = Disk(name)
    return disks[name]


def get_size(disk):
    return int(settings["size"])


def can_flush(disk):
    return True


def can_fua(disk):
    return nbdkit.FUA_NATIVE


def pread(disk, buf, offset, flags):
    data = bytearray(os.pread(disk.fd, len(buf), offset))
    if disk.cache:
        first = offset // SECTOR
        for i in range(len(buf) // SECTOR):
            newer = disk.cache.get(first + i)
            if newer:
                data[i * SECTOR : (i + 1) * SECTOR] = newer
    buf[:] = data


def pwrite(disk, buf, offset, flags):
    data = bytes(buf)
    first = offset // SECTOR
    count = len(data) // SECTOR
    for i in range(count):
        disk.cache[first + i] = data[i * SECTOR : (i + 1) * SECTOR]
    if flags & nbdkit.FLAG_FUA:
        disk.keep(range(first, first + count))
    elif rng.random() < float(settings["evict"]):
        lot = list(disk.cache)
        disk.keep(rng.sample(lot, rng.randint(1, len(lot))))
    disk.count()


def flush(disk, flags):
    disk.keep(list(disk.cache))
    disk.count()
