# SPDX-License-Identifier: GPL-2.0-or-later
"""/backstores/hearth in targetcli."""

import stat
import sys

from . import placement
from .storage_object import DISPATCHES, HOMES, MODES, PLUGIN


def register(ui_backstore):
    """Adds the backstore to targetcli, given its module `ui_backstore`."""
    ui = ui_backstore
    if hasattr(ui, "UIHearthBackstore"):
        return
    # the copy of rtslib that this targetcli uses
    tcm = sys.modules[ui.RTSRoot.__module__.rpartition(".")[0] + ".tcm"]

    attributes = {**ui.UIStorageObject.ui_desc_attributes, **StorageObjectMixin.ui_desc_attributes}
    ui.UIHearthStorageObject = type(
        "UIHearthStorageObject", (StorageObjectMixin, ui.UIStorageObject),
        {"__module__": ui.__name__, "ui": ui, "ui_desc_attributes": attributes})
    ui.UIHearthBackstore = type(
        "UIHearthBackstore", (BackstoreMixin, ui.UIBackstore),
        {"__module__": ui.__name__, "ui": ui, "create_object": tcm.so_mapping[PLUGIN]})

    stock_refresh = ui.UIBackstores.refresh

    def refresh(self):
        stock_refresh(self)
        ui.UIHearthBackstore(self)

    ui.UIBackstores.refresh = refresh


def _choice_type(choices):
    """A type of configshell: one of `choices`. The kernel has the last word, so others pass."""
    def ui_type(self, value=None, enum=False, reverse=False):
        if value is None and not reverse:
            return list(choices) if enum else "|".join(choices)
        return value
    return ui_type


class StorageObjectMixin:
    """One LUN."""

    ui_desc_attributes = {
        "mode": ("hearth_mode", "When a write is done: writethrough, when cache and device have it; "
                                "writeback, when the cache has it; writearound, when the device has it."),
        "home": ("hearth_home", "Home node of a block: touch, where its data first arrived; "
                                "stripe, by its address."),
        "dispatch": ("hearth_dispatch", "Who copies what lies on another node: inline, the CPU that received the "
                                        "command; home, workers of that node; auto, these if it is much."),
        "stripe": ("number", "Size of a stripe in bytes, for home=stripe."),
        "readahead": ("string", "Largest readahead window for sequential reads, from 128K to 64M; 0 for none."),
        "dirty": ("string", "How much may wait to be written back, in bytes or with k, M, G or T."),
        "cache": ("string", "Size of the cache: bytes, or a number with k, M, G or T."),
        "cache_min": ("string", "What is guaranteed of the cache whatever other LUNs want."),
    }

    ui_type_hearth_mode = _choice_type(MODES)
    ui_type_hearth_home = _choice_type(HOMES)
    ui_type_hearth_dispatch = _choice_type(DISPATCHES)

    def summary(self):
        so = self.rtsnode
        size = self.ui.bytes_to_human
        words = [so.udev_path, f"({size(so.size)}, cache {size(so.cache)})",
                 "ro" if so.readonly else "", so.mode, so.status,
                 "" if self._is_healthy() else so.state]
        return " ".join(word for word in words if word), self._is_healthy()

    def _is_healthy(self):
        return self.rtsnode.state in ("ok", None)

    def ui_command_info(self):
        super().ui_command_info()
        self.shell.log.info(f"size: {self.rtsnode.size}")
        self.shell.log.info(f"state: {self.rtsnode.state}")
        self.shell.log.info(f"dirty bytes: {self.rtsnode.dirty_bytes}")
        self.shell.log.info(f"paused: {self.rtsnode.paused}")
        self.shell.log.info(f"pinned: {self.rtsnode.pinned or 'nothing'}")

    def ui_command_flush(self):
        '''
        Writes back what the device does not hold yet (mode=writeback), and
        waits until it does.
        '''
        self.assert_root()
        self.rtsnode.flush()
        self.shell.log.info(f"{self.name}: the device holds all that was written.")

    def ui_command_discard_dirty(self):
        '''
        Forgets what the device does not hold yet: acknowledged writes are
        LOST. For a device that will not come back. The LUN must not be
        exported.
        '''
        self.assert_root()
        lost = self.rtsnode.dirty_bytes
        self.rtsnode.discard_dirty()
        self.shell.log.info(f"{self.name}: {lost} bytes discarded.")

    def ui_command_accept_loss(self):
        '''
        Has flushes succeed again although the device may have LOST writes
        that it had acknowledged, which the cache does not hold any more (the
        kernel log says so, and the state is "degraded"). Check the data
        first.
        '''
        self.assert_root()
        self.rtsnode.accept_loss()
        self.shell.log.info(f"{self.name}: flushes succeed again.")

    def ui_command_pause(self):
        '''
        Has every command bypass the cache, until "resume". What is in the
        cache stays there and stays right.
        '''
        self.assert_root()
        self.rtsnode.pause()
        self.shell.log.info("The cache is bypassed.")

    def ui_command_resume(self):
        '''
        Has commands use the cache again, after "pause".
        '''
        self.assert_root()
        self.rtsnode.resume()
        self.shell.log.info("The cache is in use.")

    def ui_command_drop(self):
        '''
        Empties the cache, but for what is pinned or under way. Nothing is
        lost: the device has all of it.
        '''
        self.assert_root()
        self.rtsnode.drop()
        self.shell.log.info("The cache was dropped.")

    def ui_command_rescan(self):
        '''
        Takes over the size that the backing device has now, and has every
        initiator told if that is another than before. A command of any
        initiator does the same.
        '''
        self.assert_root()
        self.rtsnode.rescan()
        self.shell.log.info(f"The LUN has {self.rtsnode.size} bytes.")

    def ui_command_reattach(self):
        '''
        Takes the backing device back after it had vanished (state "gone"), if
        it is the same: its identifier and its size must match.
        '''
        self.assert_root()
        self.rtsnode.reattach()
        self.shell.log.info(f"The LUN uses {self.rtsnode.udev_path} again.")

    def ui_command_pin(self, offset, length):
        '''
        Keeps what is cached of a range from being evicted, until "unpin" with
        the same range or until the LUN is deleted. Both are bytes, or numbers
        with k, M, G or T. All ranges together are at most half of the cache.
        '''
        self.assert_root()
        self.rtsnode.pin(offset, length)
        self.shell.log.info(f"Pinned: {self.rtsnode.pinned}")

    def ui_command_unpin(self, offset, length):
        '''
        Undoes "pin" of the same range.
        '''
        self.assert_root()
        self.rtsnode.unpin(offset, length)
        self.shell.log.info(f"Pinned: {self.rtsnode.pinned or 'nothing'}")


class BackstoreMixin:
    """The folder of all hearth LUNs."""

    def __init__(self, parent):
        self.so_cls = self.ui.UIHearthStorageObject
        super().__init__(PLUGIN, parent)

    def ui_command_create(self, name, dev, cache, mode=None, home=None, dispatch=None, stripe=None,
                          readahead=None, dirty=None, readonly=None, wwn=None, cache_min=None):
        '''
        Creates a LUN that keeps the blocks of the block device "dev" in a
        cache in memory, each on its home NUMA node. The device is claimed:
        it must not be mounted or in use. Its by-id or by-path name is what
        gets saved, if it has one.

        PARAMETERS
        ==========
        cache
        -----
        Size of the cache in bytes, or a number with k, M, G or T. Can be
        changed later: set attribute cache=...

        mode
        ----
        writethrough (the default): a write is done when the device has it.
        writeback: a write is done when the cache has it; until a flush it is
        in memory only. writearound: the cache does not keep what is written.
        Can be changed later: set attribute mode=...

        home
        ----
        touch: a block lives on the node where its data first arrived.
        stripe: the node follows from the address of the block.
        Can be changed later: set attribute home=...

        dispatch
        --------
        Who copies what cannot be handed over by exchanging pages and lies on
        another node. inline: the CPU that received the command. home: worker
        threads of that node. auto (the default): these if it is 64K or more.
        Can be changed later: set attribute dispatch=...

        stripe
        ------
        Size of a stripe, a power of two from 64K; 1M by default.

        readahead
        ---------
        The most that is read ahead of a sequential reader: from 128K to 64M,
        or 0 for none; 2M by default. Can be changed later:
        set attribute readahead=...

        dirty
        -----
        For writeback: how much may wait to be written back; a quarter of the
        cache by default. Can be changed later: set attribute dirty=...

        readonly
        --------
        true for a LUN that cannot be written, which a read-only device needs.
        Can be changed later, unless it was true here: set attribute readonly=1

        wwn
        ---
        Unit serial number of the LUN. Give the one that "info" shows for a
        block or fileio LUN of the same name to move that LUN here: delete it
        there, create it here, and the initiators see the same disk.

        cache_min
        ---------
        What is guaranteed of the cache; all of it by default. What is above
        comes from the memory that the LUNs share, and may be taken back when
        others need it. Can be changed later: set attribute cache_min=...

        EXAMPLE
        =======
        create name=vol0 dev=/dev/disk/by-id/wwn-0x5000c500a1b2c3d4 cache=16G
        ---------------------------------------------------------------------
        '''
        self.assert_root()
        so = self.create_object(name, dev, cache=cache, mode=mode, home=home, dispatch=dispatch, stripe=stripe,
                                readahead=readahead, dirty=dirty, readonly=readonly, wwn=wwn, cache_min=cache_min)
        node = self.so_cls(so, self)
        self.setup_model_alias(so)
        self.shell.log.info(f"Created hearth storage object {name} using {so.udev_path}, "
                            f"cache {self.ui.bytes_to_human(so.cache)}.")
        return self.new_node(node)

    def ui_command_placement(self, apply=None):
        '''
        Shows on which NUMA node the network card of each iSCSI portal is, and
        on which CPUs the kernel runs the threads of iSCSI connections. They
        should be CPUs of these nodes: what arrives there lives there, and is
        copied, if at all, from there.

        PARAMETERS
        ==========
        apply
        -----
        true: have the kernel use the CPUs that are suggested, for all targets
        and for connections that exist as well. This is not part of the saved
        configuration; targetcli-hearth(8) says how to keep it.
        '''
        self.assert_root()
        say = self.shell.log.info
        rows = list(placement.Placement().rows(self._iscsi_portals()))
        if not rows:
            raise self.ui.ExecutionError("There is no iSCSI portal yet; create one first.")
        for portal, interface, node, cpus in rows:
            say(f"{portal} {interface}: " + ("node unknown" if node is None else
                                             f"node {node}, CPUs {placement.format_cpulist(cpus) or 'none'}"))
        now = placement.allowed()
        if now is not None:
            say(f"iSCSI connections run on CPUs {placement.format_cpulist(now)}")
        wanted = set().union(*(cpus for *_, cpus in rows))
        if not wanted:
            raise self.ui.ExecutionError("No portal's network card is on a node with CPUs that is known; "
                                         "there is nothing to suggest.")
        say(f"suggested: {placement.format_cpulist(wanted)}" + (", as it is" if wanted == now else ""))
        if self.ui_eval_param(apply, "bool", False) and wanted != now:
            placement.allow(wanted)
            say(f"iSCSI connections run on CPUs {placement.format_cpulist(placement.allowed())} now")

    def _iscsi_portals(self):
        portals = self.ui.RTSRoot().network_portals
        return sorted({(portal.ip_address, portal.port) for portal in portals
                       if portal.parent_tpg.parent_target.fabric_module.name == "iscsi"})

    def ui_complete_create(self, parameters, text, current_param):
        if current_param == "dev":
            found = self._complete_device(text)
        else:
            choices = {"mode": MODES, "home": HOMES, "dispatch": DISPATCHES, "readonly": ("true", "false")}
            found = [choice for choice in choices.get(current_param, ()) if choice.startswith(text)]
        if len(found) == 1 and not found[0].endswith("/"):
            return [found[0] + " "]
        return found

    def _complete_device(self, text):
        try:
            return self.ui.complete_path(text or "/dev/", stat.S_ISBLK)
        except OSError:  # a dangling link in the folder
            return []

    def ui_command_delete(self, name, save=None):
        '''
        Deletes the LUN, and with it every target LUN that exports it. The
        backing device keeps its data.
        '''
        exports = self._exports(name)
        super().ui_command_delete(name, save)
        for export in exports:
            self.shell.log.info(f"Deleted {export}, which exported it.")

    def _exports(self, name):
        nodes = [child.rtsnode for child in self.children if child.name == name]
        return [f"{lun.parent_tpg.parent_target.fabric_module.name}/{lun.parent_tpg.parent_target.wwn}"
                f"/tpg{lun.parent_tpg.tag}/lun{lun.lun}"
                for node in nodes for lun in node.attached_luns]
