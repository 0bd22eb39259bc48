#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Build the initramfs of a kernel: busybox, the modules that reach the host's root, guest/initramfs.
#
#   initramfs.sh KERNEL-ROOT OUTPUT
set -euo pipefail

. "$(dirname "$0")/common.sh"

root=$1
output=$2
release=$(cat "$root/release")
source=$HEARTH_TOP/tests/vm/guest/initramfs

[ ! "$output" -nt "$source" ] || [ ! "$output" -nt "$root/release" ] || exit 0

tree=$(mktemp -d)
trap 'rm -rf "$tree" "$output.$$"' EXIT
mkdir -p "$tree"/{bin,dev,modules,proc,sys,root,out,overlay}
install -m 755 "$source" "$tree/init"
install -m 755 "$(command -v busybox)" "$tree/bin/busybox"

# Numbered, so that loading them in name order respects their dependencies.
number=100
modprobe -d "$root" -S "$release" -a --show-depends virtio_pci virtio_blk 9pnet_virtio 9p overlay |
while read -r verb file _; do
	[ "$verb" = insmod ] || continue
	name=$(basename "$file")
	compgen -G "$tree/modules/*-${name%.ko*}.ko" >/dev/null && continue
	target=$tree/modules/$((number++))-${name%.ko*}.ko
	case $file in
	*.xz) xz -dc "$file" >"$target" ;;
	*.zst) zstd -qdc "$file" >"$target" ;;
	*) cp "$file" "$target" ;;
	esac
done

mkdir -p "$(dirname "$output")"
(cd "$tree" && find . -print0 | cpio --quiet --null -o -H newc -R 0:0) | gzip -1 >"$output.$$"
mv "$output.$$" "$output"
