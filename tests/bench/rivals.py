# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody else's flows beside what is measured: iperf3, watched second by second."""
import re
import subprocess
import threading
import time

QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
LISTENS_MOST_S = 30
# They have found their rate when so many seconds in a row are within this part of each other; if ever.
SETTLED_SECONDS, SETTLED_PART, SETTLED_MOST_S = 4, 0.25, 40


def await_listener(process, port):
    """Waits until something listens at the port in the process's network namespace."""
    deadline = time.monotonic() + LISTENS_MOST_S
    while process.poll() is None and time.monotonic() < deadline:
        for table in ("tcp", "tcp6"):
            with open(f"/proc/{process.pid}/net/{table}", encoding="ascii") as f:
                if any(fields[3] == "0A" and fields[1].endswith(f":{port:04X}") for fields in map(str.split, list(f)[1:])):
                    return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens at port {port}")


class Rivals:
    """@nr flows from one end to the other; the words before iperf3 say where these are, @options what is sent."""

    def __init__(self, near, far, address, nr, port=5300, options=()):
        self.rates = []
        self.server = subprocess.Popen([*far, "iperf3", "-s", "-p", str(port), "-1"], **QUIET)
        await_listener(self.server, port)
        self.client = subprocess.Popen([*near, "iperf3", "-c", address, "-p", str(port), "-P", str(nr), "-t", "86400", "-i", "1", "-f", "m",
                                        "--forceflush", *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        threading.Thread(target=self.watch, args=("[SUM]" if nr > 1 else "[",), daemon=True).start()

    def watch(self, start):
        """Takes down the rate of each second, in Mb/s."""
        for line in self.client.stdout:
            found = re.search(r"sec .*?([\d.]+) Mbits/sec", line)
            if line.startswith(start) and found:
                self.rates.append(float(found.group(1)))

    def settle(self):
        """Waits until they have found their rate."""
        deadline = time.monotonic() + SETTLED_MOST_S
        while time.monotonic() < deadline:
            last = self.rates[-SETTLED_SECONDS:]
            if len(last) == SETTLED_SECONDS and max(last) - min(last) <= SETTLED_PART * max(last):
                return
            time.sleep(0.2)
        print(f"rivals that found no steady rate: {self.rates}", flush=True)

    def end(self):
        """They are gone."""
        for process in (self.client, self.server):
            process.terminate()
            process.wait()
