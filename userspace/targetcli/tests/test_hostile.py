# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile settings, by hand and from a saved configuration: each is taken or refused, and nothing half made stays."""

import importlib
import random
import unittest

from . import fake_kernel

KEYS = ("dev", "cache", "cache_min", "mode", "home", "dispatch", "stripe", "readahead", "dirty", "readonly", "wwn")
WORDS = ("", " ", ",", "=", "\n", "\0", "/dev/none", "16M", "-1", "1e9", "0x10", "1" * 400, "writeback", "stripe", "auto", "yes",
         "ok,mode=writeback", "16M\nmode=writeback", "\x1b[2J", "%s%n", "../../x", "{}", "caf\u00e9", "\u2028", "\udc80",
         "\U0001f525")
OTHERS = (None, True, False, 0, -1, 1 << 80, 1.5, float("nan"), [], ["16M"], {}, {"cache": "16M"})
ROUNDS = 400


def hostile(rng):
    """A value that nobody expects."""
    if rng.random() < 0.25:
        return rng.choice(OTHERS)
    text = rng.choice(WORDS)
    for _ in range(rng.choice((0, 0, 1, 3))):
        at = rng.randint(0, len(text))
        text = text[:at] + rng.choice((chr(rng.randrange(1, 0x250)), rng.choice(WORDS))) + text[at:]
    return text


class HostileTests:
    """The tests; one subclass for each copy of rtslib names its `tree`."""

    def setUp(self):
        self.rtslib = importlib.import_module(self.tree)
        self.kernel = self.enterContext(fake_kernel.FakeKernel(self.tree))

    def test_settings_are_taken_or_refused(self):
        taken = refused = 0
        for seed in range(ROUNDS):
            rng = random.Random(seed)
            settings = {"dev": str(self.kernel.device), "cache": "256M"}
            settings.update({rng.choice(KEYS): hostile(rng) for _ in range(rng.randint(1, 3))})
            with self.subTest(settings=repr(settings)):
                try:
                    so = self.rtslib.HearthStorageObject("vol0", **settings)
                except self.rtslib.RTSLibError as error:
                    refused += 1
                    self.assertRegex(str(error), "^hearth/vol0: ")
                    self.assertEqual(self.kernel.objects(), [])
                else:
                    taken += 1
                    self.assertTrue(so.is_configured())
                    so.delete()
        self.assertGreater(taken, ROUNDS // 50)
        self.assertGreater(refused, ROUNDS // 2)

    def test_a_saved_configuration_is_restored_or_named(self):
        self.rtslib.HearthStorageObject("vol0", dev=str(self.kernel.device), cache="256M")
        root = self.rtslib.RTSRoot()
        saved = root.dump()
        for seed in range(ROUNDS):
            rng = random.Random(seed)
            root.clear_existing(confirm=True)
            changed = {**saved["storage_objects"][0], **{rng.choice(KEYS): hostile(rng) for _ in range(rng.randint(1, 3))}}
            with self.subTest(saved=repr(changed)):
                errors = root.restore({**saved, "storage_objects": [changed]})
                self.assertEqual(self.kernel.objects(), [] if errors else ["hearth_0/vol0"])
                self.assertTrue(all("vol0" in error for error in errors), errors)


class RtslibTest(HostileTests, unittest.TestCase):
    tree = "rtslib"


class RtslibFbTest(HostileTests, unittest.TestCase):
    tree = "rtslib_fb"
