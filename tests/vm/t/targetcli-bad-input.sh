#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever is wrong with a create, targetcli says what and what would do, and nothing is left.
# topology: 2n
# limit: 300

# shellcheck source=tests/vm/t/targetcli-common.bash
. "$(dirname "$0")/targetcli-common.bash"

commands=()
messages=()

# refuse REGEX PARAMETER...: a create that try_all is to try, and what it then must say.
refuse() {
	messages+=("hearth/refused: $1")
	shift
	commands+=("/backstores/hearth create name=refused $*")
}

# One targetcli for all: starting it takes longer than any command.
try_all() {
	local said regex
	said=$(session "${commands[@]}")
	for regex in "${messages[@]}"; do
		says "$regex" "$said"
	done
	equal 'number of refusals' "$(grep -c 'hearth/refused: ' <<<"$said")" ${#messages[@]}
	if [ -e $core/hearth_0/refused ] || [ -e /sys/class/hearth/refused ]; then
		fail 'a refused LUN is left behind'
	fi
	commands=()
	messages=()
}

# Sets $loop.
make_loop() {
	loop=$(losetup --find --show "$@")
	defer losetup --detach "$loop"
}

start_targetcli
modprobe loop

refuse 'cache=12Q: .*k, M, G or T$' dev=/dev/vdc cache=12Q
try_all
equal 'lines in the kernel log' "$(klog | grep -c 'hearth: refused: ')" 1

refuse 'cache=-1: ' dev=/dev/vdc cache=-1
refuse 'cache=.* more than the [0-9]+ MiB' dev=/dev/vdc cache=900G
refuse 'mode=fast: .*writethrough, writeback or writearound' dev=/dev/vdc cache=64M mode=fast
refuse 'home=away: .*touch or stripe' dev=/dev/vdc cache=64M home=away
refuse 'stripe=96K: .*power of two' dev=/dev/vdc cache=64M stripe=96K
refuse 'readonly=maybe: .*0 or 1' dev=/dev/vdc cache=64M readonly=maybe
refuse 'dev=/dev/none: .*no such device' dev=/dev/none cache=64M
refuse 'dev=/dev/null: .*not a block device' dev=/dev/null cache=64M
refuse 'dev=vdc: .*absolute path' dev=vdc cache=64M
refuse 'dev=/dev/a,b: .*no comma' dev=/dev/a,b cache=64M
try_all
no_lun_left
expect_fail 'Unexpected keyword parameter .colour' \
	targetcli /backstores/hearth create name=refused dev=/dev/vdc cache=64M colour=red

# A device that is in use: mounted, or under another LUN. One that holds not one block, or is read-only.
mke2fs -q /dev/vdc 16M
mkdir mounted
mount /dev/vdc mounted
defer umount "$PWD/mounted"
create_vol0 home=touch >/dev/null
truncate -s 100 tiny
make_loop tiny
refuse "dev=$loop: .*less than one block" "dev=$loop" cache=64M
truncate -s 16M fixed
make_loop --read-only fixed
refuse "dev=$loop: read-only; .*readonly=1" "dev=$loop" cache=64M
refuse 'dev=.*virtio-hearth-vdc: in use ' dev=/dev/vdc cache=64M
refuse 'dev=.*virtio-hearth-vdb: in use ' dev=/dev/vdb cache=64M
try_all
expect_fail 'hearth/vol0 exists' create_vol0 home=touch
targetcli /backstores/hearth delete vol0 >/dev/null
no_lun_left

targetcli /backstores/hearth create name=vol0 "dev=$loop" cache=16M readonly=true >/dev/null
says ' ro writethrough ' "$(targetcli ls /backstores/hearth)"
targetcli /backstores/hearth delete vol0 >/dev/null
no_lun_left
