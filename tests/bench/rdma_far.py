# SPDX-License-Identifier: GPL-2.0-or-later
"""Two Soft-RoCE devices at the ends of one wire of a given length, rate and loss, both this guest's own.

What goes from one to the other must not be local: addresses are looked up on the way out in a table of the wire's before
that of local addresses is asked, and on the way in only there. Whoever connects to both addresses has two rails, one in
each direction; so perftest runs once in each direction at the same time, and its figures are added.
"""
import re
import subprocess
import time

from rdma_lun import await_true

ENDS = ("10.31.0.1", "10.31.0.2")
MBIT = 50
MIB = 1 << 20
QUEUES = (1, 2, 4, 8)
MESSAGE = 512 << 10
MESSAGES, LEAST_MESSAGES = 24, 5  # perftest takes no fewer
HANGS_S = 30


def sh(command):
    """One command of this guest's."""
    subprocess.run(command.split(), check=True)


def keep_order(n):
    """What comes out of this end is for one CPU: else packets overtake each other, which no wire has them do."""
    with open(f"/sys/class/net/f{n}/queues/rx-0/rps_cpus", "w", encoding="ascii") as f:
        f.write(f"{1 << n}")


def make():
    """The wire and its devices, once."""
    sh("modprobe sch_netem")
    sh("ip link add f0 type veth peer name f1")
    sh("sysctl -qw net.ipv4.conf.all.rp_filter=0")
    for n, address in enumerate(ENDS):
        sh(f"sysctl -qw net.ipv4.conf.f{n}.accept_local=1 net.ipv4.conf.f{n}.rp_filter=0 net.ipv4.conf.f{n}.arp_ignore=1")
        sh(f"ip addr add {address}/24 dev f{n}")
        sh(f"ip link set f{n} up")
        sh(f"ip route add {ENDS[1 - n]} dev f{n} src {address} table 31")
        sh(f"ip rule add pref {n + 1} iif f{n} lookup local")
        keep_order(n)
    sh("ip rule add pref 3 lookup 31")
    sh("ip rule add pref 10 lookup local")
    sh("ip rule del pref 0")
    for n in range(2):
        sh(f"rdma link add far{n} type rxe netdev f{n}")
        await_true(lambda: "ACTIVE" in open(f"/sys/class/infiniband/far{n}/ports/1/state", encoding="ascii").read(), f"far{n}")


def shape(rtt_ms, loss, reordered=0):
    """What the path holds waits in the queue twice; the rest is lost as in any router. Loss and reordering in percent."""
    order = f"reorder {reordered}%" if reordered else ""
    queue = max(1000, int(2 * MBIT * 1e6 / 8 * rtt_ms / 1000 / 1500))
    for n in range(2):
        sh(f"tc qdisc replace dev f{n} root netem delay {rtt_ms * 500}us rate {MBIT}mbit limit {queue} loss {loss}% {order}")


def ends_of(program, queues):
    """The commands of both servers, and of both clients."""
    servers, clients = [], []
    for n, address in enumerate(ENDS):
        words = ["-R", "-F", "-p", str(18515 + n), "-s", str(MESSAGE), "-n", str(max(LEAST_MESSAGES, MESSAGES // queues)), "-q", str(queues), "-t", "8",
                 "-u", "18", "--report_gbits"]
        servers.append([program, "-d", f"far{n}", *words])
        clients.append([program, "-d", f"far{1 - n}", *words, address])
    return servers, clients


def listening():
    """How many perftest servers wait for a client."""
    shown = subprocess.run(["rdma", "resource", "show", "cm_id"], capture_output=True, check=True, text=True).stdout
    return len(set(re.findall(r"LISTEN .*:(1851[56])\b", shown)))


def perftest(program, queues):
    """Gb/s in both directions together; 0 if it does not end."""
    servers, clients = ends_of(program, queues)
    far = [subprocess.Popen(s, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for s in servers]
    await_true(lambda: listening() == len(servers) or any(server.poll() is not None for server in far), f"servers of {program}")
    near = [subprocess.Popen(c, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for c in clients]
    total, deadline = 0, time.monotonic() + HANGS_S
    for client in near:
        try:
            text = client.communicate(timeout=max(1, deadline - time.monotonic()))[0]
        except subprocess.TimeoutExpired:
            text = ""
        fields = re.search(rf"^\s*{MESSAGE}\s+\d+\s+[\d.]+\s+([\d.]+)", text, re.MULTILINE)
        total = total + float(fields.group(1)) if fields and total is not None else None
    for process in near + far:
        process.kill()
        process.wait()
    return total or 0


def best(program):
    """The best number of queue pairs of the peer's in this case."""
    found = {queues: perftest(program, queues) for queues in QUEUES}
    queues = max(found, key=found.get)
    print(program, " ".join(f"q{q}:{rate:.4f}" for q, rate in found.items()), flush=True)
    return {"gbit_s": found[queues], "queue_pairs": queues}
