#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The configuration that targetcli saves by itself when a session ends has the LUN, also that of a later session.
# topology: 2n
# limit: 300

# shellcheck source=tests/vm/t/targetcli-common.bash
. "$(dirname "$0")/targetcli-common.bash"

saved_lun() {
	python3 -c 'import json; [print(so["plugin"], so["name"], so["dev"], so["cache"])
for so in json.load(open("'$save_file'"))["storage_objects"]]'
}

start_targetcli
expected='hearth vol0 /dev/disk/by-id/virtio-hearth-vdb 67108864'
says 'Configuration saved' "$(session '/backstores/hearth create vol0 /dev/vdb 64M')"
equal 'saved by the session that created it' "$(saved_lun)" "$expected"
session ls >/dev/null
equal 'saved by a session that only looked' "$(saved_lun)" "$expected"
session '/backstores/hearth delete vol0' >/dev/null
equal 'saved by the session that deleted it' "$(saved_lun)" ''
