#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# saveconfig, clearconfig, rmmod, restoreconfig: the LUN comes back the same, with its target and its data.
# topology: 2n
# limit: 300

# shellcheck source=tests/vm/t/targetcli-common.bash
. "$(dirname "$0")/targetcli-common.bash"

start_targetcli
create_vol0 home=stripe stripe=128K readahead=512K >/dev/null
targetcli /backstores/hearth/vol0 set attribute mode=writearound readahead=256K emulate_tas=0 >/dev/null
attach_saved hearth/vol0
dd if=/dev/urandom of=pattern bs=1M count=8 status=none
dd if=pattern of="$disk" bs=1M oflag=direct status=none

configfs_of vol0 >before
targetcli saveconfig "$PWD/saved.json" >/dev/null
targetcli clearconfig confirm=true >/dev/null
no_lun_left
[ ! -e $loopback ] || fail 'clearconfig left the target'
modprobe -r target_core_hearth

said=$(targetcli restoreconfig "$PWD/saved.json")
says 'Configuration restored' "$said"
configfs_of vol0 >after
diff before after || fail 'configfs differs after restoreconfig'
targetcli saveconfig "$PWD/again.json" >/dev/null
saved_config saved.json >saved
saved_config again.json >again
diff saved again || fail 'the saved configuration differs after restoreconfig'

wait_for 20 loopback_disk || fail 'the restored target has no disk'
cmp -n $((8 << 20)) pattern "$disk" || fail 'the data differs after restoreconfig'
grep -q 'vpd_unit_serial: T10 VPD Unit Serial Number: [0-9a-f-]\{36\}$' after || fail 'no unit serial number'
