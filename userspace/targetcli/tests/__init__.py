# SPDX-License-Identifier: GPL-2.0-or-later
"""Unit tests of the plugin, without a kernel: `python3 -m unittest` in userspace/targetcli.

They run on the rtslib and targetcli that Python finds; PYTHONPATH names another generation.
"""

import pathlib
import sys

SOURCE = pathlib.Path(__file__).resolve().parent.parent
PTH_LINE = (SOURCE / "hearth_targetcli.pth").read_text()

sys.path.insert(0, str(SOURCE))
exec(PTH_LINE)  # as the interpreter does at start, once the plugin is installed
