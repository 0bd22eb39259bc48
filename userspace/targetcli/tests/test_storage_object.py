# SPDX-License-Identifier: GPL-2.0-or-later
"""HearthStorageObject on a fake configfs, in each copy of rtslib."""

import errno
import importlib
import json
import os
import unittest
from unittest import mock

from . import fake_kernel

WWN = "0b0a3b2c-6d3c-4f5e-9a63-52a1a8b5f0c1"


class StorageObjectTests:
    """The tests; one subclass for each copy of rtslib names its `tree`."""

    def setUp(self):
        self.rtslib = importlib.import_module(self.tree)
        self.kernel = self.enterContext(fake_kernel.FakeKernel(self.tree))
        self.dev = str(self.kernel.device)

    def create(self, **settings):
        return self.rtslib.HearthStorageObject("vol0", **{"dev": self.dev, "cache": "256M", **settings})

    def assertRefused(self, message, **settings):
        with self.assertRaises(self.rtslib.RTSLibError) as caught:
            self.create(**settings)
        self.assertEqual(str(caught.exception), f"hearth/vol0: {message}")
        self.assertEqual(self.kernel.objects(), [])

    def test_create_loads_the_module_and_enables(self):
        so = self.create()
        self.assertEqual(self.kernel.loaded[0], "target_core_hearth")
        self.assertEqual(self.kernel.objects(), ["hearth_0/vol0"])
        self.assertTrue(so.is_configured())
        self.assertEqual((so.plugin, so.cache, so.mode, so.home, so.stripe, so.readahead, so.readonly,
                          so.size, so.state),
                         ("hearth", 256 << 20, "writethrough", "touch", 1 << 20, 2 << 20, False, 100 << 30, "ok"))

    def test_lookup_finds_every_setting(self):
        self.create(cache=123456789, cache_min="1M", mode="writearound", home="stripe", dispatch="home", stripe="64K",
                    readahead="4M", dirty="1M", readonly="true", wwn=WWN)
        so = self.rtslib.HearthStorageObject("vol0")
        found = {key: so.dump()[key] for key in ("dev", "cache", "cache_min", "mode", "home", "dispatch", "stripe",
                                                "readahead", "dirty", "readonly", "wwn")}
        self.assertEqual(found, {"dev": self.dev, "cache": 123456789, "cache_min": 1 << 20, "mode": "writearound",
                                 "home": "stripe", "dispatch": "home", "stripe": 65536, "readahead": 4 << 20,
                                 "dirty": 1 << 20, "readonly": True, "wwn": WWN})

    def test_restore_gives_what_was_dumped(self):
        so = self.create(mode="writearound", stripe="64K", readahead="1M", readonly=False, wwn=WWN)
        so.set_attribute("home", "stripe")
        so.set_attribute("readahead", "0")
        root = self.rtslib.RTSRoot()
        saved = json.loads(json.dumps(root.dump()))
        self.assertEqual(saved["storage_objects"][0]["home"], "stripe")
        self.assertEqual(saved["storage_objects"][0]["attributes"]["home"], "stripe")
        self.assertEqual(saved["storage_objects"][0]["readahead"], 0)

        root.clear_existing(confirm=True)
        self.assertEqual(self.kernel.objects(), [])
        self.assertEqual(root.restore(saved), [])
        self.assertEqual(root.dump(), saved)

    def test_restore_reports_and_goes_on(self):
        self.create()
        root = self.rtslib.RTSRoot()
        saved = root.dump()
        saved["storage_objects"][0]["mode"] = "fast"
        errors = root.restore(saved, clear_existing=True)
        self.assertEqual(errors, ["Could not create StorageObject vol0: "
                                  "hearth/vol0: mode=fast: give writethrough or writeback or writearound, skipped"])
        self.assertEqual(self.kernel.objects(), [])

    def test_the_kernels_reason_reaches_the_user(self):
        self.assertRefused("cache=12Q: not a size; give bytes or a number with k, M, G or T", cache="12Q")
        self.assertRefused("readonly=maybe: give 0 or 1", readonly="maybe")
        self.assertRefused("dev=/dev/none: no such device", dev="/dev/none")

    def test_without_a_readable_log_the_error_still_names_all(self):
        self.kernel.kmsg.unlink()
        with mock.patch.object(self.kernel, "log"):
            self.assertRefused(f"cannot create with dev={self.dev},cache=12Q: Invalid argument; "
                               "the kernel log (dmesg) may say why", cache="12Q")

    def test_another_luns_message_is_not_ours(self):
        def refuse(lun, message):
            self.kernel.log(f"hearth: vol0b: {message}")
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        with mock.patch.object(self.kernel, "refuse", refuse):
            self.assertRefused(f"cannot create with dev={self.dev},cache=0x: Invalid argument; "
                               "the kernel log (dmesg) may say why", cache="0x")

    def test_a_value_cannot_smuggle_in_another_key(self):
        self.assertRefused("dev=/dev/a,readonly=1: a value has no comma and no white space; "
                           "give another name of the device", dev="/dev/a,readonly=1")
        self.assertRefused("cache=1 G: a value has no comma and no white space; give one value", cache="1 G")

    def test_settings_without_a_device(self):
        with self.assertRaisesRegex(self.rtslib.RTSLibError, "^hearth/vol0: dev= is missing; give the block"):
            self.rtslib.HearthStorageObject("vol0", cache="1G")

    def test_lookup_of_nothing(self):
        with self.assertRaisesRegex(self.rtslib.RTSLibError, "hearth/vol0 not found"):
            self.rtslib.HearthStorageObject("vol0")
        self.assertEqual(self.kernel.objects(), [])

    def test_wwn_of_another_lun_is_refused(self):
        self.kernel.add_other("iblock", "disk0", WWN)
        with self.assertRaises(self.rtslib.RTSLibError) as caught:
            self.create(wwn=WWN)
        self.assertEqual(str(caught.exception), f"hearth/vol0: wwn={WWN}: block/disk0 has this unit serial "
                                                "number; delete that LUN first")
        self.assertEqual(self.kernel.objects(), ["iblock_9/disk0"])

    def test_wwn_that_is_no_serial_number(self):
        for wwn in ("two words", "", "x" * 254):
            with self.subTest(wwn=wwn):
                self.assertRefused(f"wwn={wwn}: not a unit serial number; "
                                   "give 1 to 253 printable characters without spaces", wwn=wwn)

    def test_a_module_that_cannot_be_loaded(self):
        utils = importlib.import_module(self.tree + ".utils")
        reason = b"modprobe: FATAL: Module target_core_hearth not found.\n"
        with mock.patch.object(utils, "modprobe", side_effect=self.rtslib.RTSLibError(reason)):
            self.assertRefused("cannot load the kernel module target_core_hearth: modprobe: FATAL: Module "
                               "target_core_hearth not found.; is it built for the running kernel, "
                               f"{os.uname().release}?")

    def test_a_failure_after_enable_leaves_nothing(self):
        failure = OSError(errno.EIO, os.strerror(errno.EIO))
        with mock.patch.object(self.kernel, "_write_wwn", side_effect=failure):
            with self.assertRaises(OSError):
                self.create(wwn=WWN)
        self.assertEqual(self.kernel.objects(), [])

    def test_a_second_lun_of_one_name(self):
        self.create()
        with self.assertRaisesRegex(self.rtslib.RTSLibError, "hearth/vol0 exists"):
            self.create()
        self.assertEqual(self.kernel.objects(), ["hearth_0/vol0"])

    def test_attributes_change_online_or_say_why_not(self):
        so = self.create()
        so.set_attribute("mode", "writearound")
        self.assertEqual((so.mode, so.get_attribute("mode")), ("writearound", "writearound"))
        for attribute, value, reason in (
                ("mode", "fast", "mode=fast: give writethrough or writeback or writearound"),
                ("nothing", "1", None)):
            with self.subTest(attribute=attribute):
                with self.assertRaises(self.rtslib.RTSLibError) as caught:
                    so.set_attribute(attribute, value)
                self.assertEqual(str(caught.exception),
                                 f"hearth/vol0: {reason}" if reason else "Cannot find attribute: nothing")
        self.assertEqual(so.mode, "writearound")

    def test_delete_of_a_busy_lun_says_so(self):
        so = self.create()
        with mock.patch.object(os, "rmdir", side_effect=OSError(errno.EBUSY, os.strerror(errno.EBUSY))):
            busy = "^hearth/vol0: cannot delete it: Device or resource busy"
            with self.assertRaisesRegex(self.rtslib.RTSLibError, busy):
                so.delete()
        so.delete()
        self.assertEqual(self.kernel.objects(), [])

    def test_a_lun_made_by_hand_is_dumped_whole(self):
        so = self.create()
        (self.kernel.core / "hearth_0/vol0/udev_path").write_text("")
        self.assertEqual(so.dump()["dev"], self.dev)

    def test_the_stable_name_is_what_the_kernel_and_the_file_get(self):
        with mock.patch("hearth_targetcli.storage_object.stable_name", lambda dev: f"{dev}-by-id"):
            os.symlink(self.dev, self.dev + "-by-id")
            so = self.create()
        self.assertEqual((so.dump()["dev"], so._setting("dev")), (self.dev + "-by-id",) * 2)


class RtslibTest(StorageObjectTests, unittest.TestCase):
    tree = "rtslib"


class RtslibFbTest(StorageObjectTests, unittest.TestCase):
    tree = "rtslib_fb"


if __name__ == "__main__":
    unittest.main()
