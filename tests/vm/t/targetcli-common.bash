# SPDX-License-Identifier: GPL-2.0-or-later
#
# Helpers of the targetcli tests: the plugin installed, targetcli ready, everything cleared at the end.
# shellcheck shell=bash

# shellcheck source=tests/vm/lib.sh disable=SC2153
. "$HEARTH_TESTS/lib.sh"

save_dir=/etc/rtslib-fb-target
save_file=$save_dir/saveconfig.json
loopback_wwn=naa.5001405000000001 # a form that rtslib takes
# shellcheck disable=SC2034 # loopback_disk looks at the one and sets the other
loopback=$target/loopback/$loopback_wwn disk=

start_targetcli() {
	start_target
	start_udev
	start_dbus
	make -s -C "$HEARTH_TOP/userspace/targetcli" install PREFIX=/usr
	targetcli set global color_mode=false >/dev/null
	defer clear_config
}

clear_config() {
	targetcli clearconfig confirm=true >/dev/null
	rm -rf $save_file $save_dir/backup
}

# session COMMAND...: one targetcli shell that runs them all, and is left by exit.
session() {
	printf '%s\n' "$@" exit | targetcli 2>&1
}

# create_vol0 PARAMETER...: a LUN of /dev/vdb with a cache of 64 MiB.
create_vol0() {
	targetcli /backstores/hearth create name=vol0 dev=/dev/vdb cache=64M "$@"
}

# Exports /backstores/$1 as a local disk, through targetcli so that it is saved too; sets $disk.
attach_saved() {
	session "/loopback create $loopback_wwn" "/loopback/$loopback_wwn/luns create /backstores/$1" >/dev/null
	wait_for 20 loopback_disk || fail "/backstores/$1: no disk over the loopback fabric"
}

# The parameters of a LUN as the module shows them.
settings_of() {
	sed -n 's/^ *\(dev=.*[^ ]\) *$/\1/p' $core/hearth_*/"$1"/info
}

# Everything configfs says about a LUN, but for its counters, and the queue depth in `info`, which the
# core shows as 0 until the attribute is written.
configfs_of() {
	find $core/hearth_*/"$1" -path '*/statistics' -prune -o -type f -perm -u+r -print | sort |
		while IFS= read -r file; do
			printf '%s: %s\n' "$file" "$(tr -d '\0' <"$file" 2>&1)"
		done | sed 's/Max Queue Depth: [0-9]*//'
}

# The saved configuration without what the file system or the clock put in it.
saved_config() {
	python3 -c 'import json, sys; print(json.dumps(json.load(open(sys.argv[1])), indent=1, sort_keys=True))' "$1"
}

# says REGEX TEXT
says() {
	grep -Eq -- "$1" <<<"$2" || fail "should say '$1', says: $2"
}

no_lun_left() {
	local left
	for left in "$core"/hearth_* /sys/class/hearth/*; do
		[ ! -e "$left" ] || fail "left behind: $left"
	done
}
