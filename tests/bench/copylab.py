# SPDX-License-Identifier: GPL-2.0-or-later
"""What the copy benchmark runs in: two network namespaces, a tmpfs, sources, and runs that are timed alone."""
import os
import resource
import subprocess
import sys
import tempfile
import time

from listen import await_listener

NEAR, FAR = f"hb-near-{os.getpid()}", f"hb-far-{os.getpid()}"
NEAR_IP, FAR_IP = "10.77.7.1", "10.77.7.2"
IN_NEAR, IN_FAR = ["ip", "netns", "exec", NEAR], ["ip", "netns", "exec", FAR]
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

# CPUs that others may have kept busy during a run, on average, for it to count.
FOREIGN_MAX = 0.25


def sh(*args, **kwargs):
    return subprocess.run(args, check=True, **kwargs)


def available_bytes():
    with open("/proc/meminfo") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("MemAvailable"))


class Lab:
    """Two namespaces, a tmpfs, a directory on disk, and a way to start the far end without ssh's ciphers."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hearth-bench.")
        self.disk = tempfile.mkdtemp(prefix="hearth-bench-disk.", dir="/var/tmp")
        sh("mount", "-t", "tmpfs", "-o", f"size={available_bytes() * 3 // 4}", "none", self.dir)
        self.make_network()
        self.rsh = self.path("rsh")
        with open(self.rsh, "w") as f:
            f.write(f'#!/bin/sh\nshift\nSSH_CONNECTION="x x {FAR_IP} x"\nexport SSH_CONNECTION\n'
                    f'exec ip netns exec {FAR} "$@"\n')
        os.chmod(self.rsh, 0o755)
        with open(self.path("rsyncd.conf"), "w") as f:
            f.write(f"[m]\npath = /\nread only = no\nuid = 0\ngid = 0\nuse chroot = no\nmunge symlinks = no\n")

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    @staticmethod
    def make_network():
        for ns in (NEAR, FAR):
            sh("ip", "netns", "add", ns)
        sh("ip", "link", "add", "v0", "netns", NEAR, "type", "veth", "peer", "name", "v0", "netns", FAR)
        for ns, ip in ((NEAR, NEAR_IP), (FAR, FAR_IP)):
            sh("ip", "-n", ns, "addr", "add", ip + "/24", "dev", "v0")
            sh("ip", "-n", ns, "link", "set", "v0", "mtu", "9000", "up")
            sh("ip", "-n", ns, "link", "set", "lo", "up")

    def close(self):
        for ns in (NEAR, FAR):
            subprocess.run(["ip", "netns", "del", ns], check=False)
        subprocess.run(["umount", self.dir], check=False)
        os.rmdir(self.dir)
        sh("rm", "-rf", self.disk)

    def warm(self, size):
        """Takes as much memory as a run will and gives it back: the hypervisor need not bring it during the run."""
        path = self.path("warm")
        with open(path, "wb", buffering=0) as f:
            block = bytes(1 << 20)
            for _ in range((size >> 20) + 64):
                f.write(block)
        os.unlink(path)


def touch(path):
    """Reads everything once, so that no run pays for memory that the hypervisor took away."""
    if os.path.isfile(path):
        with open(path, "rb", buffering=0) as f:
            while f.read(1 << 20):
                pass
        return
    sh("tar", "cf", "-", "-C", path, ".", stdout=open("/dev/null", "w"))


def forget(path):
    """Takes a file out of the page cache."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def busy_seconds():
    """What all CPUs together have worked since boot."""
    with open("/proc/stat") as f:
        ticks = [int(n) for n in f.readline().split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def retransmits():
    """TCP segments that either end has sent again."""
    total = 0
    for inside in (IN_NEAR, IN_FAR):
        table = sh(*inside, "cat", "/proc/net/snmp", capture_output=True, text=True).stdout
        names, values = (line.split() for line in table.splitlines() if line.startswith("Tcp:"))
        total += int(values[names.index("RetransSegs")])
    return total


def counters():
    """Since boot: context switches of the children that were waited for; interrupts, hard and soft, of the machine."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open("/proc/stat", encoding="ascii") as f:
        stat = {line.split()[0]: line.split()[1] for line in f}
    return {"switches": usage.ru_nvcsw + usage.ru_nivcsw, "interrupts": int(stat["intr"]), "softirqs": int(stat["softirq"])}


class Run:
    """One run: its time, the CPU time of both ends, the largest process, how busy others were, and what counters() counted."""

    def __init__(self, seconds, cpu, rss_mib=0.0, foreign=0.0, counts=None):
        self.seconds, self.cpu, self.rss_mib, self.foreign = seconds, cpu, rss_mib, foreign
        self.counts = counts or {}


def measured(command, servers=(), shell_pipe=None):
    """Runs a command against servers, which are stopped afterwards; children of both are waited for by them."""
    started = [subprocess.Popen(s, **QUIET) for s in servers]
    for s in started:
        await_listener(s.pid)
    before, counts = resource.getrusage(resource.RUSAGE_CHILDREN), counters()
    busy, start = busy_seconds(), time.monotonic()
    child = subprocess.Popen(["sh", "-c", shell_pipe] if shell_pipe else command, **QUIET)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{command or shell_pipe}: exit status {child.returncode}")
    for s in started[:1] if shell_pipe else []:
        s.wait()
    seconds, busy = time.monotonic() - start, busy_seconds() - busy
    for s in started:
        s.terminate()
        s.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    counts = {name: value - counts[name] for name, value in counters().items()}
    return Run(seconds, cpu, usage.ru_maxrss / 1024, max(0.0, busy - cpu) / seconds, counts)
