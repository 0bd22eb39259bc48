#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Create, export, use, unexport, delete, unload: no memory is left behind. See guest/cycles; "make check-cycles" does it often.
# topology: 2n
# limit: 300

exec bash "$HEARTH_TESTS/guest/cycles" 5
