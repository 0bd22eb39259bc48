# SPDX-License-Identifier: GPL-2.0-or-later
"""A module that sends no flush: whoever looks for what is lost must find it out."""
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NO_FLUSH = (
    ("submit_bio(get_bio(req, 0, 0, REQ_OP_WRITE | REQ_PREFLUSH));", "(void)req;"),
    ("io->fua ? REQ_FUA : 0", "0"),
)


def build(kernel):
    """Builds it, and makes it the one that guests get."""
    place = os.path.join(TOP, "build", "powercut", "mutant")
    source = os.path.join(place, "source")
    subprocess.run(["rm", "-rf", source], check=True)
    os.makedirs(source)
    subprocess.run(["cp", "-a", f"{TOP}/Kbuild", f"{TOP}/kmod", f"{TOP}/include", source], check=True)
    name = os.path.join(source, "kmod", "backing_io.c")
    with open(name, encoding="utf-8") as file:
        text = file.read()
    for old, new in NO_FLUSH:
        if text.count(old) != 1:
            sys.exit(f"the mutant is stale: {name} has no longer one '{old}'")
        text = text.replace(old, new)
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)
    os.environ["HEARTH_BUILD"] = place
    os.environ["HEARTH_SOURCE"] = source
    subprocess.run([f"{TOP}/tests/vm/module.sh", kernel], check=True, stdout=subprocess.DEVNULL)
