# SPDX-License-Identifier: GPL-2.0-or-later
"""The rate of a run over time."""
import json
import statistics
import subprocess
import sys
import time


def watch(command):
    """Runs hearthcp with --json and --progress. [(seconds, bytes so far)], how long it took, and its summary."""
    start, samples, event = time.monotonic(), [], {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        for line in child.stdout:
            event = json.loads(line)
            if event["event"] == "progress":
                samples.append((time.monotonic() - start, event["bytes"]))
    if child.returncode:
        sys.exit(f"hearthcp: exit status {child.returncode}")
    return samples, time.monotonic() - start, event


def per_second(samples):
    """[(seconds, bytes so far)] as Gb/s of each second."""
    rates, last, done = [], 0.0, 0
    for seconds, nr_bytes in samples:
        if seconds - last >= 1:
            rates.append(round((nr_bytes - done) * 8 / (seconds - last) / 1e9, 4))
            last, done = seconds, nr_bytes
    return rates


def between(samples, start, end):
    """Gb/s between two moments of a run; samples: [(seconds, bytes so far)]."""
    inside = [sample for sample in samples if start <= sample[0] <= end]
    if len(inside) < 2:
        sys.exit(f"the run was over before {end} s, or nothing was told of it: copy more (--mib)")
    return (inside[-1][1] - inside[0][1]) * 8 / (inside[-1][0] - inside[0][0]) / 1e9


def steady(rates):
    """The rate that a run has found, and how far its worst second was below: of its second half, without the last second."""
    later = rates[len(rates) // 2:-1] or rates
    middle = statistics.median(later)
    return middle, min(later) / middle if middle else 0
