# SPDX-License-Identifier: GPL-2.0-or-later
"""Which nodes the network cards of portals are on, in a fake sysfs."""

import os
import pathlib
import tempfile
import unittest

from hearth_targetcli import placement


def link(name, *addresses, flags=("UP",)):
    return {"ifname": name, "flags": list(flags),
            "addr_info": [{"family": "inet6" if ":" in a else "inet", "local": a} for a in addresses]}


ADDRESSES = [link("lo", "127.0.0.1", "::1", flags=("LOOPBACK", "UP")), link("ens1", "10.0.0.1", "fe80::1"),
             link("ens2", "10.0.1.1"), link("bond0", "10.0.2.1"), link("vlan5", "10.0.5.1"),
             link("veth0", "10.0.9.1"), link("idle")]


class PlacementTest(unittest.TestCase):
    def setUp(self):
        self.sysfs = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for node, cpus in ((0, "0-3,8-11"), (1, "4-7"), (2, "")):
            self.write(f"devices/system/node/node{node}/cpulist", cpus + "\n")
        self.card("ens1", 0)
        self.card("ens2", 1)
        self.card("ens3", -1)
        self.write("class/net/veth0/operstate", "up")
        self.stack("bond0", "ens1", "ens2")
        self.stack("vlan5", "bond0")
        self.placement = placement.Placement(self.sysfs, ADDRESSES)

    def write(self, path, text):
        path = self.sysfs / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def card(self, name, node):
        self.write(f"class/net/{name}/device/numa_node", f"{node}\n")

    def stack(self, name, *lower):
        folder = self.sysfs / "class/net" / name
        folder.mkdir(parents=True)
        for below in lower:
            os.symlink(f"../{below}", folder / f"lower_{below}")

    def test_cpulists(self):
        for text in ("", "0", "0-3", "0-3,8-11", "1,3,5-6"):
            self.assertEqual(placement.format_cpulist(placement.parse_cpulist(text + "\n")), text)
        self.assertEqual(placement.parse_cpulist("0-2,4"), {0, 1, 2, 4})

    def test_interfaces_of_an_address(self):
        self.assertEqual(self.placement.interfaces("10.0.1.1"), ["ens2"])
        self.assertEqual(self.placement.interfaces("[fe80::1]"), ["ens1"])
        self.assertEqual(self.placement.interfaces("10.0.7.7"), [])
        self.assertEqual(self.placement.interfaces("0.0.0.0"), ["bond0", "ens1", "ens2", "veth0", "vlan5"])
        self.assertEqual(self.placement.interfaces("[::0]"), ["bond0", "ens1", "ens2", "veth0", "vlan5"])

    def test_nodes(self):
        self.assertEqual(self.placement.nodes("ens2"), {1})
        self.assertEqual(self.placement.nodes("ens3"), {None})
        self.assertEqual(self.placement.nodes("veth0"), {None})
        self.assertEqual(self.placement.nodes("bond0"), {0, 1})
        self.assertEqual(self.placement.nodes("vlan5"), {0, 1})

    def test_stacks_that_go_around_end(self):
        self.stack("veth1", "veth2")
        self.stack("veth2", "veth1")
        self.assertEqual(self.placement.nodes("veth1"), {None})

    def test_rows(self):
        rows = list(self.placement.rows([("10.0.1.1", 3260), ("10.0.5.1", 3261), ("10.0.9.1", 3260),
                                         ("10.0.7.7", 1)]))
        first, second = set(range(4)) | set(range(8, 12)), set(range(4, 8))
        self.assertEqual(rows, [
            ("10.0.1.1:3260", "ens2", 1, second),
            ("10.0.5.1:3261", "vlan5", 0, first), ("10.0.5.1:3261", "vlan5", 1, second),
            ("10.0.9.1:3260", "veth0", None, set()), ("10.0.7.7:1", "?", None, set())])

    def test_a_node_without_cpus_has_none(self):
        self.assertEqual(self.placement.cpus(2), set())

    def test_the_kernels_list(self):
        self.write("cpus_allowed_list", "0-63\n")
        path = self.sysfs / "cpus_allowed_list"
        self.assertEqual(placement.allowed(path), set(range(64)))
        placement.allow({4, 5, 6, 9}, path)
        self.assertEqual(path.read_text()[:6], "4-6,9\n")
        self.assertIsNone(placement.allowed(self.sysfs / "nothing"))


if __name__ == "__main__":
    unittest.main()
