# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the threads of iSCSI connections should run: on the nodes of the network cards that they serve.

The kernel binds the threads of a connection to CPUs of `cpus_allowed_list`, one after the other, whatever node
the card is on. The memory of a command comes from the node where these threads run, and so does, by first touch,
the home of a block.
"""

import json
import os
import pathlib
import subprocess

CPUS_ALLOWED = "/sys/kernel/config/target/iscsi/cpus_allowed_list"
WILDCARDS = {"0.0.0.0": "inet", "::": None, "::0": None}


def parse_cpulist(text):
    """The numbers in a list like 0-3,8."""
    cpus = set()
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            cpus.update(range(int(first), int(last or first) + 1))
    return cpus


def format_cpulist(cpus):
    """A list like 0-3,8 of the numbers."""
    parts = []
    for cpu in sorted(cpus):
        if parts and parts[-1][1] == cpu - 1:
            parts[-1][1] = cpu
        else:
            parts.append([cpu, cpu])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def read_addresses():
    """What `ip -json address` says."""
    return json.loads(subprocess.run(["ip", "-json", "address"], check=True, stdout=subprocess.PIPE).stdout)


class Placement:
    """The nodes and CPUs that belong to the addresses of portals."""

    def __init__(self, sysfs="/sys", addresses=None):
        self._sysfs = pathlib.Path(sysfs)
        self._addresses = read_addresses() if addresses is None else addresses

    def interfaces(self, address):
        """The interfaces that have the address; for a wildcard all that have one, but for the loopback."""
        address = address.strip("[]")
        found = []
        for link in self._addresses:
            own = [info for info in link.get("addr_info", ())]
            if address in WILDCARDS:
                if "LOOPBACK" not in link.get("flags", ()) and any(
                        WILDCARDS[address] in (None, info["family"]) for info in own):
                    found.append(link["ifname"])
            elif any(info["local"] == address for info in own):
                found.append(link["ifname"])
        return sorted(found)

    def nodes(self, interface, seen=()):
        """The nodes of an interface: its card's, or those of what it is stacked on; None stands for unknown."""
        folder = self._sysfs / "class/net" / interface
        lower = sorted(path.name[len("lower_"):] for path in folder.glob("lower_*"))
        if lower and interface not in seen:
            return set().union(*(self.nodes(name, (*seen, interface)) for name in lower))
        try:
            node = int((folder / "device/numa_node").read_text())
        except OSError:
            node = -1
        return {node if node >= 0 else None}

    def cpus(self, node):
        """The CPUs of a node."""
        return parse_cpulist((self._sysfs / f"devices/system/node/node{node}/cpulist").read_text())

    def rows(self, portals):
        """(portal, interface, node, CPUs) for each of the portals, given as (address, port)."""
        for address, port in portals:
            for interface in self.interfaces(address) or ["?"]:
                nodes = self.nodes(interface) if interface != "?" else {None}
                for node in sorted(nodes, key=lambda n: (n is None, n)):
                    cpus = set() if node is None else self.cpus(node)
                    yield f"{address}:{port}", interface, node, cpus


def allowed(path=CPUS_ALLOWED):
    """The CPUs where the kernel runs iSCSI connections now; None before there is a target."""
    try:
        return parse_cpulist(pathlib.Path(path).read_text())
    except OSError:
        return None


def allow(cpus, path=CPUS_ALLOWED):
    """Has the kernel run iSCSI connections on these CPUs."""
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, f"{format_cpulist(cpus)}\n".encode())
    finally:
        os.close(fd)
