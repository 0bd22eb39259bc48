# SPDX-License-Identifier: GPL-2.0-or-later
"""Extends the modules of rtslib and targetcli at the moment they are imported.

A module is found and executed by its own loader; ours only acts after it. Whatever goes wrong here, the
import succeeds as if Hearth were not installed, with a warning in the program that asked for the module.
"""

import sys
import warnings


def _extend_rtslib(tcm):
    from . import storage_object
    storage_object.register(tcm)


def _extend_targetcli(ui_backstore):
    from . import ui
    ui.register(ui_backstore)


# The names stand in hearth_targetcli.pth too, which must not import this file to know them.
EXTENSIONS = {
    "rtslib.tcm": _extend_rtslib,
    "rtslib_fb.tcm": _extend_rtslib,
    "targetcli.ui_backstore": _extend_targetcli,
}


class ExtendingLoader:
    """Runs a module with its own loader, then the extension for it."""

    def __init__(self, loader, extend):
        self._loader = loader
        self._extend = extend

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        try:
            self._extend(module)
        except Exception as error:
            _warn(f"hearth: {module.__name__} is not extended, its LUNs are unknown here: {error!r}")


def _warn(message):
    try:
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    except Exception:  # python -W error must not turn this into a failed import
        pass


def find_spec(name, path, target):
    """Finds the module as everybody else would, and puts ExtendingLoader around its loader."""
    for finder in sys.meta_path:
        if type(finder).__name__ == "HearthHook":
            continue
        try:
            spec = finder.find_spec(name, path, target)
        except Exception:
            return None
        if spec is not None:
            if hasattr(spec.loader, "exec_module"):
                spec.loader = ExtendingLoader(spec.loader, EXTENSIONS[name])
            return spec
    return None
