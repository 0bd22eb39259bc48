# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody else's flows beside what is measured: iperf3, watched second by second."""
import re
import subprocess
import threading

from copylab import QUIET
from listen import await_listener

# They have found their rate when so many seconds in a row are within this part of each other; if ever.
SETTLED_SECONDS, SETTLED_PART, SETTLED_MOST_S = 4, 0.25, 40


class Rivals:
    """@nr flows from one end to the other; the words before iperf3 say where these are, @options what is sent."""

    def __init__(self, near, far, address, nr, port=5300, options=()):
        self.rates = []
        self.has_news = threading.Condition()
        self.server = subprocess.Popen([*far, "iperf3", "-s", "-p", str(port), "-1"], **QUIET)
        await_listener(self.server.pid, port)
        self.client = subprocess.Popen([*near, "iperf3", "-c", address, "-p", str(port), "-P", str(nr), "-t", "86400", "-i", "1", "-f", "m",
                                        "--forceflush", *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        threading.Thread(target=self.watch, args=("[SUM]" if nr > 1 else "[",), daemon=True).start()

    def watch(self, start):
        """Takes down the rate of each second, in Mb/s."""
        for line in self.client.stdout:
            found = re.search(r"sec .*?([\d.]+) Mbits/sec", line)
            if line.startswith(start) and found:
                with self.has_news:
                    self.rates.append(float(found.group(1)))
                    self.has_news.notify_all()

    def is_settled(self):
        """Whether they have found their rate."""
        last = self.rates[-SETTLED_SECONDS:]
        return len(last) == SETTLED_SECONDS and max(last) - min(last) <= SETTLED_PART * max(last)

    def settle(self):
        """Waits for that."""
        with self.has_news:
            if not self.has_news.wait_for(self.is_settled, SETTLED_MOST_S):
                print(f"rivals that found no steady rate: {self.rates}", flush=True)

    def end(self):
        """They are gone."""
        for process in (self.client, self.server):
            process.terminate()
            process.wait()
