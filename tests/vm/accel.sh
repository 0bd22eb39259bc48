#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Print the QEMU options for the fastest way to run a guest here: KVM if it really runs a kernel, else emulation.
#
#   accel.sh KERNEL-IMAGE INITRAMFS
#
# /dev/kvm may exist, open and create a virtual machine and still not run an
# ordinary kernel, so the question is settled by booting one to a known line.
# The answer holds until the host or QEMU changes.
set -euo pipefail

. "$(dirname "$0")/common.sh"

image=$1
initramfs=$2
answer=$HEARTH_CACHE/accel

# Without the string instructions that emulation runs byte by byte, memcpy is
# three times as fast; five-level page tables would only lengthen each walk.
tcg='-accel tcg,thread=multi -cpu max,-erms,-fsrm,-la57'
kvm='-accel kvm -cpu host'

host() {
	uname -rn
	cat /proc/sys/kernel/random/boot_id
	qemu-system-x86_64 --version | head -n 1
}

kvm_boots() {
	# shellcheck disable=SC2086 # options, word by word
	timeout -k 1 10 qemu-system-x86_64 $kvm -m 512 -smp 2 -nodefaults -no-user-config \
		-display none -no-reboot -serial stdio -kernel "$image" -initrd "$initramfs" \
		-append 'console=ttyS0 hearth.probe panic=-1' </dev/null 2>/dev/null |
	grep -q 'hearth-probe: ok'
}

# Only emulation can count.
if [ -n "${HEARTH_COUNTER:-}" ] || [ ! -w /dev/kvm ]; then
	echo "$tcg"
	exit
fi
if [ ! -f "$answer" ] || [ "$(head -n -1 "$answer")" != "$(host)" ]; then
	{
		host
		if kvm_boots 2>/dev/null; then echo "$kvm"; else echo "$tcg"; fi
	} >"$answer.$$"
	mv "$answer.$$" "$answer"
	say "$(tail -n 1 "$answer") (kept in $answer)"
fi
tail -n 1 "$answer"
