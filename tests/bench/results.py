# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmarks share: the machine, paired ratios, and the file of results."""

import glob
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time

TOP = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.environ.get("BUILD", os.path.join(TOP, "build", "bench"))

# The environment's part of a command.
SETTINGS = ("MATRIX", "TOPOLOGY", "KERNEL", "FABRICS", "SUBJECTS", "CASES", "INITIATORS", "THREADS", "RUNS", "ROUNDS", "CPU",
            "HOST", "DISK")

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


def versions(packages):
    """{package: version} of those that are installed."""
    query = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Abbrev} ${Version}\n", *packages],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    lines = (line.split() for line in query.stdout.splitlines())
    return {fields[0]: fields[2] for fields in lines if len(fields) == 3 and fields[1] == "ii"}


def revision():
    """Which Hearth this is, if the tree says so."""
    git = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True, check=False)
    return git.stdout.strip() or "unknown"


def command():
    """The command of this run, with the settings that it was given."""
    given = [f"{name}={shlex.quote(os.environ[name])}" for name in SETTINGS if os.environ.get(name)]
    program = os.path.relpath(os.path.abspath(sys.argv[0]), TOP)
    return " ".join(given + [program] + [shlex.quote(word) for word in sys.argv[1:]])


def machine(packages=(), **more):
    """What the figures were measured on, and how."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": cpu_model(), "cpus": os.cpu_count(), "memory_bytes": memory, "kernel": platform.release(),
            "arch": platform.machine(), "llc_bytes": llc_bytes(), "load": round(os.getloadavg()[0], 1),
            "date": time.strftime("%Y-%m-%d", time.gmtime()), "hearth": revision(), "command": command(),
            "versions": versions(packages), **more}


def result(case, subject, metric, unit, runs):
    """One entry of a file of results."""
    return {"case": case, "subject": subject, "metric": metric, "unit": unit,
            "median": statistics.median(runs), "runs": runs}


def paired_ratios(subject, peer):
    """Subject to peer, run by run (both {round: figure}); without the runs in which the peer strayed."""
    middle = statistics.median(peer.values())
    return [subject[r] / peer[r] for r in sorted(subject)
            if r in peer and 1 / SPREAD_MAX < peer[r] / middle < SPREAD_MAX]


def write(suite, results, packages=(), **more):
    """Write build/bench/SUITE.json, with the versions of the packages that took part; returns its path."""
    os.makedirs(BUILD, exist_ok=True)
    path = os.path.join(BUILD, suite + ".json")
    with open(path, "w", encoding="ascii") as out:
        json.dump({"suite": suite, "machine": machine(packages, **more), "results": results}, out, indent=1)
        out.write("\n")
    return path
