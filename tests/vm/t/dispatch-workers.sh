#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The threads of a node's group run on its CPUs or on those that are chosen; wrong choices are refused; CPUs may go
# offline and come back under load.
# topology: 2n
# limit: 400

. "$HEARTH_TESTS/lib.sh"

start_hearth
workers=/sys/module/target_core_hearth/workers

# threads_of NODE: where each thread of the group may run
threads_of() {
	local pid
	for pid in $(pgrep "^hearth/$1:"); do
		sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$pid/status"
	done
}

# group NODE CHOSEN ALLOWED: what was chosen, and where the threads may run
group() {
	equal "workers/node$1/cpus" "$(<$workers/node"$1"/cpus)" "$2"
	equal "threads of node $1" "$(threads_of "$1" | sort -u)" "$3"
}

set_cpus() {
	echo "$2" >"$workers/node$1/cpus"
}

group 0 0-1 0-1
group 1 2-3 2-3
equal 'number of threads' "$(pgrep -c '^hearth/')" 4
set_cpus 1 3
group 1 3 3
for cpus in 0 0-3 1,2 many 4 99999 -1 ''; do
	expect_fail "node1/cpus=$cpus: not a list of CPUs of this node; give some of 2-3" set_cpus 1 "$cpus"
done
group 1 3 3
set_cpus 1 2-3

make_lun vol0 dev=/dev/vdb,cache=128M,home=stripe,dispatch=home
attach_lun hearth_0/vol0

online() {
	echo "$2" >"/sys/devices/system/cpu/cpu$1/online"
}

defer online 2 1
defer online 3 1
# The CPUs of node 1 go one after the other and come back, over and over, while fio verifies.
hotplug() {
	local cpu
	while [ ! -e stop ]; do
		for cpu in 3 2; do online $cpu 0; done
		touch went
		for cpu in 2 3; do online $cpu 1; done
	done
}
hotplug &
fio_verify "$disk" --size=16m --numjobs=2 --offset_increment=16m --iodepth=16 --bsrange=512-128k --blockalign=512
wait_for 60 test -e went || fail 'no CPU went offline'
touch stop
wait $!
same_bytes "$disk" /dev/vdb 0 32
group 1 2-3 2-3

# Gone for good: the node's data is served by others.
online 3 0
group 1 2-3 2
expect_fail 'node1/cpus=3: none of them is online; give some of 2' set_cpus 1 3
online 2 0
group 1 2-3 0-3
dd if="$disk" of=/dev/null bs=100k count=100 iflag=direct status=none
fio_verify "$disk" --size=8m --iodepth=16 --bsrange=512-128k --blockalign=512
online 2 1
online 3 1
group 1 2-3 2-3
