#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Attributes are shown, and changed while the LUN is exported; a wrong value is refused with the reason.
# topology: 2n
# limit: 300

# shellcheck source=tests/vm/t/targetcli-common.bash
. "$(dirname "$0")/targetcli-common.bash"

start_targetcli
create_vol0 home=touch >/dev/null
attach_saved hearth/vol0

said=$(targetcli /backstores/hearth/vol0 get attribute mode home dispatch stripe cache readahead)
for pair in mode=writethrough home=touch dispatch=auto stripe=1048576 cache=67108864 readahead=2097152; do
	says "$pair" "$said"
done

targetcli /backstores/hearth/vol0 set attribute mode=writearound home=stripe dispatch=home readahead=0 >/dev/null
equal 'mode in configfs' "$(<$core/hearth_0/vol0/attrib/mode)" writearound
equal 'home in sysfs' "$(</sys/class/hearth/vol0/home)" stripe
equal 'dispatch in sysfs' "$(</sys/class/hearth/vol0/dispatch)" home
equal 'readahead in configfs' "$(<$core/hearth_0/vol0/attrib/readahead)" 0
says 'mode: writearound$' "$(targetcli /backstores/hearth/vol0 info)"
dd if=/dev/urandom of=pattern bs=1M count=4 status=none
dd if=pattern of="$disk" bs=1M oflag=direct status=none
cmp -n $((4 << 20)) pattern "$disk" || fail 'what was written in the new mode reads differently'

targetcli /backstores/hearth/vol0 set attribute cache=96M cache_min=32M >/dev/null
equal 'cache in sysfs' "$(</sys/class/hearth/vol0/cache_bytes)" $((96 << 20))
equal 'cache_min in configfs' "$(<$core/hearth_0/vol0/attrib/cache_min)" $((32 << 20))

expect_fail 'hearth/vol0: mode=fast: .*writethrough' targetcli /backstores/hearth/vol0 set attribute mode=fast
expect_fail 'hearth/vol0: home=away: ' targetcli /backstores/hearth/vol0 set attribute home=away
expect_fail 'hearth/vol0: dispatch=away: ' targetcli /backstores/hearth/vol0 set attribute dispatch=away
expect_fail 'hearth/vol0: cache=1073741824: more than its index' targetcli /backstores/hearth/vol0 set attribute cache=1G
equal 'mode after the refusals' "$(<$core/hearth_0/vol0/attrib/mode)" writearound
equal 'home after the refusals' "$(<$core/hearth_0/vol0/attrib/home)" stripe
