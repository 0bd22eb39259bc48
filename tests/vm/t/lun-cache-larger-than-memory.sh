#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A cache that memory cannot hold is refused, and the message says how much there is.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"

refuse_lun 'refused: cache=.*[0-9]+ ?(k|M|G|bytes|MiB|GiB)' dev=/dev/vdb,cache=1T

# All LUNs together count.
make_lun vol0 dev=/dev/vdb,cache=2G
refuse_lun 'refused: cache=' dev=/dev/vdc,cache=3G
