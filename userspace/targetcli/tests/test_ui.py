# SPDX-License-Identifier: GPL-2.0-or-later
"""/backstores/hearth of the targetcli shell, on a fake configfs."""

import contextlib
import importlib
import os
import pathlib
import pickle
import tempfile
import unittest
from unittest import mock

from hearth_targetcli import placement

from . import fake_kernel

try:
    ui_backstore = importlib.import_module("targetcli.ui_backstore")
except ImportError as error:
    raise unittest.SkipTest(f"no targetcli here: {error}") from error

UI_ROOT = importlib.import_module("targetcli.ui_root")
CONFIGSHELL = importlib.import_module(ui_backstore.ExecutionError.__module__.partition(".")[0])
RTSLIB = ui_backstore.RTSRoot.__module__.partition(".")[0]
PREFS = {"export_backstore_name_as_model": True, "auto_cd_after_create": False, "color_mode": False,
         "max_backup_files": "10"}


class UITest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # one shell for all: configshell keeps the log and the preferences of a process in its classes
        home = cls.enterClassContext(tempfile.TemporaryDirectory())
        pathlib.Path(home, "prefs.bin").write_bytes(pickle.dumps(
            {**CONFIGSHELL.ConfigShell.default_prefs, **PREFS, "loglevel_file": "debug"}))
        with mock.patch.dict(CONFIGSHELL.ConfigShell.default_prefs, PREFS):
            cls.shell = CONFIGSHELL.ConfigShell(home)

    def setUp(self):
        self.kernel = self.enterContext(fake_kernel.FakeKernel(RTSLIB))
        self.dev = str(self.kernel.device)
        self.enterContext(mock.patch.object(ui_backstore.UIBackstores, "_user_backstores", lambda self: ()))
        self.output = []
        self.shell.con.display = lambda text, no_lf=False: self.output.append(text)
        for level in ("info", "warning", "error"):
            setattr(self.shell.log, level, self.output.append)
        self.root = UI_ROOT.UIRoot(self.shell, as_root=True)
        self.root.refresh()

    def run_command(self, line):
        del self.output[:]
        self.shell.run_cmdline(line)
        return "\n".join(str(text) for text in self.output)

    def create(self, name="vol0", more=""):
        return self.run_command(f"/backstores/hearth create name={name} dev={self.dev} cache=16G {more}")

    def node(self, path):
        return self.root.get_node(path)

    def test_the_backstore_is_listed_beside_the_others(self):
        self.assertEqual({child.name for child in self.node("/backstores").children},
                         {"pscsi", "ramdisk", "fileio", "block", "hearth"})
        self.node("/backstores").refresh()
        self.assertEqual(len(self.node("/backstores").children), 5)

    def test_create_says_what_it_made(self):
        self.assertEqual(self.create(),
                         f"Created hearth storage object vol0 using {self.dev}, cache 16.0GiB.")
        self.assertEqual(self.kernel.objects(), ["hearth_0/vol0"])
        so = self.node("/backstores/hearth/vol0").rtsnode
        self.assertEqual(so.get_attribute("emulate_model_alias"), "1")

    def test_summary(self):
        self.create(more="mode=writearound readonly=true")
        self.assertEqual(self.node("/backstores/hearth/vol0").summary(),
                         (f"{self.dev} (100.0GiB, cache 16.0GiB) ro writearound deactivated", True))
        (self.kernel.root / "class/vol0/state").write_text("degraded\n")
        self.assertEqual(self.node("/backstores/hearth/vol0").summary(),
                         (f"{self.dev} (100.0GiB, cache 16.0GiB) ro writearound deactivated degraded", False))

    def test_info_shows_every_setting(self):
        self.create(more="wwn=serial-1")
        shown = self.run_command("/backstores/hearth/vol0 info").splitlines()
        self.assertEqual(shown, [
            "cache: 17179869184", "cache_min: 17179869184", f"dev: {self.dev}", "dirty: 0", "dispatch: auto",
            "home: touch",
            "mode: writethrough", "name: vol0",
            "plugin: hearth", "readahead: 2097152", "readonly: False", "stripe: 1048576", "wwn: serial-1",
            "size: 107374182400", "state: ok", "dirty bytes: 0", "paused: False", "pinned: nothing"])

    def test_a_refusal_reaches_the_user_and_leaves_nothing(self):
        with self.assertRaises(Exception) as caught:
            self.create(more="mode=fast")
        self.assertEqual(str(caught.exception),
                         "hearth/vol0: mode=fast: give writethrough or writeback or writearound")
        self.assertEqual((self.kernel.objects(), list(self.node("/backstores/hearth").children)), ([], []))

    def test_attributes(self):
        self.create()
        self.run_command("/backstores/hearth/vol0 set attribute mode=writearound home=stripe "
                         "dispatch=inline readahead=1M")
        self.assertIn("mode=writearound", self.run_command("/backstores/hearth/vol0 get attribute mode"))
        self.assertEqual(self.node("/backstores/hearth/vol0").rtsnode.home, "stripe")
        self.assertEqual(self.node("/backstores/hearth/vol0").rtsnode.dispatch, "inline")
        self.assertEqual(self.node("/backstores/hearth/vol0").rtsnode.readahead, 1 << 20)

    def test_a_read_only_attribute_cannot_be_set(self):
        self.create()
        with contextlib.suppress(Exception):
            self.run_command("/backstores/hearth/vol0 set attribute stripe=128K")
        self.assertEqual(self.node("/backstores/hearth/vol0").rtsnode.stripe, 1 << 20)

    def test_the_cache_is_resized(self):
        self.create(more="cache_min=1G")
        so = self.node("/backstores/hearth/vol0").rtsnode
        self.assertEqual(so.cache_min, 1 << 30)
        self.run_command("/backstores/hearth/vol0 set attribute cache=8G cache_min=512M")
        self.assertEqual((so.cache, so.cache_min), (8 << 30, 512 << 20))
        with self.assertRaisesRegex(Exception, "hearth/vol0: cache=much: not a size"):
            self.run_command("/backstores/hearth/vol0 set attribute cache=much")
        self.assertEqual(so.cache, 8 << 30)

    def test_commands_on_a_lun_in_use(self):
        self.create()
        lun = "/backstores/hearth/vol0"
        so = self.node(lun).rtsnode
        self.assertEqual(self.run_command(f"{lun} pause"), "The cache is bypassed.")
        self.assertTrue(so.paused)
        self.assertEqual(self.run_command(f"{lun} resume"), "The cache is in use.")
        self.assertFalse(so.paused)
        self.assertEqual(self.run_command(f"{lun} pin 0 1M"), "Pinned: 0+1M")
        self.assertEqual(self.run_command(f"{lun} pin 8M 1M"), "Pinned: 0+1M,8M+1M")
        self.assertEqual(self.run_command(f"{lun} unpin 0 1M"), "Pinned: 8M+1M")
        self.assertEqual(self.run_command(f"{lun} unpin 8M 1M"), "Pinned: nothing")
        self.run_command(f"{lun} drop")
        self.run_command(f"{lun} rescan")
        for file in ("drop", "rescan"):
            self.assertEqual((self.kernel.root / f"class/vol0/{file}").read_text(), "1\n")
        with self.assertRaisesRegex(Exception, "hearth/vol0: reattach: dev=/dev/x has not vanished"):
            self.run_command(f"{lun} reattach")
        (self.kernel.root / "class/vol0/state").write_text("gone\n")
        self.assertIn("again", self.run_command(f"{lun} reattach"))

    def test_delete(self):
        self.create()
        self.assertEqual(self.run_command("/backstores/hearth delete vol0"), "Deleted storage object vol0.")
        self.assertEqual((self.kernel.objects(), list(self.node("/backstores/hearth").children)), ([], []))

    def _make_dirty(self, state):
        self.create(more="mode=writeback dirty=64M")
        sysfs = self.kernel.root / "class/vol0"
        (sysfs / "dirty_bytes").write_text("8192\n")
        (sysfs / "state").write_text(f"{state}\n")
        self.assertIn("dirty bytes: 8192", self.run_command("/backstores/hearth/vol0 info"))

    def test_flush(self):
        self._make_dirty("ok")
        self.assertEqual(self.run_command("/backstores/hearth/vol0 flush"),
                         "vol0: the device holds all that was written.")
        self.assertIn("dirty bytes: 0", self.run_command("/backstores/hearth/vol0 info"))

    def test_a_lun_that_cannot_be_flushed_stays_until_its_data_is_discarded(self):
        self._make_dirty("degraded")
        for command in ("/backstores/hearth/vol0 flush", "/backstores/hearth delete vol0"):
            with self.assertRaisesRegex(Exception, "^hearth/vol0: dev=/dev/x: flushing failed: error -5$"):
                self.run_command(command)
        self.assertEqual(self.kernel.objects(), ["hearth_0/vol0"])
        self.assertEqual(self.run_command("/backstores/hearth/vol0 discard_dirty"), "vol0: 8192 bytes discarded.")

    def test_loss_is_accepted_if_there_is_one(self):
        self._make_dirty("degraded")
        self.assertEqual(self.run_command("/backstores/hearth/vol0 accept_loss"), "vol0: flushes succeed again.")
        with self.assertRaisesRegex(Exception, "^hearth/vol0: accept_loss: nothing is lost; there is nothing to do$"):
            self.run_command("/backstores/hearth/vol0 accept_loss")
        self.run_command("/backstores/hearth/vol0 flush")

    def test_delete_of_nothing(self):
        with self.assertRaisesRegex(Exception, "No storage object named vol9"):
            self.run_command("/backstores/hearth delete vol9")

    def place(self, rows, now, line="placement"):
        """What `placement` says of these rows, and the CPUs that it sets."""
        asked = []
        fake = mock.Mock(**{"rows.return_value": rows})
        with (mock.patch.object(placement, "Placement", lambda: fake),
              mock.patch.object(placement, "allowed", lambda: asked[-1] if asked else now),
              mock.patch.object(placement, "allow", asked.append)):
            said = self.run_command(f"/backstores/hearth {line}")
        return said.splitlines(), asked

    def test_placement_suggests_the_cpus_beside_the_cards(self):
        rows = [("10.0.0.1:3260", "ens1", 1, {4, 5, 6, 7}), ("10.0.9.1:3260", "veth0", None, set())]
        self.assertEqual(self.place(rows, set(range(8))), ([
            "10.0.0.1:3260 ens1: node 1, CPUs 4-7", "10.0.9.1:3260 veth0: node unknown",
            "iSCSI connections run on CPUs 0-7", "suggested: 4-7"], []))
        self.assertEqual(self.place(rows, {4, 5, 6, 7}, "placement apply=true")[0][-1], "suggested: 4-7, as it is")
        said, asked = self.place(rows, set(range(8)), "placement apply=true")
        self.assertEqual((said[-1], asked), ("iSCSI connections run on CPUs 4-7 now", [{4, 5, 6, 7}]))

    def test_placement_without_anything_to_suggest(self):
        for rows, why in (([], "no iSCSI portal"),
                          ([("10.0.9.1:3260", "veth0", None, set())], "nothing to suggest")):
            with self.assertRaisesRegex(Exception, why):
                self.place(rows, {0, 1}, "placement apply=true")

    def test_saved_and_restored(self):
        self.create(more="mode=writearound wwn=serial-1")
        saved = str(self.kernel.root / "save.json")
        before = self.root.rtsroot.dump()
        self.run_command(f"saveconfig {saved}")
        self.run_command("clearconfig confirm=true")
        self.assertEqual(self.kernel.objects(), [])
        self.run_command(f"restoreconfig {saved}")
        self.assertEqual(self.root.rtsroot.dump(), before)

    def test_completion(self):
        complete = self.node("/backstores/hearth").ui_complete_create
        self.assertEqual(complete({}, "writeth", "mode"), ["writethrough "])
        self.assertEqual(complete({}, "", "mode"), ["writethrough", "writeback", "writearound"])
        self.assertEqual(complete({}, "s", "home"), ["stripe "])
        self.assertEqual(complete({}, "", "dispatch"), ["inline", "home", "auto"])
        self.assertEqual(complete({}, "f", "readonly"), ["false "])
        self.assertEqual(complete({}, "", "cache"), [])
        os.mkdir(f"{self.dev}.d")
        self.assertEqual(complete({}, self.dev, "dev"), [f"{self.dev}.d/"])
        os.symlink("/nonexistent", f"{self.dev}-dangling")
        self.assertEqual(complete({}, self.dev, "dev"), [])

    def test_completion_of_attributes(self):
        self.create()
        complete = self.node("/backstores/hearth/vol0").ui_complete_set
        self.assertEqual(complete({"group": "attribute"}, "", "mode"), ["writethrough", "writeback", "writearound"])
        self.assertEqual(complete({"group": "attribute"}, "t", "home"), ["touch "])


if __name__ == "__main__":
    unittest.main()
