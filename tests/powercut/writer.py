#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes until the power is cut, and checks what is left after that.

    writer.py KIND PATH ACKS PORT SEED

KIND is raw (PATH is a disk) or the name of a file system (PATH is where it is
mounted).  First, what earlier runs were told is durable (ACKS) must be there;
if it is not, the writer ends.  Then it writes, until it is ended.  Whatever the
kernel acknowledges as durable goes to PORT, an open file that leads out of the machine and
into ACKS, in lines that begin with KIND:

    sectors FIRST COUNT GENERATION     written, and flushed or with FUA
    file GENERATION                    made, and it and its directory flushed
    leaving GENERATION, gone GENERATION   about to be removed; removed for good

Every sector says which one it is and of which generation, so that a check
tells what it should be from what it is: it may be newer than what was
acknowledged, but neither older nor torn.
"""
import mmap
import os
import random
import struct
import sys

SECTOR = 512
AREA = 8 << 20  # of the disk, or in a file
MOST = 128  # sectors in one write
FILES = 100
HEADER = struct.Struct("<QQ")
NOTHING = bytes(SECTOR)


def sector_of(number, generation):
    return HEADER.pack(number, generation) * (SECTOR // HEADER.size)


def generation_of(number, data):
    """Which generation of a sector this is; 0 if it was never written, None if it is neither."""
    if data == NOTHING:
        return 0
    seen, generation = HEADER.unpack_from(data)
    if seen != number or data != sector_of(number, generation):
        return None
    return generation


def contents_of(generation):
    length = random.Random(generation).randrange(1, 40000)
    return (b"%d\n" % generation * (length // 2 + 1))[:length]


class Acked:
    """What was acknowledged: generation by sector, files that are there, files that are not."""

    def __init__(self, kind, path):
        self.sectors = [0] * (AREA // SECTOR)
        self.files, self.gone = set(), set()
        self.last = 0
        with open(path, encoding="ascii") as lines:
            for line in lines:
                words = line.split()
                # the power may have gone in the middle of the last line of a run
                if len(words) > 2 and words[0] == kind and words[-1] == ".":
                    self.note(words[1], [int(word) for word in words[2:-1]])

    def note(self, what, numbers):
        generation = numbers[-1]
        self.last = max(self.last, generation)
        if what == "sectors":
            first, count, _ = numbers
            for sector in range(first, first + count):
                self.sectors[sector] = max(self.sectors[sector], generation)
        elif what == "file":
            self.files.add(generation)
        else:
            self.files.discard(generation)
            if what == "gone":
                self.gone.add(generation)


def area_of(kind, path):
    return path if kind == "raw" else os.path.join(path, "area")


def check(kind, path, acks):
    acked = Acked(kind, acks)
    area = area_of(kind, path)
    wrong, last, checked = [], acked.last, 0
    if os.path.exists(area):
        with open(area, "rb") as data:
            for number, least in enumerate(acked.sectors):
                seen = generation_of(number, data.read(SECTOR).ljust(SECTOR, b"\0"))
                checked += least > 0
                if seen is None:
                    wrong.append(f"sector {number}: torn or foreign")
                elif seen < least:
                    wrong.append(f"sector {number}: generation {seen}, acknowledged {least}")
                else:
                    last = max(last, seen)
    elif any(acked.sectors):
        wrong.append(f"{area}: gone")
    for generation in acked.files:
        name = os.path.join(path, "files", str(generation))
        checked += 1
        try:
            with open(name, "rb") as data:
                if data.read() != contents_of(generation):
                    wrong.append(f"{name}: other contents than acknowledged")
        except OSError as error:
            wrong.append(str(error))
    for generation in acked.gone:
        checked += 1
        if os.path.exists(os.path.join(path, "files", str(generation))):
            wrong.append(f"file {generation}: there again")
    for line in wrong[:10]:
        print(f"  {kind}: {line}")
    print(f"{kind}: {checked} acknowledged, {len(wrong)} wrong, generation {last}", flush=True)
    return last, not wrong


class Writer:
    """Random writes, flushes and files, for ever."""

    def __init__(self, kind, path, acks, generation, seed):
        self.kind, self.path, self.generation = kind, path, generation
        self.rng = random.Random(seed)
        self.acks = acks
        self.buffer = mmap.mmap(-1, MOST * SECTOR)
        self.pending = []
        self.files = []
        flags = os.O_RDWR | os.O_CREAT
        self.direct = os.open(area_of(kind, path), flags | os.O_DIRECT, 0o600)
        self.buffered = os.open(area_of(kind, path), flags, 0o600)
        if kind != "raw":
            os.makedirs(os.path.join(path, "files"), exist_ok=True)
            self.folder = os.open(os.path.join(path, "files"), os.O_RDONLY)
            # "new" may be left from before
            self.files = [int(name) for name in os.listdir(os.path.join(path, "files")) if name.isdigit()]

    def tell(self, text):
        os.write(self.acks, f"{self.kind} {text} .\n".encode())

    def span(self):
        """Some sectors: often few, and often where others were before."""
        count = min(MOST, 1 << self.rng.randrange(8))
        if count > 1:
            count -= self.rng.randrange(count // 2 + 1)
        area = AREA // SECTOR
        first = self.rng.randrange(area // 16 if self.rng.random() < 0.5 else area)
        return min(first, area - count), count

    def write(self, fd, flags=0):
        first, count = self.span()
        self.generation += 1
        for i in range(count):
            self.buffer[i * SECTOR : (i + 1) * SECTOR] = sector_of(first + i, self.generation)
        data = memoryview(self.buffer)[: count * SECTOR]
        if os.pwritev(fd, [data], first * SECTOR, flags) != len(data):
            raise OSError("short write")
        return f"sectors {first} {count} {self.generation}"

    def write_fua(self):
        self.tell(self.write(self.direct, os.RWF_DSYNC))

    def write_later(self):
        # on a disk, buffered and direct writes of the same sectors would be in no order
        buffered = self.kind != "raw" and self.rng.random() < 0.5
        self.pending.append(self.write(self.buffered if buffered else self.direct))

    def sync(self):
        os.fdatasync(self.direct) if self.rng.random() < 0.5 else os.fsync(self.direct)
        for text in self.pending:
            self.tell(text)
        self.pending = []

    def make_file(self):
        if self.kind == "raw":
            return
        self.generation += 1
        name = str(self.generation)
        fd = os.open("new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=self.folder)
        os.write(fd, contents_of(self.generation))
        os.fsync(fd)
        os.close(fd)
        os.rename("new", name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        os.fsync(self.folder)
        self.files.append(self.generation)
        self.tell(f"file {name}")

    def remove_file(self):
        if len(self.files) < FILES:
            return
        name = self.files.pop(self.rng.randrange(len(self.files)))
        self.tell(f"leaving {name}")
        os.unlink(str(name), dir_fd=self.folder)
        os.fsync(self.folder)
        self.tell(f"gone {name}")

    def run(self):
        work = [self.write_later, self.write_fua, self.sync, self.make_file, self.remove_file]
        while True:
            self.rng.choices(work, [80, 8, 4, 5, 3])[0]()


def main():
    kind, path, acks, port, seed = sys.argv[1:]
    last, is_right = check(kind, path, acks)
    if not is_right:
        return 1
    Writer(kind, path, int(port), last, seed).run()
    return 1


if __name__ == "__main__":
    sys.exit(main())
