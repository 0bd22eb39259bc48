# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases of rdma-guest that have to do with a LUN.

register-1g   preparing, mapping and registering a window of a LUN, and registering anonymous memory that is there, of the
              pages that the kernel gives (huge ones) and of small ones, as a window has them ("ib_reg_mr-4k")
lun-pull      a file into a LUN with mode=writeback
lun-pull-wt   into one with mode=writethrough, where a disk of the same kind is a peer, too
lun-read-4k   reads of a warm LUN by libhearth beside ib_read_lat, while an initiator writes to the LUN and verifies; and
              the first reads of windows of 1 MiB that have to be filled from the disk for it ("libhearth-evicted")

"landed" is the part of a copy that came straight into the LUN: nothing that is sealed.
"""
import glob
import json
import os
import re
import subprocess
import time

DISK, OTHER_DISK = "/dev/vdb", "/dev/vdc"
TARGET = "/sys/kernel/config/target"
LUN, NODE = f"{TARGET}/core/hearth_0/bench", "/dev/hearth/bench"
TPG = f"{TARGET}/loopback/naa.6001405000000001/tpgt_1"
LUN_MIB = 384
READS = 1000
MIB = 1 << 20
# Nothing has to go to the disk while a copy runs, unless the mode says so; half of a cache can be mapped.
COPIES = "cache=1G,dirty=768M"
OPTIONS = {"register-1g": "cache=2200M", "lun-pull": f"{COPIES},mode=writeback", "lun-pull-wt": f"{COPIES},mode=writethrough",
           "lun-read-4k": "cache=256M"}
PULLS = ("lun-pull", "lun-pull-wt")


def put(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def await_true(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.1)


class Lun:
    """A LUN on a disk of the guest's, for one case."""

    def __init__(self, case):
        self.writer = None
        subprocess.run(["modprobe", "-a", "target_core_mod", "target_core_hearth", "ib_uverbs"], check=True)
        os.makedirs(LUN)
        put(f"{LUN}/control", f"dev={DISK},{OPTIONS[case]}")
        put(f"{LUN}/enable", "1")
        await_true(lambda: os.path.exists(NODE), NODE)
        if case == "lun-read-4k":
            self.write()

    def write(self):
        """An initiator, over the loopback fabric, does so until the case is over."""
        subprocess.run(["modprobe", "-a", "tcm_loop", "sd_mod"], check=True)
        os.makedirs(f"{TPG}/lun/lun_0")
        put(f"{TPG}/nexus", "naa.6001405000000002")
        os.symlink(LUN, f"{TPG}/lun/lun_0/bench")
        await_true(lambda: glob.glob("/sys/block/sd*"), "the initiator's disk")
        disk = os.path.basename(glob.glob("/sys/block/sd*")[0])
        self.writer = subprocess.Popen(
            ["fio", "--name=writer", f"--filename=/dev/{disk}", "--offset=64m", "--size=16m", "--bs=4k", "--rw=randwrite",
             "--direct=1", "--ioengine=libaio", "--iodepth=2", "--rate_iops=200", "--verify=crc32c", "--verify_fatal=1",
             "--do_verify=1", "--loops=10000", "--verify_state_save=0", "--minimal"], stdout=subprocess.DEVNULL)

    def remove(self):
        if self.writer:
            assert self.writer.poll() is None, "what the initiator read is not what it wrote"
            self.writer.terminate()
            self.writer.wait()
            os.unlink(f"{TPG}/lun/lun_0/bench")
            os.rmdir(f"{TPG}/lun/lun_0")
            os.rmdir(TPG)
            os.rmdir(os.path.dirname(TPG))
        empty()
        os.rmdir(LUN)


def empty():
    for name in ("flush", "drop"):
        put(f"/sys/class/hearth/bench/{name}", "1")


def make_image(path):
    if os.path.exists(path):
        return
    with open(path, "wb") as f:
        for _ in range(LUN_MIB):
            f.write(os.urandom(MIB))


class Registration:
    """Both in one process, one after the other in each round."""

    def __init__(self, programs):
        self.program = f"{programs}/../vm/rdma-window"
        self.line = None

    def anonymous(self):
        words = [self.program, "cost", "rxe0", NODE, "0", "1024", "1"]
        self.line = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
        return {"s_per_gib": self.line["anonymous"]}

    def anonymous_small(self):
        return {"s_per_gib": self.line["anonymous_small"]}

    def window(self):
        steps = {f"{step}_s_per_gib": self.line[step] for step in ("prepare", "map", "register")}
        return {"s_per_gib": sum(steps.values()), **steps}


def pull(words, image, cpu_seconds, *options):
    """The copy itself: not how long it takes to start two programs. @words begin a copy over RDMA."""
    before = cpu_seconds()
    text = subprocess.run([*words, "--rdma-mode=read", *options, image, "x:lun:/bench"], check=True, capture_output=True,
                          text=True).stdout
    cpu = cpu_seconds() - before
    summary = [json.loads(line) for line in text.splitlines()][-1]
    with open(image, "rb") as a, open(NODE, "rb") as b:
        for _ in range(LUN_MIB):
            assert a.read(MIB) == b.read(MIB), "the LUN holds something else"
    empty()
    return {"gbit_s": LUN_MIB * MIB * 8 / summary["seconds"] / 1e9, "cpu_s_per_gib": cpu / (LUN_MIB / 1024),
            "landed": summary["bytes_landed"] / (LUN_MIB * MIB)}


def write_disk(image, cpu_seconds):
    before, start = cpu_seconds(), time.monotonic()
    subprocess.run(["dd", f"if={image}", f"of={OTHER_DISK}", "bs=512k", "oflag=direct", "status=none"], check=True)
    seconds = time.monotonic() - start
    return {"gbit_s": LUN_MIB * MIB * 8 / seconds / 1e9, "cpu_s_per_gib": (cpu_seconds() - before) / (LUN_MIB / 1024)}


def ib_read_lat(with_server, address):
    words = ["ib_read_lat", "-d", "rxe0", "-F", "-s", "4096", "-n", str(READS)]
    text, cpu = with_server(words, words + [address])
    fields = re.search(r"^\s*4096\s+\d+\s+([\d.]+)\s+([\d.]+)\s+([\d.]+)", text, re.MULTILINE)
    return {"median_us": float(fields.group(3)), "cpu_s": cpu}


def hearth_read_lat(programs, rsh, cpu_seconds, *options):
    if options:
        empty()
    before = cpu_seconds()
    text = subprocess.run([f"{programs}/hearth-read-lat", "-e", rsh, "-d", f"{programs}/hearthd", "-t", "rdma", "-n", str(READS),
                           "-r", str(32 * MIB), *options, "x:lun:/bench"], check=True, capture_output=True, text=True).stdout
    assert "as messages 0 bytes" in text, text
    return {"median_us": float(re.search(r"median ([\d.]+)", text).group(1)), "cpu_s": cpu_seconds() - before}
