#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Thousands of hostile strings to everything of a LUN's that can be written to, before it is enabled and under verified load: each is taken or
# refused, and the LUN holds what was written.
# topology: 2n
# limit: 400
# allow-log: hearth: |I/O error|dev_attrib

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"
. "$HEARTH_TESTS/lib-load.sh"

count=${COUNT:-1200}

# A LUN that is not there yet, again and again: some of it may even be enabled.
start_hearth
mkdir -p $core/hearth_0/odd
defer remove_backstore hearth_0 odd
"$HEARTH_TESTS/guest/fuzz-strings" 1 "$count" $core/hearth_0/odd/{control,enable,udev_path,alias} || fail 'before it is enabled'
undo_now remove_backstore hearth_0 odd

make_lun vol0 dev=/dev/vdb,cache=24M,mode=writeback
attach_lun hearth_0/vol0
hold_back vol0
load_start "$disk" --bsrange=512-64k --iodepth=4 --size=16m --io_size=3m --verify_backlog=64
lun=$core/hearth_0/vol0
sys=/sys/class/hearth/vol0
# What gives data up is not for this.
"$HEARTH_TESTS/guest/fuzz-strings" 2 "$count" $lun/{control,enable} \
	$lun/attrib/{cache,cache_min,mode,home,dispatch,readahead,dirty} \
	$sys/{drop,rescan,reattach,flush,accept_loss,paused,pin,unpin} \
	/sys/module/target_core_hearth/workers/node*/cpus || fail 'under load'
load_moves "$disk"
load_stop "$disk"

# What it was left with is in order, and can be set to what is wanted.
[ "$(<$sys/state)" != degraded ] || fail 'degraded'
for setting in cache=24M cache_min=24M mode=writethrough home=touch dispatch=auto readahead=2M dirty=6M; do
	for file in cache cache_min mode home dispatch readahead dirty; do
		cat $lun/attrib/$file >/dev/null || fail "$file: cannot be read"
	done
	echo "${setting#*=}" >"$lun/attrib/${setting%=*}" || fail "$setting: refused after all that"
done
echo 0 >$sys/paused
sg_sync "$disk"
same_bytes "$disk" /dev/vdb 0 16
