# SPDX-License-Identifier: GPL-2.0-or-later
"""Names of block devices: which one to save so that it is right after a reboot, and waiting for it there."""

import os
import subprocess

# A name in these folders was chosen by the user and follows the device, not the order of discovery.
KEPT = ("/dev/disk/by-id/", "/dev/disk/by-path/", "/dev/disk/by-partuuid/", "/dev/mapper/")

# Best first. A world wide name is the device's own; the others are made of model and serial number.
BY_ID_ORDER = ("wwn-", "nvme-eui.", "nvme-uuid.", "scsi-3", "dm-uuid-", "md-uuid-")

# This one is written in the blocks of the device, which the initiators overwrite.
BY_ID_CONTENT = ("lvm-pv-uuid-",)

# Read by `control` as separators.
SEPARATORS = set(", \t\n")


def stable_name(path, disk_dir="/dev/disk"):
    """A by-id name of the device at `path`, else a by-path name, else `path` as given."""
    if path.startswith(KEPT):
        return path
    for folder in ("by-id", "by-path"):
        names = _names(path, os.path.join(disk_dir, folder))
        if names:
            return min(names, key=_rank)
    return path


def await_name(path):
    """Lets udev finish if it may still have to make `path`, as when a configuration is restored at boot."""
    if not os.path.exists(path):
        try:
            subprocess.run(["udevadm", "settle", "--timeout=30"], check=False,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except OSError:  # no udev: whoever opens the device sees whether it is there
            pass


def _names(path, folder):
    try:
        entries = os.listdir(folder)
    except OSError:
        return []
    device = os.path.realpath(path)
    links = (os.path.join(folder, entry) for entry in entries
             if not entry.startswith(BY_ID_CONTENT) and not SEPARATORS & set(entry))
    return [link for link in links if os.path.realpath(link) == device]


def _rank(link):
    name = os.path.basename(link)
    known = [place for place, prefix in enumerate(BY_ID_ORDER) if name.startswith(prefix)]
    return (known[0] if known else len(BY_ID_ORDER), name)
