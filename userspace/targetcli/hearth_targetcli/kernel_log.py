# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads what the kernel said while an operation ran, so that a user sees why it was refused."""

import errno
import os


class KernelLog:
    """The kernel messages since `with` was entered; none, if the log cannot be read."""

    def __init__(self, path="/dev/kmsg"):
        self._path = path
        self._fd = None

    def __enter__(self):
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._fd, 0, os.SEEK_END)
        except OSError:
            self.__exit__()
        return self

    def __exit__(self, *_):
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def last(self, prefix):
        """The rest of the newest message that starts with `prefix`, or None."""
        found = [text[len(prefix):] for text in self._messages() if text.startswith(prefix)]
        return found[-1] if found else None

    def _messages(self):
        # "priority,sequence,time,flags;text\n", then lines " KEY=value\n" about the device
        for line in b"".join(self._records()).decode(errors="replace").splitlines():
            if not line.startswith(" "):
                yield line.partition(";")[2]

    def _records(self):
        while self._fd is not None:
            try:
                record = os.read(self._fd, 8192)
            except OSError as error:
                if error.errno == errno.EPIPE:  # overwritten before we read it: go on with the next
                    continue
                return  # EAGAIN: no more
            if not record:
                return
            yield record
