# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers of peers do not tell when they listen: nc, rsync and iperf3 have to be watched."""
import os
import sys
import time

LISTENS_MOST_S = 30


def is_listening(pid, port):
    """Whether the process's network namespace has a listener at the port; at any port, if the namespace is not this one."""
    if port is None and os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net"):
        return False
    end = "" if port is None else f":{port:04X}"
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}", encoding="ascii") as f:
            if any(fields[3] == "0A" and fields[1].endswith(end) for fields in map(str.split, list(f)[1:])):
                return True
    return False


def await_listener(pid, port=None):
    """Waits until something listens there."""
    deadline = time.monotonic() + LISTENS_MOST_S
    while not is_listening(pid, port):
        if time.monotonic() > deadline:
            sys.exit("a peer's server did not start to listen")
        time.sleep(0.01)
