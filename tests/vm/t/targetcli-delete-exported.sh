#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Deleting an exported LUN deletes its exports too, as for every backstore, and says which.
# topology: 2n
# limit: 300

# shellcheck source=tests/vm/t/targetcli-common.bash
. "$(dirname "$0")/targetcli-common.bash"

start_targetcli
create_vol0 home=touch >/dev/null
attach_saved hearth/vol0
says 'vol0 .* activated' "$(targetcli ls /backstores/hearth)"
rmdir $core/hearth_0/vol0 2>/dev/null && fail 'configfs let go of an exported LUN'

said=$(targetcli /backstores/hearth delete vol0)
says 'Deleted storage object vol0' "$said"
says "Deleted loopback/$loopback_wwn/tpg1/lun0, which exported it" "$said"
no_lun_left
[ ! -e $loopback/tpgt_1/lun/lun_0 ] || fail 'the export is still there'
