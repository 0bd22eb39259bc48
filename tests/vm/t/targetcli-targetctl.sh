#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# targetctl, which restores the configuration at boot, brings a LUN back the same and loads the module.
# topology: 2n
# limit: 300

# shellcheck source=tests/vm/t/targetcli-common.bash
. "$(dirname "$0")/targetcli-common.bash"

start_targetcli
create_vol0 mode=writearound >/dev/null
attach_saved hearth/vol0
dd if=/dev/urandom of=pattern bs=1M count=4 status=none
dd if=pattern of="$disk" bs=1M oflag=direct status=none
configfs_of vol0 >before

targetctl save
grep -q '"plugin": "hearth"' $save_file || fail 'targetctl save left the LUN out'
cp $save_file saved.json
targetctl clear
no_lun_left
modprobe -r target_core_hearth

said=$(targetctl restore 2>&1)
equal 'what targetctl restore says' "$said" ''
configfs_of vol0 >after
diff before after || fail 'configfs differs after targetctl restore'
targetctl save
cmp $save_file saved.json || fail 'the saved configuration differs after targetctl restore'
wait_for 20 loopback_disk || fail 'the restored target has no disk'
cmp -n $((4 << 20)) pattern "$disk" || fail 'the data differs after targetctl restore'
