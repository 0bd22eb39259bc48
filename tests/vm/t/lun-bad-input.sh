#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A parameter that cannot be used is refused with a line that names it, its value and what would do.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"

refuse_lun 'refused: .*colour.*' dev=/dev/vdb,colour=red
refuse_lun 'refused: cache=12Q: .*k, M, G or T' dev=/dev/vdb,cache=12Q
refuse_lun 'refused: cache=' dev=/dev/vdb,cache=
refuse_lun 'refused: cache=-1' dev=/dev/vdb,cache=-1
refuse_lun 'refused: cache=99999999999999999999T' dev=/dev/vdb,cache=99999999999999999999T
refuse_lun 'refused: cache=0' dev=/dev/vdb,cache=0
refuse_lun 'refused: mode=sideways: .*writethrough.*writearound' dev=/dev/vdb,mode=sideways
refuse_lun 'refused: home=away: .*touch.*stripe|refused: home=away: .*stripe.*touch' dev=/dev/vdb,home=away
refuse_lun 'refused: stripe=100000' dev=/dev/vdb,stripe=100000
refuse_lun 'refused: stripe=4k' dev=/dev/vdb,stripe=4k
refuse_lun 'refused: readahead=4k: .*128k to 64M, or 0' dev=/dev/vdb,readahead=4k
refuse_lun 'refused: readahead=65M' dev=/dev/vdb,readahead=65M
refuse_lun 'refused: readonly=maybe' dev=/dev/vdb,readonly=maybe
refuse_lun 'refused: dev=vdb' dev=vdb
refuse_lun 'refused: .*dev=' cache=16M
