# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading the newest message of a LUN out of the kernel log."""

import errno
import os
import pathlib
import tempfile
import unittest
from unittest import mock

from hearth_targetcli.kernel_log import KernelLog

PREFIX = "hearth: vol0: "


class KernelLogTest(unittest.TestCase):
    def setUp(self):
        self.path = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "kmsg"
        self.path.write_text("3,1,100,-;hearth: vol0: before\n")

    def append(self, *messages):
        with self.path.open("a") as log:
            log.writelines(f"3,9,100,-;{message}\n" for message in messages)

    def test_only_what_was_said_meanwhile(self):
        with KernelLog(self.path) as log:
            self.assertIsNone(log.last(PREFIX))
            self.append("hearth: vol0: first", "hearth: vol0: cache=1;2: newest", "hearth: vol00: other")
            self.assertEqual(log.last(PREFIX), "cache=1;2: newest")

    def test_device_lines_are_no_messages(self):
        with KernelLog(self.path) as log:
            self.append("hearth: vol0: said\n SUBSYSTEM=x;hearth: vol0: no")
            self.assertEqual(log.last(PREFIX), "said")

    def test_a_log_that_cannot_be_read_says_nothing(self):
        with KernelLog(self.path / "none") as log:
            self.assertIsNone(log.last(PREFIX))

    def test_overwritten_records_are_skipped(self):
        answers = [OSError(errno.EPIPE, ""), b"3,9,1,-;hearth: vol0: after\n", OSError(errno.EAGAIN, "")]
        with KernelLog(self.path) as log, mock.patch("os.read", side_effect=answers):
            self.assertEqual(log.last(PREFIX), "after")

    def test_the_descriptor_is_closed(self):
        with KernelLog(self.path) as log:
            fd = log._fd
        with self.assertRaises(OSError):
            os.fstat(fd)

    @unittest.skipUnless(os.access("/dev/kmsg", os.R_OK), "the kernel log cannot be read here")
    def test_the_real_log_does_not_block(self):
        with KernelLog() as log:
            self.assertIsNone(log.last("hearth: no such LUN: "))


if __name__ == "__main__":
    unittest.main()
