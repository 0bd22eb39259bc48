# SPDX-License-Identifier: GPL-2.0-or-later
"""The .pth line and the import hook: what other programs notice of them, which is nothing."""

import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from hearth_targetcli import hook

from . import PTH_LINE, SOURCE


class HookTest(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        package = self.dir / "rtslib_fb"
        package.mkdir()
        (package / "__init__.py").write_text("from . import tcm\n")
        (package / "tcm.py").write_text("class StorageObject: pass\nso_mapping = {}\nbs_params = {}\n")

    def run_python(self, code, *options, plugin=SOURCE):
        """Runs `code` as a program would on a host with our line in site-packages and `plugin` installed."""
        setup = f"import sys; sys.path[:0] = {[str(self.dir), str(plugin)]!r}\nexec({PTH_LINE!r})\n"
        return subprocess.run([sys.executable, "-I", "-B", *options, "-c", setup + code],
                              capture_output=True, text=True, check=False, timeout=60)

    def assertPrints(self, expected, *arguments, stderr="", **keywords):
        done = self.run_python(*arguments, **keywords)
        self.assertEqual((done.stdout, done.stderr), (expected + "\n", stderr))

    def test_the_line_is_one_import_line(self):
        self.assertRegex(PTH_LINE, r"\Aimport sys; [^\n]+\n\Z")

    def test_the_line_names_the_modules_of_the_hook(self):
        names = re.search(r"name in \(([^)]*)\)", PTH_LINE)[1]
        self.assertEqual(set(re.findall(r'"([^"]+)"', names)), set(hook.EXTENSIONS))

    def test_the_line_imports_nothing(self):
        code = f"import sys; before = set(sys.modules); exec({PTH_LINE!r}); print(set(sys.modules) - before)"
        done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False)
        self.assertEqual((done.stdout, done.stderr), ("set()\n", ""))

    def test_other_modules_do_not_load_the_plugin(self):
        self.assertPrints("False", "import json, xml.dom; print('hearth_targetcli' in sys.modules)")

    def test_a_missing_module_is_still_missing(self):
        self.assertPrints("ok", "try:\n import no_such_module\nexcept ModuleNotFoundError: print('ok')")

    def test_rtslib_is_extended(self):
        self.assertPrints("hearth HearthStorageObject",
                          "import rtslib_fb\n"
                          "print(*rtslib_fb.tcm.so_mapping, rtslib_fb.HearthStorageObject.__name__)")

    def test_the_module_keeps_its_own_loader(self):
        self.assertPrints("SourceFileLoader SourceFileLoader",
                          "import rtslib_fb\nm = rtslib_fb.tcm\n"
                          "print(type(m.__loader__).__name__, type(m.__spec__.loader).__name__)")

    def test_the_loader_is_wrapped_once(self):
        self.assertPrints("SourceFileLoader",
                          "import importlib.util\n"
                          "print(type(importlib.util.find_spec('rtslib_fb.tcm').loader._loader).__name__)")

    def test_reload_extends_again(self):
        self.assertPrints("['hearth']", "import rtslib_fb, importlib\nm = importlib.reload(rtslib_fb.tcm)\n"
                                        "print(list(m.so_mapping))")

    def test_without_the_package_rtslib_is_as_before(self):
        self.assertPrints("{}", "import rtslib_fb\nprint(rtslib_fb.tcm.so_mapping)", plugin=self.dir)

    def test_a_broken_package_is_as_none(self):
        broken = self.dir / "hearth_targetcli"
        broken.mkdir()
        (broken / "__init__.py").write_text("")
        (broken / "hook.py").write_text("this is not Python\n")
        self.assertPrints("{}", "import rtslib_fb\nprint(rtslib_fb.tcm.so_mapping)", plugin=self.dir)

    def test_an_rtslib_we_do_not_understand_imports_with_a_warning(self):
        (self.dir / "rtslib_fb/tcm.py").write_text("so_mapping = {}\n")
        code = "import rtslib_fb\nprint(rtslib_fb.tcm.so_mapping)"
        done = self.run_python(code)
        self.assertEqual(done.stdout, "{}\n")
        self.assertIn("hearth: rtslib_fb.tcm is not extended, its LUNs are unknown here", done.stderr)
        self.assertPrints("{}", code, "-Werror")

    def test_an_error_in_rtslib_stays_its_own(self):
        (self.dir / "rtslib_fb/tcm.py").write_text("raise OSError('its own')\n")
        done = self.run_python("import rtslib_fb")
        self.assertRegex(done.stderr, r"OSError: its own\n\Z")
        self.assertNotIn("hearth:", done.stderr)

    def test_registering_twice_keeps_the_first(self):
        self.assertPrints("True", "import rtslib_fb\nfrom hearth_targetcli import storage_object\n"
                                  "first = rtslib_fb.HearthStorageObject\n"
                                  "storage_object.register(rtslib_fb.tcm)\n"
                                  "print(rtslib_fb.HearthStorageObject is first)")


if __name__ == "__main__":
    unittest.main()
