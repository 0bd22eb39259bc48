#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A LUN that is exported cannot be deleted, and its device cannot be taken by anyone else.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"

make_lun vol0 dev=/dev/vdb,cache=16M
attach_lun hearth_0/vol0
expect_fail 'busy' rmdir $core/hearth_0/vol0
expect_fail 'busy|use' mkfs.ext4 -q -F /dev/vdb
expect_fail 'in use' rmmod target_core_hearth
equal state "$(</sys/class/hearth/vol0/state)" ok
