#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""In a guest: the writer of power cuts, on a disk whose device is logged; what is durable is marked in that log.

    logged.py DISK LOG WRITES SEED     (LOG: a device of dm-log-writes)
"""
import fcntl
import os
import struct
import sys

import writer

DM_TARGET_MSG = 0xC138FD0E
DM_IOCTL = struct.Struct("<3I4i3IQ128s129s7s")
AREA = writer.AREA


class Log:
    """Takes marks."""

    def __init__(self, name):
        self.fd = os.open("/dev/mapper/control", os.O_RDWR)
        self.name = name.encode()

    def mark(self, text):
        message = struct.pack("<Q", 0) + b"mark " + text.encode() + b"\0"
        size = DM_IOCTL.size + len(message)
        head = DM_IOCTL.pack(4, 0, 0, size, DM_IOCTL.size, 0, 0, 0, 0, 0, 0, self.name, b"", b"")
        fcntl.ioctl(self.fd, DM_TARGET_MSG, bytearray(head + message).ljust(16384, b"\0"))


class Logged(writer.Writer):
    """Tells the log, instead of the world outside."""

    def __init__(self, disk, log, seed):
        super().__init__("raw", disk, None, 0, seed)
        self.log = Log(log)
        self.told = 0

    def tell(self, text):
        # blanks would be words of the message
        self.log.mark(text.replace(" ", ","))
        self.told += 1

    def run_for(self, writes):
        while self.generation < writes:
            self.rng.choices([self.write_later, self.write_fua, self.sync], [80, 8, 6])[0]()
        self.sync()


def main():
    disk, log, writes, seed = sys.argv[1:]
    logged = Logged(disk, log, seed)
    logged.run_for(int(writes))
    print(f"{logged.generation} writes, {logged.told} of them told to be durable")


if __name__ == "__main__":
    main()
