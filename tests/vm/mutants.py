# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules with a mistake in them: whoever looks for such mistakes must find them out."""
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def build(kernel, title, name, changes):
    """Builds one for this kernel, with (old, new) text in the file @name; the environment in which guests get it."""
    place = os.path.join(TOP, "build", title, "mutant")
    source = os.path.join(place, "source")
    subprocess.run(["rm", "-rf", source], check=True)
    os.makedirs(source)
    subprocess.run(["cp", "-a", f"{TOP}/Kbuild", f"{TOP}/kmod", f"{TOP}/include", source], check=True)
    path = os.path.join(source, name)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for old, new in changes:
        if text.count(old) != 1:
            sys.exit(f"the mutant is stale: {path} has no longer one '{old}'")
        text = text.replace(old, new)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    environment = dict(os.environ, HEARTH_BUILD=place, HEARTH_SOURCE=source)
    subprocess.run([f"{TOP}/tests/vm/module.sh", kernel], check=True, stdout=subprocess.DEVNULL, env=environment)
    return environment
