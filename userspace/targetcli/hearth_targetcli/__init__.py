# SPDX-License-Identifier: GPL-2.0-or-later
"""Teaches rtslib and targetcli, unmodified, about the hearth backstore.

hearth_targetcli.pth puts a finder in front of every Python program's imports. It answers None, at the
price of one tuple look-up, for every module but the three in hook.EXTENSIONS; only when one of those is
imported does the rest of this package load. `rtslib` and `rtslib_fb` are two copies of one library
with separate tables, and a program may import both: everything here is made per copy.

    hook.py            wraps the loader of those three modules, extends each right after it ran
    storage_object.py  rtslib: create, look up, dump and delete a hearth storage object
    ui.py              targetcli: /backstores/hearth
    devices.py         which name of a block device to save
    kernel_log.py      what the module said about a refusal
"""
