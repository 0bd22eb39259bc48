# SPDX-License-Identifier: GPL-2.0-or-later
"""A module that sends no flush: whoever looks for what is lost must find it out."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "vm"))
import mutants

NO_FLUSH = (
    ("submit_bio(get_bio(req, 0, 0, REQ_OP_WRITE | REQ_PREFLUSH));", "(void)req;"),
    ("io->fua ? REQ_FUA : 0", "0"),
)


def build(kernel):
    """Builds it, and makes it the one that guests get."""
    os.environ.update(mutants.build(kernel, "powercut", "kmod/backing_io.c", NO_FLUSH))
