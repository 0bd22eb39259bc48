# SPDX-License-Identifier: GPL-2.0-or-later
#
# Guest test helpers: LUNs that write back.
# shellcheck shell=bash
# shellcheck disable=SC2154 # $disk: attach_lun() sets it

# dirty LUN: bytes that its device does not have.
dirty() {
	cat "/sys/class/hearth/$1/dirty_bytes"
}

is_dirty() {
	[ "$(dirty "$1")" -gt 0 ]
}

is_clean() {
	[ "$(dirty "$1")" -eq 0 ]
}

# hold_back LUN: write until the LUN writes back; its first writes go through.
hold_back() {
	wait_for 30 leaves_dirty "$1" || fail "$1: writes nothing back"
}

leaves_dirty() {
	dd if=/dev/zero of="$disk" bs=4k count=1 seek=1 oflag=direct status=none
	is_dirty "$1"
}

# act LUN flush|discard_dirty
act() {
	echo 1 >"/sys/class/hearth/$1/$2"
}

# An image of the start of a device, read past every cache.
image() {
	dd if="$1" bs=1M count="$2" iflag=direct status=none
}
