# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmarks share: the machine, paired ratios, and the file of results."""

import glob
import json
import os
import platform
import statistics
import subprocess

TOP = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build", "bench"))

# A pair of runs says nothing if the peer was this far from its median.
SPREAD_MAX = 1.5


def cpu_model():
    """The name of this machine's CPU."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        for line in info:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown"


def llc_bytes():
    """The size of the last-level cache that a CPU sees; 32 MiB where nobody says."""
    sizes = [32 << 10]
    for path in glob.glob("/sys/devices/system/cpu/cpu0/cache/index*/size"):
        with open(path, encoding="ascii") as size:
            sizes.append(int(size.read().strip().rstrip("K")))
    return max(sizes[1:] or sizes) << 10


def machine(**more):
    """What the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": cpu_model(), "cpus": os.cpu_count(), "memory_bytes": memory, "kernel": platform.release(),
            "arch": platform.machine(), "llc_bytes": llc_bytes(), "load": round(os.getloadavg()[0], 1), **more}


def result(case, subject, metric, unit, runs):
    """One entry of a file of results."""
    return {"case": case, "subject": subject, "metric": metric, "unit": unit,
            "median": statistics.median(runs), "runs": runs}


def paired_ratios(subject, peer):
    """Subject to peer, run by run (both {round: figure}); without the runs in which the peer strayed."""
    middle = statistics.median(peer.values())
    return [subject[r] / peer[r] for r in sorted(subject)
            if r in peer and 1 / SPREAD_MAX < peer[r] / middle < SPREAD_MAX]


def write(suite, results, **more):
    """Write build/bench/SUITE.json; returns its path."""
    os.makedirs(BUILD, exist_ok=True)
    path = os.path.join(BUILD, suite + ".json")
    with open(path, "w", encoding="ascii") as out:
        json.dump({"suite": suite, "machine": machine(**more), "results": results}, out, indent=1)
        out.write("\n")
    return path
