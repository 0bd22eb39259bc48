# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# The parts that need no process, against naive twins.
"$TOOLS/unit"
"$TOOLS/unit-erofs"
"$TOOLS/unit-berth"
"$TOOLS/unit-lun"
"$TOOLS/unit-rdma"
"$TOOLS/unit-window"
"$TOOLS/steering"
