# SPDX-License-Identifier: GPL-2.0-or-later
"""The subjects of the copy benchmark. Each method copies a source to the lab's destination and returns a Run."""
import json
import os
import shutil
import subprocess

from copylab import FAR_IP, IN_FAR, IN_NEAR, QUIET, Run, measured
from listen import await_listener

TOP = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.path.join(TOP, "build", "userspace")

# What a subject needs, beside what is built here: its Debian package says how to get it.
NEEDS = {"rsync": "rsync", "tar-nc": "nc", "tar-mbuffer": "mbuffer", "globus": "globus-url-copy", "rclone": "rclone",
         "iperf3": "iperf3", "fio": "fio", "xrdcp": "xrdcp", "fpsync": "fpsync"}
PACKAGES = {"nc": "netcat-openbsd", "globus-url-copy": "globus-gass-copy-progs globus-gridftp-server-progs",
            "xrdcp": "xrootd-client xrootd-server", "fpsync": "fpart"}


class WrongData(Exception):
    """A copy is not what its source is: whatever it took says nothing."""


def missing(name):
    """The package that a subject lacks, or None."""
    program = NEEDS.get(name)
    return None if not program or shutil.which(program) else PACKAGES.get(program, program)


class Subjects:
    """All of them for one case; self.dst is where copies go."""

    def __init__(self, lab, dst, fsync="none"):
        self.lab, self.dst = lab, dst
        self.tools = ["-e", lab.rsh, "--hearthd-path=" + os.path.join(BUILD, "hearthd")]
        self.program = os.path.join(BUILD, "hearthcp")
        self.fsync = "--fsync=" + fsync

    def copy(self, src, command, servers=(), shell_pipe=None, place=None):
        """One copy, timed, then compared with its source: place is where it is if not at dst itself."""
        run = measured(command, servers, shell_pipe)
        done = subprocess.run(["diff", "-rq", "--no-dereference", src.rstrip("/"), place or self.dst], capture_output=True,
                              text=True, errors="replace", check=False)
        if done.returncode:
            raise WrongData((done.stdout + done.stderr).splitlines()[0])
        return run

    def best(self, src, variants, copy):
        """The fastest of several settings; each begins without a copy."""
        runs = []
        for variant in variants:
            subprocess.run(["rm", "-rf", self.dst], check=True)
            runs.append(copy(src, variant))
        return min(runs, key=lambda run: run.seconds)

    def inside(self, src):
        """Where those put the copy that take dst for a folder."""
        return os.path.join(self.dst, os.path.basename(src.rstrip("/")))

    def hearth(self, src, *options):
        return self.copy(src, IN_NEAR + [self.program, "-q"] + self.tools + [self.fsync] + list(options) +
                         [src, "far:" + self.dst])

    def hearthcp(self, src):
        return self.hearth(src, "-r")

    def hearthcp_a(self, src):
        return self.hearth(src, "-a")

    def hearthcp_unhashed(self, src):
        return self.hearth(src, "-r", "--integrity=link")

    def hearthcp_inplace(self, src):
        return self.hearth(src, "--inplace")

    def hearthcp_direct(self, src):
        return self.hearth(src, "--direct=yes")

    def rsync_daemon(self):
        return IN_FAR + ["rsync", "--daemon", "--no-detach", "--config=" + self.lab.path("rsyncd.conf")]

    def rsync(self, src, *options):
        return self.copy(src, IN_NEAR + ["rsync", "-aW"] + list(options) + [src, f"rsync://{FAR_IP}/m{self.dst}"],
                         [self.rsync_daemon()])

    def rsync_inplace(self, src):
        return self.rsync(src, "--inplace")

    def tar(self, src, listen, send):
        os.makedirs(self.dst, exist_ok=True)
        where = f"-C {src} ." if os.path.isdir(src) else f"-C {os.path.dirname(src)} {os.path.basename(src)}"
        return self.copy(src, None, [IN_FAR + ["sh", "-c", f"{listen} | tar xf - -C {self.dst}"]],
                         f"tar cf - {where} | {' '.join(IN_NEAR)} {send}",
                         None if os.path.isdir(src) else self.inside(src))

    def tar_nc(self, src):
        return self.tar(src, "nc -l -p 5000", f"nc -N {FAR_IP} 5000")

    def tar_mbuffer(self, src):
        return self.tar(src, "mbuffer -q -s 256k -m 64M -I 5000", f"mbuffer -q -s 256k -m 64M -O {FAR_IP}:5000")

    def globus_with(self, src, streams, at_once=2):
        server = IN_FAR + ["globus-gridftp-server", "-aa", "-allow-root", "-anonymous-user", "root", "-p", "5100",
                           "-data-interface", FAR_IP]
        tail = ["-r", "-cd", "-cc", str(at_once), "-pp"] if os.path.isdir(src) else []
        end = "/" if os.path.isdir(src) else ""
        return self.copy(src, IN_NEAR + ["globus-url-copy", "-p", str(streams), "-fast"] + tail +
                         [f"file://{src.rstrip('/')}{end}", f"ftp://{FAR_IP}:5100{self.dst}{end}"], [server])

    def globus(self, src):
        """With the best of its numbers of streams."""
        return self.best(src, (1, 2, 4), self.globus_with)

    def xrootd(self):
        """The server's command. It refuses to be root."""
        os.makedirs(self.lab.path("xrootd"), exist_ok=True)
        shutil.chown(self.lab.path("xrootd"), "nobody")
        with open(self.lab.path("xrootd.cfg"), "w", encoding="ascii") as f:
            f.write(f"xrd.port 5400\nall.export {self.lab.dir}\nall.adminpath {self.lab.path('xrootd')}\n"
                    f"all.pidpath {self.lab.path('xrootd')}\n")
        return IN_FAR + ["xrootd", "-R", "nobody", "-c", self.lab.path("xrootd.cfg")]

    def xrdcp_with(self, src, streams):
        """A file over that many connections; of a folder, that many files at once (4 is the most that it does)."""
        is_folder = os.path.isdir(src)
        if is_folder:
            os.makedirs(self.dst)
            shutil.chown(self.dst, "nobody")
        how = ["--recursive", "--parallel", str(streams)] if is_folder else ["--streams", str(streams)]
        return self.copy(src, IN_NEAR + ["xrdcp", "--silent", "--force"] + how + [src, f"root://{FAR_IP}:5400/{self.dst}"],
                         [self.xrootd()], place=self.inside(src) if is_folder else None)

    def xrdcp(self, src):
        """With the best of its numbers of connections."""
        return self.best(src, (1, 2, 4), self.xrdcp_with)

    def fpsync_with(self, src, jobs):
        """That many rsyncs at once, each of 2000 files (its default) or 512 MiB at most."""
        work = self.lab.path("fpsync")
        run = self.copy(src, IN_NEAR + ["fpsync", "-t", work, "-n", str(jobs), "-f", "2000", "-s", str(512 << 20), "-o",
                                        "-lptgoDW --numeric-ids", src + "/", f"rsync://{FAR_IP}/m{self.dst}/"],
                        [self.rsync_daemon()])
        shutil.rmtree(work, ignore_errors=True)
        return run

    def fpsync(self, src):
        """With the best of its numbers of jobs."""
        return self.best(src, (1, 2, 4), self.fpsync_with)

    def rclone(self, src):
        server = IN_FAR + ["rclone", "serve", "webdav", "--addr", f"{FAR_IP}:5200", self.lab.dir]
        verb = "copy" if os.path.isdir(src) else "copyto"
        return self.copy(src, IN_NEAR + ["rclone", verb, "--webdav-url", f"http://{FAR_IP}:5200", "--ignore-times", src,
                                         ":webdav:" + os.path.basename(self.dst)], [server])

    def cp_local(self, src):
        return self.copy(src, ["cp", src, self.dst])

    def cp_r(self, src):
        return self.copy(src, ["cp", "-r", src, self.dst])

    def cp_a(self, src):
        return self.copy(src, ["cp", "-a", src, self.dst])

    def mem(self, size, *options):
        """hearthcp bench, memory to memory: the best message size and depth, as a run of that many bytes."""
        done = subprocess.run(IN_NEAR + [self.program, "bench"] + self.tools +
                              ["--json", "--sizes=512K,1M,2M", "--depths=1,2", f"--bytes={size}", "far:"] + list(options),
                              capture_output=True, check=True)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        best = max((r for r in rows if r["case"] == "memory to memory"), key=lambda r: r["gbit_s"])
        cpu = (best["cpu_s_per_gib_here"] + best["cpu_s_per_gib_there"]) * size / 2**30
        return Run(size * 8 / best["gbit_s"] / 1e9, cpu, max(best["rss_mib_here"], best["rss_mib_there"]))

    def iperf3(self, size):
        """The best of iperf3's lengths, streams and ways to send, as a run of that many bytes."""
        best = None
        for options in ([f"-l{length}", f"-P{streams}"] + zero for length in ("128K", "1M") for streams in (1, 2, 4)
                        for zero in ([], ["-Z"])):
            server = subprocess.Popen(IN_FAR + ["iperf3", "-s", "-1"], **QUIET)
            await_listener(server.pid)
            done = subprocess.run(IN_NEAR + ["iperf3", "-c", FAR_IP, "-t", "1", "-J"] + options, capture_output=True,
                                  check=True)
            server.wait()
            end = json.loads(done.stdout)["end"]
            percent = end["cpu_utilization_percent"]["host_total"] + end["cpu_utilization_percent"]["remote_total"]
            total = end["sum_received"]
            seconds = size * 8 / total["bits_per_second"]
            if not best or seconds < best.seconds:
                best = Run(seconds, percent / 100 * seconds)
        return best

    def fio(self, path, size, way):
        """Sequential, past the page cache, at depth: what the disk can do, by fio's own clock."""
        command = ["fio", "--name=x", f"--filename={path}", f"--rw={way}", "--bs=1M", "--direct=1", "--ioengine=libaio",
                   "--iodepth=16", f"--size={size}", "--end_fsync=1", "--output-format=json"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        job = json.loads(done.stdout)["jobs"][0]
        seconds = size / job[way]["bw_bytes"]
        return Run(seconds, (job["usr_cpu"] + job["sys_cpu"]) / 100 * seconds)
