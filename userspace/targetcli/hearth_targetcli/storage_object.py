# SPDX-License-Identifier: GPL-2.0-or-later
"""HearthStorageObject: a hearth LUN as rtslib sees it.

The kernel checks every parameter, and says in its log what it would accept; this file repeats that line to
the user and checks only what the kernel does not: identities (`wwn=`), and names that `control` cannot hold.
"""

import contextlib
import os
import re
import sys

from .devices import SEPARATORS, await_name, stable_name
from .kernel_log import KernelLog

PLUGIN = "hearth"
MODULE = "target_core_hearth"
MODES = ("writethrough", "writeback", "writearound")
HOMES = ("touch", "stripe")
DISPATCHES = ("inline", "home", "auto")
WWN_MAX = 253  # INQUIRY_VPD_SERIAL_LEN, less the final NUL

_SYSFS = "/sys/class/hearth"


def _flag(value):
    """The kernel's 0 or 1 for what JSON and targetcli call false and true; the kernel judges the rest."""
    return {"true": 1, "false": 0}.get(str(value).lower(), value)


def _store(path, text):
    """Writes once. A buffered file, as rtslib uses, tries a refused value again when it is closed."""
    with open(path, "wb", buffering=0) as file:
        file.write(f"{text}\n".encode())


def register(tcm):
    """Adds the backstore to one copy of rtslib, given its module `tcm`."""
    if PLUGIN in tcm.so_mapping:
        return
    cls = type("HearthStorageObject", (HearthMixin, tcm.StorageObject),
               {"__module__": tcm.__name__, "__doc__": HearthMixin.__doc__, "tcm": tcm})
    tcm.HearthStorageObject = cls
    tcm.bs_params[cls] = {"name": PLUGIN}
    tcm.so_mapping[PLUGIN] = cls
    package = sys.modules.get(tcm.__name__.rpartition(".")[0])
    if package:
        package.HearthStorageObject = cls


class HearthMixin:
    """A LUN of the hearth backstore.

    With `dev` it is created, and needs a name that is free; without, the existing one is looked up.

    name      of the LUN, also in /sys/class/hearth
    dev       block device, claimed exclusively; a by-id or by-path name of it is what gets saved
    cache     size in bytes, or a number with k, M, G or T
    cache_min what is guaranteed of it whatever other LUNs want; all of it if None
    mode      writethrough, writeback or writearound
    home      touch or stripe: how the home node of a block is chosen
    dispatch  inline, home or auto: who copies what lies on another node
    stripe    size of a stripe, a power of two from 64K
    readahead largest readahead window, from 128K to 64M, or 0 for none
    dirty     how much may wait to be written back; a quarter of the cache if None
    readonly  true for a LUN nobody can write
    wwn       unit serial number (VPD 0x80), made up if None
    index     number of the HBA in configfs, chosen if None
    """

    def __init__(self, name, dev=None, cache=None, mode=None, home=None, dispatch=None,
                 stripe=None, readahead=None, dirty=None, readonly=None, wwn=None, cache_min=None, index=None):
        settings = {"cache": cache, "cache_min": cache_min, "mode": mode, "home": home, "dispatch": dispatch,
                    "stripe": stripe, "readahead": readahead, "dirty": dirty,
                    "readonly": _flag(readonly)}
        settings = {key: value for key, value in settings.items() if value is not None}
        if dev is None:
            if settings or wwn is not None:
                raise self._error(f"{PLUGIN}/{name}: dev= is missing; give the block device to cache")
            super().__init__(name, "lookup", index)
            return

        self._check_kinds(name, {"dev": dev, "wwn": wwn})
        self._check_separators(name, {"dev": dev, **settings})
        self._check_wwn(name, wwn)
        self._load_module(name)
        await_name(dev)
        super().__init__(name, "create", index)
        try:
            self._configure(stable_name(dev), settings, wwn)
        except BaseException:
            with contextlib.suppress(Exception):  # the reason to report is the first one
                self.delete()
            raise

    @property
    def _error(self):
        return self.tcm.RTSLibError

    def _check_kinds(self, name, settings):
        """A saved configuration may hold anything."""
        for key, value in settings.items():
            if value is not None and not isinstance(value, str):
                raise self._error(f"{PLUGIN}/{name}: {key}={value}: not a text; give one, in quotes")

    def _check_separators(self, name, settings):
        for key, value in settings.items():
            if not str(value).isprintable():
                raise self._error(f"{PLUGIN}/{name}: {key}={value!a}: has characters that cannot be printed; leave them out")
            if SEPARATORS & set(str(value)):
                raise self._error(f"{PLUGIN}/{name}: {key}={value}: a value has no comma and no white space; "
                                  + ("give another name of the device" if key == "dev" else "give one value"))

    def _load_module(self, name):
        utils = sys.modules[self.tcm.__name__.rpartition(".")[0] + ".utils"]
        try:
            utils.modprobe(MODULE)
        except Exception as error:
            reason = error.args[0] if error.args else error
            reason = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
            raise self._error(f"{PLUGIN}/{name}: cannot load the kernel module {MODULE}: "
                              f"{' '.join(reason.split())}; "
                              f"is it built for the running kernel, {os.uname().release}?") from error

    def _check_wwn(self, name, wwn):
        if wwn is None:
            return
        where = f"{PLUGIN}/{name}: wwn={wwn}"
        if not re.fullmatch(r"[!-~]{1,%d}" % WWN_MAX, wwn):
            raise self._error(f"{where}: not a unit serial number; "
                              f"give 1 to {WWN_MAX} printable characters without spaces")
        for other in self.tcm.StorageObject.all():
            if other.is_configured() and other.wwn == wwn:
                raise self._error(f"{where}: {other.plugin}/{other.name} has this unit serial number; "
                                  "delete that LUN first")

    def _configure(self, dev, settings, wwn):
        pairs = ",".join(f"{key}={value}" for key, value in {"dev": dev, **settings}.items())
        with self._explained(f"create with {pairs}"):
            self._set_udev_path(dev)
            _store(f"{self.path}/control", pairs)
            _store(f"{self.path}/enable", 1)
        super()._configure(wwn)

    @contextlib.contextmanager
    def _explained(self, action):
        """Turns a refusal of the kernel into one message, in the kernel's own words if they can be had."""
        with KernelLog() as log:
            try:
                yield
            except (OSError, self._error) as error:
                reason = log.last(f"hearth: {self.name}: ")
                if reason is None and isinstance(error, OSError):
                    reason = f"cannot {action}: {error.strerror}; the kernel log (dmesg) may say why"
                if reason is None:
                    raise
                raise self._error(f"{PLUGIN}/{self.name}: {reason}") from error

    def set_attribute(self, attribute, value):
        path = f"{self.path}/attrib/{attribute}"
        if not os.path.isfile(path):
            super().set_attribute(attribute, value)  # says so
        with self._explained(f"set attribute {attribute} to {value}"):
            _store(path, value)

    def _act(self, file, value=1, action=None):
        """Writes to a file of the LUN in sysfs."""
        with self._explained(action or file):
            _store(f"{_SYSFS}/{self.name}/{file}", value)

    def pause(self):
        """Has every command bypass the cache until resume()."""
        self._act("paused", 1, "pause the cache")

    def resume(self):
        """Undoes pause()."""
        self._act("paused", 0, "resume the cache")

    def drop(self):
        """Empties the cache of all that is clean and not pinned."""
        self._act("drop", 1, "drop the cache")

    def rescan(self):
        """Takes over the size that the device has now."""
        self._act("rescan", 1, "rescan the device")

    def reattach(self):
        """Takes a device back that had vanished."""
        self._act("reattach", 1, "reattach the device")

    def pin(self, offset, length):
        """Keeps the frames of a range from being evicted, until unpin()."""
        self._act("pin", f"{offset}+{length}", f"pin {offset}+{length}")

    def unpin(self, offset, length):
        """Undoes pin() of the same range."""
        self._act("unpin", f"{offset}+{length}", f"unpin {offset}+{length}")

    def delete(self, save=False):
        """Deletes the LUNs that export it, as for every backstore, then the object itself.

        What the device does not hold yet is written back first. If that fails nothing is deleted, nor as long
        as anything is dirty: see discard_dirty().
        """
        if self.is_configured() and os.path.exists(f"{_SYSFS}/{self.name}/flush"):
            self.flush()
            for lun in self.attached_luns:
                lun.delete()
            self.flush()  # what came meanwhile; the kernel lets go of a LUN that is clean and not exported
        with self._explained("delete it"):
            super().delete(save=save)

    def flush(self):
        """Writes back what is dirty, and waits until the device holds it."""
        self._act("flush")

    def discard_dirty(self):
        """Forgets what is dirty: the device keeps what it has. Refused while the LUN is exported."""
        self._act("discard_dirty")

    def accept_loss(self):
        """Has flushes succeed again although the device may have lost what it had acknowledged."""
        self._act("accept_loss")

    def _setting(self, key):
        """The value of key=value in the second line of `info`, or None."""
        found = re.search(rf"(?:^|\s){key}=(\S+)", self.tcm.fread(f"{self.path}/info"))
        return found.group(1) if found else None

    def _sysfs(self, name):
        try:
            return self.tcm.fread(f"{_SYSFS}/{self.name}/{name}")
        except OSError:
            return None

    def _get_udev_path(self):
        # empty for a LUN that was made by hand in configfs
        return super()._get_udev_path() or self._setting("dev")

    udev_path = property(lambda self: self._get_udev_path(),
                         doc="Name of the backing device, as saved.")
    cache = property(lambda self: int(self._setting("cache") or 0), doc="Size of the cache in bytes.")
    cache_min = property(lambda self: int(self._setting("cache_min") or 0),
                         doc="What is guaranteed of the cache, in bytes.")
    mode = property(lambda self: self._setting("mode"), doc="writethrough, writeback or writearound.")
    home = property(lambda self: self._setting("home"), doc="touch or stripe.")
    dispatch = property(lambda self: self._setting("dispatch"), doc="inline, home or auto.")
    stripe = property(lambda self: int(self._setting("stripe") or 0), doc="Size of a stripe in bytes.")
    readahead = property(lambda self: int(self._setting("readahead") or 0),
                         doc="Largest readahead window in bytes, 0 for none.")
    dirty = property(lambda self: int(self._setting("dirty") or 0),
                     doc="How many bytes may wait to be written back.")
    dirty_bytes = property(lambda self: int(self._sysfs("dirty_bytes") or 0),
                           doc="How many bytes do wait to be written back.")
    readonly = property(lambda self: self._setting("readonly") == "1", doc="True if nobody can write.")
    size = property(lambda self: int(self._sysfs("size_bytes") or 0), doc="Size of the LUN in bytes.")
    state = property(lambda self: self._sysfs("state"), doc="ok, degraded or gone; None if not known.")

    paused = property(lambda self: self._sysfs("paused") == "1", doc="True while the cache is bypassed.")
    pinned = property(lambda self: self._sysfs("pinned") or "", doc="Pinned ranges, offset+length,...")

    def dump(self):
        d = super().dump()
        d.update(dev=self.udev_path, cache=self.cache, cache_min=self.cache_min, mode=self.mode, home=self.home,
                 dispatch=self.dispatch, stripe=self.stripe, readahead=self.readahead,
                 dirty=self.dirty, readonly=self.readonly, wwn=self.wwn)
        return d
