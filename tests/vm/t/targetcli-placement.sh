#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# targetcli shows on which node the cards of the portals are, and moves the kernel's iSCSI threads there.
# topology: 2n
# limit: 300

# shellcheck source=tests/vm/t/targetcli-common.bash
. "$(dirname "$0")/targetcli-common.bash"

start_targetcli
start_net
modprobe iscsi_target_mod
allowed=$target/iscsi/cpus_allowed_list

expect_fail 'no iSCSI portal yet' targetcli /backstores/hearth placement
create_vol0 home=touch >/dev/null
session 'set global auto_add_default_portal=false' "/iscsi create $iqn" \
	"/iscsi/$iqn/tpg1/luns create /backstores/hearth/vol0" "/iscsi/$iqn/tpg1/portals create $address 3260" \
	"/iscsi/$iqn/tpg1 set attribute generate_node_acls=1 authentication=0 demo_mode_write_protect=0 cache_dynamic_acls=1" \
	>/dev/null
before=$(<$allowed)
restore() {
	echo "$before" >$allowed
}
defer restore

# A veth has no card behind it.
expect_fail 'nothing to suggest' targetcli /backstores/hearth placement apply=true
equal 'list after that' "$(<$allowed)" "$before"

# As if there were one on node 1: the interface's folder of sysfs with one file more.
mkdir -p folder/device
echo 1 >folder/device/numa_node
mount --bind folder /sys/devices/virtual/net/v0
defer umount /sys/devices/virtual/net/v0
said=$(targetcli /backstores/hearth placement)
says "$address:3260 v0: node 1, CPUs 2-3$" "$said"
says 'suggested: 2-3$' "$said"
equal 'list when not asked to apply' "$(<$allowed)" "$before"
says 'iSCSI connections run on CPUs 2-3 now' "$(targetcli /backstores/hearth placement apply=true)"
equal 'list' "$(<$allowed)" 2-3
says 'suggested: 2-3, as it is' "$(targetcli /backstores/hearth placement)"

# New connections do run there, and so first touch puts what they read there.
tpg=$target/iscsi/$iqn/tpgt_1
login tcp
disk=$(disk_of tcp)
on_node_1() {
	local pid cpus
	for pid in $(pgrep '^iscsi_trx$'); do
		cpus=$(sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$pid/status")
		[[ $cpus =~ ^[23](-3)?$ ]] || return 1
	done
	pgrep -c '^iscsi_trx$' >/dev/null
}
on_node_1 || fail "iSCSI threads run elsewhere: $(pgrep '^iscsi_trx$' | xargs -I{} grep Cpus_allowed_list /proc/{}/status)"
frames=$(counter vol0 0 frames)
dd if="$disk" of=/dev/null bs=64k skip=1024 count=32 iflag=direct status=none
equal 'frames that were made on node 0' $(($(counter vol0 0 frames) - frames)) 0
[ "$(counter vol0 1 frames)" -ge 512 ] || fail "only $(counter vol0 1 frames) frames on node 1"
