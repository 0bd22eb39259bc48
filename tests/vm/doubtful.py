#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""I/O of which some may fail: nothing else may be wrong with it.

    doubtful.py DISK FIRST-MIB MIB SEED REPORT

Writes, zeroes, reads and flushes in a region of its own, at random, until SIGTERM, and
says in REPORT, a JSON object, how much of each it has done.  A sector holds what was written to it last; if that failed, it
may be that or what was there before, whole, and once it was read it stays so.  An error is no fault of the LUN's here; what
is neither is, and ends this.  In the end, all of it has to be readable.
"""
import errno
import fcntl
import json
import mmap
import os
import random
import signal
import struct
import sys
import time

SECTOR = 512
MOST = 256  # sectors in one request
BLKZEROOUT = 0x127F
HEADER = struct.Struct("<QQ")
NOTHING = bytes(SECTOR)
# What an initiator may be told if something fails below the LUN.
ERRORS = {errno.EIO, errno.ENOSPC, errno.EREMOTEIO, errno.ENODATA, errno.EILSEQ, errno.ETIMEDOUT, errno.EAGAIN}


class Wrong(Exception):
    """Something else is read than may be there."""


def sector_of(number, generation):
    return HEADER.pack(number, generation) * (SECTOR // HEADER.size) if generation else NOTHING


class Region:
    """Some MiB of a disk, and what may be in each of its sectors."""

    def __init__(self, disk, first, mib, seed):
        self.fd = os.open(disk, os.O_RDWR | os.O_DIRECT)
        self.base, self.sectors = first << 20, mib << 11
        self.rng = random.Random(seed)
        self.buffer = mmap.mmap(-1, MOST * SECTOR)
        self.generation = 0
        self.may_be = [{0}] * self.sectors
        self.done = dict.fromkeys(("writes", "zeroed", "reads", "flushes", "failed", "bytes", "sectors_verified"), 0)

    def view(self, count):
        return memoryview(self.buffer)[: count * SECTOR]

    def span(self):
        """Often few sectors, and often where others were before."""
        count = self.rng.randrange(1, (1 << self.rng.randrange(1, 9)) + 1)
        first = self.rng.randrange(self.sectors // 16 if self.rng.random() < 0.5 else self.sectors)
        if self.rng.random() < 0.3:
            first -= first % 8
        return min(first, self.sectors - count), count

    def attempt(self, what, call, *args):
        """Whether it succeeded."""
        try:
            call(*args)
        except OSError as error:
            if error.errno not in ERRORS:
                raise
            self.done["failed"] += 1
            return False
        self.done[what] += 1
        return True

    def changes(self, first, count, generation, has_succeeded):
        for number in range(first, first + count):
            self.may_be[number] = {generation} if has_succeeded else self.may_be[number] | {generation}

    def write(self):
        first, count = self.span()
        self.generation += 1
        view = self.view(count)
        view[:] = b"".join(sector_of(first + i, self.generation) for i in range(count))
        flags = os.RWF_DSYNC if self.rng.random() < 0.05 else 0
        is_there = self.attempt("writes", self.all_of, os.pwritev, view, self.base + first * SECTOR, flags)
        self.changes(first, count, self.generation, is_there)

    def all_of(self, call, view, at, *flags):
        """A part of it is done only if the rest cannot be."""
        n = call(self.fd, [view], at, *flags)
        if n != len(view):
            raise OSError(errno.EIO, "in part")
        self.done["bytes"] += n

    def zero(self):
        first, count = self.span()
        where = struct.pack("<QQ", self.base + first * SECTOR, count * SECTOR)
        self.changes(first, count, 0, self.attempt("zeroed", fcntl.ioctl, self.fd, BLKZEROOUT, where))

    def flush(self):
        self.attempt("flushes", os.fdatasync, self.fd)

    def read(self):
        self.look(*self.span())

    def look(self, first, count):
        view = self.view(count)
        if not self.attempt("reads", self.all_of, os.preadv, view, self.base + first * SECTOR):
            return False
        for i in range(count):
            self.check(first + i, bytes(view[i * SECTOR : (i + 1) * SECTOR]))
        self.done["sectors_verified"] += count
        return True

    def check(self, number, data):
        for generation in self.may_be[number]:
            if data == sector_of(number, generation):
                self.may_be[number] = {generation}
                return
        seen = HEADER.unpack_from(data)
        raise Wrong(f"sector {number} at {self.base + number * SECTOR}: begins with {seen}, ends with {HEADER.unpack(data[-16:])}, "
                    f"should be one of generations {sorted(self.may_be[number])}")

    def work(self):
        self.rng.choices((self.write, self.read, self.flush, self.zero), (50, 45, 2, 3))[0]()

    def clear(self):
        for first in range(0, self.sectors, MOST):
            count = min(MOST, self.sectors - first)
            self.view(count)[:] = bytes(count * SECTOR)
            os.pwritev(self.fd, [self.view(count)], self.base + first * SECTOR)

    def check_all(self):
        for first in range(0, self.sectors, MOST):
            if not self.look(first, min(MOST, self.sectors - first)):
                raise Wrong(f"sectors from {first} on cannot be read in the end")


def main():
    disk, first, mib, seed, report = sys.argv[1:]
    region = Region(disk, int(first), int(mib), seed)
    enough = []
    signal.signal(signal.SIGTERM, lambda *_: enough.append(True))

    def tell():
        with open(report + ".new", "w", encoding="ascii") as file:
            json.dump(region.done, file)
        os.rename(report + ".new", report)

    region.clear()
    told = 0
    while not enough:
        region.work()
        if time.monotonic() - told > 0.5:
            told = time.monotonic()
            tell()
    region.check_all()
    tell()


if __name__ == "__main__":
    try:
        main()
    except (Wrong, OSError) as wrong:
        sys.exit(f"{' '.join(sys.argv[1:4])}: {wrong}")
