# SPDX-License-Identifier: GPL-2.0-or-later
"""Which name of a device is saved."""

import os
import pathlib
import tempfile
import unittest
from unittest import mock

from hearth_targetcli.devices import KEPT, await_name, stable_name


class StableNameTest(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.device = self.dir / "sda"
        self.device.touch()
        (self.dir / "sdb").touch()

    def link(self, *names, to="sda"):
        for name in names:
            path = self.dir / "disk" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(self.dir / to, path)

    def assertSaved(self, expected, given=None):
        saved = stable_name(str(given or self.device), str(self.dir / "disk"))
        self.assertEqual(saved, str(self.dir / expected))

    def test_no_links_keeps_the_path(self):
        self.assertSaved("sda")

    def test_by_id_before_by_path(self):
        self.link("by-path/pci-0000:00:1f.2-ata-1", "by-id/ata-DISK_1")
        self.assertSaved("disk/by-id/ata-DISK_1")

    def test_by_path_where_there_is_no_id(self):
        self.link("by-path/pci-0000:00:1f.2-ata-1")
        self.link("by-id/ata-DISK_2", to="sdb")
        self.assertSaved("disk/by-path/pci-0000:00:1f.2-ata-1")

    def test_a_world_wide_name_before_a_model(self):
        self.link("by-id/ata-DISK_1", "by-id/wwn-0x5000c500a1b2c3d4", "by-id/scsi-35000c500a1b2c3d4")
        self.assertSaved("disk/by-id/wwn-0x5000c500a1b2c3d4")

    def test_never_a_name_made_of_the_contents(self):
        self.link("by-id/lvm-pv-uuid-abc")
        self.assertSaved("sda")

    def test_never_a_name_that_control_cannot_hold(self):
        self.link("by-id/ata-DISK,1", "by-id/ata-DISK 1")
        self.assertSaved("sda")

    def test_a_link_of_the_users_own_is_followed(self):
        self.link("by-id/ata-DISK_1")
        os.symlink(self.device, self.dir / "mine")
        self.assertSaved("disk/by-id/ata-DISK_1", given=self.dir / "mine")

    def test_a_stable_name_is_kept(self):
        self.assertIn("/dev/disk/by-path/", KEPT)
        self.link("by-id/ata-DISK_1", "by-path/pci-1")
        with mock.patch("hearth_targetcli.devices.KEPT", (f"{self.dir}/disk/by-path/",)):
            self.assertSaved("disk/by-path/pci-1", given=self.dir / "disk/by-path/pci-1")

    def test_a_missing_device_keeps_its_path(self):
        self.link("by-id/ata-DISK_1")
        self.assertSaved("sdz", given=self.dir / "sdz")


class AwaitNameTest(unittest.TestCase):
    def test_a_name_that_is_there_is_not_waited_for(self):
        with mock.patch("subprocess.run") as run:
            await_name("/dev/null")
        run.assert_not_called()

    def test_udev_may_still_make_the_name(self):
        with mock.patch("subprocess.run") as run:
            await_name("/dev/disk/by-id/none")
        self.assertEqual(run.call_args[0][0], ["udevadm", "settle", "--timeout=30"])

    def test_without_udev_nothing_is_waited_for(self):
        with mock.patch("subprocess.run", side_effect=FileNotFoundError) as run:
            await_name("/dev/disk/by-id/none")
        run.assert_called_once()


if __name__ == "__main__":
    unittest.main()
