# SPDX-License-Identifier: GPL-2.0-or-later
#
# What disturbs the LUNs of a soak: disturb_NAME for each name in $disturbances. When one returns, all is well again.
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034,SC2317 # the guest script sets $disks and $what, and calls by name

disturbances=(cache cache mode mode home dispatch readahead dirty drop pause pin pressure cpu device_error device_stall
	device_slow wire wire cut_target cut_wire lun_reset coherence other_lun rescan sizes)
declare -A refused_of # how often, by disturbance
fault_device=(/dev/vdb /dev/vdc)

# pick WORD...: one of them
pick() {
	local words=("$@")
	echo "${words[RANDOM % $#]}"
}

# table_of LUN good|error|slow
table_of() {
	local device=${fault_device[$1]} size=$((512 << 11))
	case $2 in
	good) echo "0 $size linear $device 0" ;;
	# reads as ever; every write fails, and so does every flush
	error) echo "0 $size flakey $device 0 0 3600 1 error_writes" ;;
	slow) echo "0 $size delay $device 0 30" ;;
	esac
}

# set_of LUN ATTRIBUTE VALUE: what is refused now may be taken another time.
set_of() {
	echo "$3" 2>/dev/null >"$core/hearth_0/vol$1/attrib/$2" || refused_of[$what]=$((${refused_of[$what]:-0} + 1))
}

a_lun() {
	lun=$((RANDOM % 2))
	sys=/sys/class/hearth/vol$lun
}

# recover LUN: its device is well; what a flush that failed may have lost is accepted, since it was not.
recover() {
	sg_sync "${disks[$1]}" 2>/dev/null || {
		echo 1 2>/dev/null >"/sys/class/hearth/vol$1/accept_loss" || :
		sg_sync "${disks[$1]}" || fail "vol$1: a flush when the device is well"
	}
}

# --- settings ---

disturb_cache() { a_lun; set_of $lun cache "$(pick 12M 24M 48M 96M)"; }
disturb_mode() { a_lun; set_of $lun mode "$(pick writeback writethrough writearound)"; }
disturb_home() { a_lun; set_of $lun home "$(pick touch stripe)"; }
disturb_dispatch() { a_lun; set_of $lun dispatch "$(pick inline home auto)"; }
disturb_readahead() { a_lun; set_of $lun readahead "$(pick 0 128k 2M 8M)"; }
disturb_dirty() { a_lun; set_of $lun dirty "$(pick 1M 4M 8M)"; }
disturb_sizes() { a_lun; set_of $lun cache_min "$(pick 2M 8M 12M)"; }
disturb_drop() { a_lun; echo 1 >"$sys/drop"; }
disturb_rescan() { a_lun; echo 1 >"$sys/rescan"; }

disturb_pause() {
	a_lun
	echo 1 >"$sys/paused"
	everybody_moves 10
	echo 0 >"$sys/paused"
}

disturb_pin() {
	a_lun
	echo 0+2M 2>/dev/null >"$sys/pin" || return 0
	everybody_moves 10
	echo 0+2M >"$sys/unpin"
}

# --- the machine ---

disturb_pressure() {
	echo 2 >/proc/sys/vm/drop_caches
}

disturb_cpu() {
	local cpu
	cpu=$(pick 1 2 3)
	echo 0 >"/sys/devices/system/cpu/cpu$cpu/online"
	everybody_moves 5
	echo 1 >"/sys/devices/system/cpu/cpu$cpu/online"
}

# --- the device ---

disturb_device_error() {
	a_lun
	reload_dm backing$lun "$(table_of $lun error)"
	sleep $((RANDOM % 3 + 1)) # how long it is broken
	reload_dm backing$lun "$(table_of $lun good)"
	recover $lun
}

disturb_device_stall() {
	a_lun
	dmsetup suspend --noflush --nolockfs backing$lun
	sleep $((RANDOM % 4 + 1)) # how long it says nothing
	dmsetup resume backing$lun
}

disturb_device_slow() {
	a_lun
	reload_dm backing$lun "$(table_of $lun slow)"
	everybody_moves 10
	reload_dm backing$lun "$(table_of $lun good)"
}

# --- the fabrics ---

disturb_wire() {
	# shellcheck disable=SC2046 # words
	wire_is $(pick 'loss 0.5%' 'delay 3ms' 'delay 1ms reorder 1%' 'duplicate 5%' 'loss 0.5% duplicate 2%')
	everybody_moves 20
	lost=$((lost + $(wire_lost)))
	wire_is_good
}

disturb_cut_target() { cut_by target tcp; }
disturb_cut_wire() { cut_by wire "$(pick tcp iser)"; }
disturb_lun_reset() { sg_reset --device --no-esc "$(disk_of "$(pick tcp iser)")" >/dev/null 2>&1 || :; }

# --- others ---

# The node and the disk of one LUN, in a part of it that nobody else uses.
disturb_coherence() {
	local said
	said=$(PYTHONPATH=$HEARTH_TESTS python3 "$HEARTH_TESTS/coherence.py" "${disks[1]}" vol1 3 2>&1) || fail "coherence: $said"
}

# Another LUN comes, is written to, and goes.
disturb_other_lun() {
	local mode
	mode=$(pick writeback writethrough writearound)
	make_dm other "0 $((64 << 11)) linear /dev/vdc $((1 << 21))"
	make_lun other "dev=/dev/mapper/other,cache=8M,mode=$mode"
	wait_for 20 test -c /dev/hearth/other
	head -c 4M /dev/urandom >other
	dd if=other of=/dev/hearth/other bs=64k conv=notrunc,fsync status=none
	cmp -n $((4 << 20)) other /dev/hearth/other || fail "another LUN, $mode: other data"
	cmp other <(image /dev/mapper/other 4) || fail "another LUN, $mode: the device has other data"
	remove_lun other
	undo_now dmsetup remove --retry other
}
