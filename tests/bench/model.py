# SPDX-License-Identifier: GPL-2.0-or-later
"""From counts to real machines: what lun.json's counts would mean where memory has a distance.

A guest under emulation counts exactly what each CPU executes and touches, and on which node, but it has no clock worth the
name. This model puts a clock behind the counts. It is small on purpose: every input is below, with its source or the word
"assumed", and every result is a range, from the worst to the best of what the inputs allow.

    CPU time of a request = instructions * CPI / clock
                          + bytes copied or cleared on the CPU's node  / what one core streams there
                          + bytes copied or cleared on another node    / what one core streams from there

    what one core streams = lines in flight * 64 bytes / latency

Instructions and bytes are a subject's counts less those of rd_nullio over the same fabric (which takes away the initiator,
the emulated network and Soft-RoCE), plus a fabric of real hardware, whose adapter moves the data itself. Instructions of the copying
routines are left out: their time is that of their bytes. The bandwidth is the least of: the threads that have requests in flight, each
on one core at a time; the memory of all nodes; the links between them; the adapters.
"""

import dataclasses

LINE = 64
GB = 1e9


@dataclasses.dataclass(frozen=True)
class Range:
    """Least, likely, most."""
    low: float
    mid: float
    high: float


@dataclasses.dataclass(frozen=True)
class Machine:
    """What the model needs to know of a machine; rates in bytes per second, of one node."""
    name: str
    nodes: int
    cores: int  # of a node
    clock: float
    local_ns: Range
    remote_ns: Range
    memory: Range
    links: Range  # what a node can fetch from the others
    source: str


MACHINES = (
    Machine("4 x Xeon E7-4870", 4, 10, 2.4e9, Range(135, 135, 136), Range(194, 198, 202), Range(12.5 * GB, 15 * GB, 18 * GB),
            Range(25 * GB, 30 * GB, 38.4 * GB),
            "latencies: Intel's blog on memory latencies of the E5-4600 and E7-4800 families (2014-01-28), measured with Intel MLC; "
            "cores, clock and QPI of 6.4 GT/s: Intel's white paper on the E7 family; links: at most three of 12.8 GB/s, two thirds of it "
            "at worst (assumed); memory: 25 to 36 GB/s of two sockets with the same memory buffers, AnandTech on the Xeon 7500"),
    Machine("2 x Xeon Platinum 8160", 2, 24, 2.1e9, Range(80, 85, 90), Range(130, 140, 150), Range(95 * GB, 105 * GB, 112 * GB),
            Range(28 * GB, 32 * GB, 34 * GB),
            "bandwidths: at most 112 GB/s local and 34 GB/s remote reads of a socket, J. McCalpin; the lower ends and the latencies are assumed"),
)

# What holds for any of them. (assumed: no counter of real silicon stands behind these)
CPI = Range(1.4, 1.0, 0.7)  # of the kernel's code outside of copies; worst first
LINES_IN_FLIGHT = Range(10, 12, 16)  # of one core, prefetching included
FABRIC_INSNS = Range(30e3, 20e3, 12e3)  # target core, iSER and verbs of one request, no data touched; worst first
ADAPTER = 12.5 * GB  # 100 Gb/s on each node
CORNERS = ("low", "mid", "high")


@dataclasses.dataclass(frozen=True)
class Counts:
    """What one subject does for one request, without its fabric."""
    size: float  # of the request, in bytes
    insns: float
    local: float  # bytes copied or cleared
    remote: float
    touched: float  # all bytes that went to memory or cache


@dataclasses.dataclass(frozen=True)
class Expected:
    """What the model says; each a list by CORNERS."""
    bandwidth: list  # bytes per second
    cpu_share: list  # of all cores, from 0 to 1, at that bandwidth
    limit: list  # what bounds the bandwidth


MOVERS = ("copy", "clear", "hearth-copy")


def counts_of(size, row, null):
    """Counts from the metrics of a subject and of rd_nullio: {metric: median}."""
    def net(metric):
        return max(row.get(metric, 0) - null.get(metric, 0), 0)

    def moved(metric):
        return size * sum(net(f"{metric}.{group}") for group in MOVERS)
    remote = moved("remote_bytes_per_byte")
    return Counts(size=size, insns=max(net("insns_per_io") - sum(net(f"insns_per_io.{group}") for group in MOVERS), 0),
                  local=max(moved("bytes_touched_per_byte") - remote, 0), remote=remote,
                  touched=size * net("bytes_touched_per_byte"))


def cpu_seconds(counts, machine, corner):
    """What one request costs a core."""
    lines = getattr(LINES_IN_FLIGHT, corner)
    # latencies are given from the best: the worst corner takes the longest
    away = {"low": "high", "mid": "mid", "high": "low"}[corner]
    insns = counts.insns + getattr(FABRIC_INSNS, corner)
    seconds = insns * getattr(CPI, corner) / machine.clock
    for nr_bytes, latency in ((counts.local, machine.local_ns), (counts.remote, machine.remote_ns)):
        seconds += nr_bytes * getattr(latency, away) * 1e-9 / (lines * LINE)
    return seconds


def expect(counts, machine, threads):
    """Bandwidth and CPU share of one subject on a machine, under that many I/O threads of all initiators."""
    out = Expected([], [], [])
    for corner in CORNERS:
        seconds = cpu_seconds(counts, machine, corner)
        cores = machine.nodes * machine.cores
        # the adapter fetches each byte once, beside what the CPUs do
        limits = {"threads": min(threads, cores) * counts.size / seconds,
                  "memory": machine.nodes * getattr(machine.memory, corner) * counts.size / (counts.local + counts.remote + counts.size),
                  "adapters": machine.nodes * ADAPTER}
        if counts.remote:
            limits["links"] = machine.nodes * getattr(machine.links, corner) * counts.size / counts.remote
        limit = min(limits, key=limits.get)
        out.bandwidth.append(limits[limit])
        out.cpu_share.append(limits[limit] / counts.size * seconds / cores)
        out.limit.append(limit)
    return out


SIZES = {"4k": 4 << 10, "64k": 64 << 10, "1m": 1 << 20}


def study(results, prefix="iser/4n", operation="read-hit", subjects=("hearth", "fileio", "tgt"), threads=8):
    """The original study's figure: {machine: {size: {subject: Expected}}}, from what was counted; initiators with two I/O threads."""
    rows = {}
    for entry in results:
        rows.setdefault(entry["case"], {}).setdefault(entry["subject"], {})[entry["metric"]] = entry["median"]
    figures = {}
    for machine in MACHINES:
        for name, size in SIZES.items():
            case = rows.get(f"{prefix}/{operation}-{name}", {})
            null = case.get("rd_nullio")
            for subject in subjects:
                if null and "insns_per_io" in case.get(subject, {}):
                    counts = counts_of(size, case[subject], null)
                    figures.setdefault(machine.name, {}).setdefault(name, {})[subject] = expect(counts, machine, threads)
    return figures
