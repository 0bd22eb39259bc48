# SPDX-License-Identifier: GPL-2.0-or-later
"""A folder that answers like the configfs of LIO with the hearth module loaded.

Folders appear with their files when they are made, and `control`, `enable` and `attrib/` refuse what
the module refuses, with a line in a fake kernel log. Only what the plugin uses is here.
"""

import contextlib
import errno
import importlib
import os
import pathlib
import re
import shutil
import tempfile
import warnings
from unittest import mock

from hearth_targetcli import storage_object
from hearth_targetcli.kernel_log import KernelLog

UNITS = {"": 1, "k": 1 << 10, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
CHOICES = {"mode": ("writethrough", "writeback", "writearound"), "home": ("touch", "stripe"),
           "dispatch": ("inline", "home", "auto"), "readonly": ("0", "1")}
DEFAULTS = {"mode": "writethrough", "home": "touch", "dispatch": "auto", "stripe": 1 << 20,
            "readahead": 2 << 20, "dirty": 0, "readonly": "0"}


class FakeKernel:
    """Stands in for configfs, modprobe and the kernel log under one copy of rtslib."""

    def __init__(self, tree):
        self.tree = tree
        self.loaded = []
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        self._stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", ResourceWarning)  # rtslib leaves its lock file open
        self.root = pathlib.Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self.target = self.root / "target"
        self.core = self.target / "core"
        self.core.mkdir(parents=True)
        self.kmsg = self.root / "kmsg"
        self.kmsg.write_text("6,1,1,-;hearth: vol0: an old message\n")
        self.device = self.root / "disk0"
        self.device.write_bytes(b"")

        part = {name: importlib.import_module(f"{self.tree}.{name}")
                for name in ("tcm", "node", "utils", "root", "fabric")}
        patch = self._patch
        self._mkdir, self._rmdir, self._fwrite = os.mkdir, os.rmdir, part["utils"].fwrite
        patch(os, "mkdir", self._on_mkdir)
        patch(os, "rmdir", self._on_rmdir)
        for module in ("tcm", "node"):
            patch(part[module], "fwrite", self._on_write)
        patch(storage_object, "await_name", lambda dev: None)
        patch(storage_object, "_store", self._on_write)
        for module in ("root", "utils"):
            patch(part[module], "modprobe", self._on_modprobe)
        patch(part["root"], "mount_configfs", lambda: None)
        patch(part["fabric"].FabricModule, "all", lambda: ())
        patch(part["node"].CFSNode, "configfs_dir", str(self.target))
        patch(part["tcm"], "lock_file", str(self.root / "lock"))
        patch(part["tcm"], "bs_cache", {})
        patch(part["root"], "bs_cache", part["tcm"].bs_cache)
        patch(storage_object, "KernelLog", lambda: KernelLog(self.kmsg))
        patch(storage_object, "_SYSFS", str(self.root / "class"))
        return self

    def __exit__(self, *failure):
        return self._stack.__exit__(*failure)

    def _patch(self, where, name, value):
        self._stack.enter_context(mock.patch.object(where, name, value))

    def objects(self):
        """What lies in configfs, as "hearth_0/vol0", and HBAs that are left empty as "hearth_0"."""
        found = sorted(str(path.relative_to(self.core)) for path in self.core.glob("*/*"))
        return found + sorted(path.name for path in self.core.glob("*") if not any(path.iterdir()))

    def log(self, message):
        with self.kmsg.open("a") as kmsg:
            kmsg.write(f"3,7,7,-;{message}\n SUBSYSTEM=none\n")

    def refuse(self, lun, message, code=errno.EINVAL):
        self.log(f"hearth: {lun.name}: {message}")
        raise OSError(code, os.strerror(code))

    def add_other(self, plugin, name, wwn):
        """A configured object of another backstore."""
        lun = self.core / f"{plugin}_9" / name
        lun.parent.mkdir()
        lun.mkdir()
        (lun / "enable").write_text("1")
        self._write_wwn(lun, wwn)

    # the calls of rtslib that end in the kernel

    def _on_modprobe(self, module):
        self.loaded.append(module)

    def _on_mkdir(self, path, *args, **kwargs):
        self._mkdir(path, *args, **kwargs)
        path = pathlib.Path(path)
        if path.parent.parent == self.core:
            self._populate(path)

    def _populate(self, lun):
        for folder in ("attrib", "wwn", "alua", "pr"):
            (lun / folder).mkdir()
        for name, text in {"control": "", "enable": "0", "udev_path": "",
                           "info": "Status: DEACTIVATED  Max Queue Depth: 0  SectorSize: 512\n",
                           "attrib/block_size": "512", "attrib/emulate_model_alias": "0"}.items():
            (lun / name).write_text(text)
        (lun / "wwn/vpd_unit_serial").write_text("T10 VPD Unit Serial Number: ")

    def _on_rmdir(self, path, *args, **kwargs):
        lun = pathlib.Path(path)
        if lun.parent.parent == self.core:  # configfs drops the default files and groups itself
            for entry in lun.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self._rmdir(path, *args, **kwargs)

    def _on_write(self, path, text):
        path, text = pathlib.Path(path), str(text).strip()
        if path.name == "control":
            self._control(path.parent, text)
        elif path.name == "enable":
            self._enable(path.parent)
        elif path.name == "vpd_unit_serial":
            self._write_wwn(path.parent.parent, text)
        elif path.parent.name == "attrib" and path.name in (*CHOICES, "readahead", "dirty", "cache", "cache_min"):
            self._set(path.parent.parent, path.name, text)
        elif path.parent.parent == self.root / "class":
            self._act(path.parent, path.name, text)
        else:
            self._fwrite(path, text)

    def _act(self, sysfs, file, text):
        if file == "flush" and (sysfs / "state").read_text() == "degraded\n":
            self.refuse(sysfs, "dev=/dev/x: flushing failed: error -5", errno.EIO)
        if file == "reattach" and (sysfs / "state").read_text() == "ok\n":
            self.refuse(sysfs, "reattach: dev=/dev/x has not vanished; there is nothing to do", errno.EBUSY)
        if file == "accept_loss":
            if (sysfs / "state").read_text() == "ok\n":
                self.refuse(sysfs, "accept_loss: nothing is lost; there is nothing to do", errno.EBUSY)
            (sysfs / "state").write_text("ok\n")
        if file in ("flush", "discard_dirty"):
            (sysfs / "dirty_bytes").write_text("0\n")
        elif file in ("pin", "unpin"):
            pinned = [pin for pin in (sysfs / "pinned").read_text().strip().split(",") if pin and pin != text]
            if file == "pin":
                pinned.append(text)
            (sysfs / "pinned").write_text(",".join(pinned) + "\n")
        else:
            (sysfs / file).write_text(f"{text}\n")

    def _write_wwn(self, lun, text):
        (lun / "wwn").mkdir(exist_ok=True)
        (lun / "wwn/vpd_unit_serial").write_text(f"T10 VPD Unit Serial Number: {text}\n")

    def _check(self, lun, key, value):
        if key in CHOICES and value not in CHOICES[key]:
            self.refuse(lun, f"{key}={value}: give {' or '.join(CHOICES[key])}")
        if key in ("cache", "cache_min", "stripe", "readahead", "dirty"):
            match = re.fullmatch(r"(\d+)([kKMGT]?)", value)
            if not match:
                self.refuse(lun, f"{key}={value}: not a size; give bytes or a number with k, M, G or T")
            return int(match[1]) * UNITS[match[2]]
        if key not in ("dev", *CHOICES):
            self.refuse(lun, f"{key}={value}: no such key")
        return value

    def _control(self, lun, text):
        settings = dict(DEFAULTS)
        for pair in text.split(","):
            key, _, value = pair.partition("=")
            settings[key] = self._check(lun, key, value)
        settings.setdefault("cache_min", settings.get("cache"))
        (lun / "control").write_text(repr(settings))
        self._show(lun, settings)

    def _show(self, lun, settings):
        keys = ("dev", "cache", "cache_min", "mode", "home", "dispatch", "stripe", "readahead", "dirty", "readonly")
        shown = " ".join(f"{key}={settings[key]}" for key in keys if key in settings)
        with (lun / "info").open("a") as info:
            info.write(f"        {shown}\n")
        for key, writable in {"mode": True, "home": True, "dispatch": True, "readahead": True, "dirty": True,
                              "cache": True, "cache_min": True, "stripe": False}.items():
            attribute = lun / "attrib" / key
            attribute.write_text(str(settings.get(key)))
            attribute.chmod(0o644 if writable else 0o444)

    def _set(self, lun, key, value):
        value = str(self._check(lun, key, value))
        (lun / "attrib" / key).write_text(value)
        info = lun / "info"
        info.write_text(re.sub(rf"\b{key}=\S+", f"{key}={value}", info.read_text()))

    def _enable(self, lun):
        dev = re.search(r"dev=(\S+)", (lun / "info").read_text())[1]
        if not os.path.exists(dev):
            self.refuse(lun, f"dev={dev}: no such device", errno.ENOENT)
        (lun / "enable").write_text("1")
        sysfs = self.root / "class" / lun.name
        os.makedirs(sysfs, exist_ok=True)
        (sysfs / "size_bytes").write_text(str(100 << 30))
        (sysfs / "state").write_text("ok\n")
        (sysfs / "dirty_bytes").write_text("0\n")
        (sysfs / "flush").write_text("")
        (sysfs / "discard_dirty").write_text("")
        (sysfs / "accept_loss").write_text("")
        (sysfs / "paused").write_text("0\n")
        (sysfs / "pinned").write_text("\n")
