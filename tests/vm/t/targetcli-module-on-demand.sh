#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Looking does not load the module, creating the first LUN does.
# topology: 2n
# limit: 300

# shellcheck source=tests/vm/t/targetcli-common.bash
. "$(dirname "$0")/targetcli-common.bash"

start_targetcli
[ ! -d /sys/module/target_core_hearth ] || modprobe -r target_core_hearth
says 'hearth .*Storage Objects: 0' "$(targetcli ls /backstores)"
[ ! -d /sys/module/target_core_hearth ] || fail 'ls loaded the module'
create_vol0 home=touch >/dev/null
[ -d /sys/module/target_core_hearth ] || fail 'create did not load the module'
expect_fail 'in use' modprobe -r target_core_hearth

# A module that is not there for this kernel: the user learns which, and what for.
targetcli /backstores/hearth delete vol0 >/dev/null
modprobe -r target_core_hearth
mkdir empty
mount --bind empty /etc/modprobe.d
defer umount /etc/modprobe.d
echo 'install target_core_hearth /bin/false' >empty/hearth.conf
expect_fail "hearth/vol0: cannot load the kernel module target_core_hearth: .*$(uname -r)" create_vol0 home=touch
no_lun_left
