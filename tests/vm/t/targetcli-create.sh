#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# targetcli creates a LUN with every parameter, shows it in ls and info, and deletes it.
# topology: 2n
# limit: 300

# shellcheck source=tests/vm/t/targetcli-common.bash
. "$(dirname "$0")/targetcli-common.bash"

by_id=/dev/disk/by-id/virtio-hearth-vdb
start_targetcli

said=$(create_vol0 mode=writearound home=stripe stripe=256K readahead=512K readonly=false wwn=serial-1)
says "Created hearth storage object vol0 using $by_id, cache 64.0MiB" "$said"
equal 'info of the module' "$(settings_of vol0)" \
	"dev=$by_id cache=67108864 cache_min=67108864 mode=writearound home=stripe dispatch=auto stripe=262144 readahead=524288 dirty=16777216 readonly=0"

said=$(targetcli ls /backstores/hearth)
says 'hearth .*Storage Objects: 1' "$said"
says "vol0 .*$by_id \(2.0GiB, cache 64.0MiB\) writearound deactivated" "$said"

said=$(targetcli /backstores/hearth/vol0 info)
for line in "dev: $by_id" 'cache: 67108864' 'mode: writearound' 'home: stripe' 'stripe: 262144' 'readahead: 524288' \
	'readonly: False' 'wwn: serial-1' 'size: 2147483648' 'state: ok'; do
	says "(^|: )$line\$" "$said"
done

says 'Deleted storage object vol0' "$(targetcli /backstores/hearth delete vol0)"
no_lun_left
says 'hearth .*Storage Objects: 0' "$(targetcli ls /backstores/hearth)"
