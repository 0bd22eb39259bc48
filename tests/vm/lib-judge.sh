# SPDX-License-Identifier: GPL-2.0-or-later
#
# How a test is judged: what its head declares, and what the kernel log must not say.
# shellcheck shell=bash

# test_head FILE KEY: the value of a line "# KEY: value" in the head of a test, or nothing.
test_head() {
	sed -n "s/^# $2: *//p;/^[^#]/q" "$1" | head -n 1
}

# After these the kernel is of no use any more ...
klog_broken='BUG:|Oops|Kernel panic|general protection|soft lockup|hard LOCKUP|blocked for more than'
# ... and each of these fails a test.
klog_alarming="$klog_broken|WARNING:|Call Trace|cut here|possible (recursive|circular|irq lock)"
klog_alarming+='|lockdep is turned off|locking correctness validator|MAX_[A-Z_]+ too low|suspicious RCU'
klog_alarming+='|KASAN|KCSAN: |UBSAN|kmemleak: .*(suspected|pool empty|failed)|detected stall|page allocation failure'
klog_alarming+='|list_(add|del) corruption|refcount_t'

# Warnings of the stock kernel about itself: an iSCSI initiator that logs out waits on a queue for memory reclaim for
# the power management of a disk, if that has something to do just then; and 6.1's Soft-RoCE may free a queue pair, of a
# process that was killed, whose tasklet is still scheduled (nothing of ours has tasklets), and warns in its own files.
klog_foreign='WQ_MEM_RECLAIM iscsi_ctrl_.* is flushing !WQ_MEM_RECLAIM pm:|tasklet SCHED state not set: func 0x0'
klog_foreign+='|WARNING: .* at drivers/infiniband/sw/rxe/'

# klog_filter: a kernel log on standard input, without such warnings and their traces.
klog_filter() {
	awk -v foreign="$klog_foreign" '
	/\[ cut here \]/ { holding = 1; held = "" }
	!holding { print; next }
	{ held = held $0 "\n" }
	/---\[ end trace/ { if (held !~ foreign) printf "%s", held; holding = 0 }
	END { if (holding) printf "%s", held }'
}

# no_alarm: in a guest, fails if its log has said such a thing since the test began; with lib.sh.
no_alarm() {
	local alarm
	alarm=$(klog | klog_filter | grep -Em 1 "$klog_alarming" || :)
	[ -z "$alarm" ] || fail "kernel log: $alarm"
}
