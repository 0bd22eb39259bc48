#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Make a module tree for a guest: the stock modules by link, ours under updates/, depmod's indexes over both.
#
#   modules.sh KERNEL-ROOT     prints the directory that belongs on /lib/modules/<release>
set -euo pipefail

. "$(dirname "$0")/common.sh"

root=$1
release=$(cat "$root/release")
stock=$root/lib/modules/$release
built=$HEARTH_BUILD/$release
tree=$built/root/lib/modules/$release

# depmod reads thousands of modules; it need not before each boot.
made_of=$(stat -c '%n %i %.9Y %s' "$stock/modules.order" "$(command -v depmod)" "$built"/*.ko 2>/dev/null || :)
if [ "$(cat "$tree/made-of" 2>/dev/null)" = "$made_of" ]; then
	echo "$tree"
	exit
fi
rm -f "$tree/made-of"
mkdir -p "$tree/updates"
ln -sfn "$stock/kernel" "$tree/kernel"
for file in modules.order modules.builtin modules.builtin.modinfo; do
	ln -sfn "$stock/$file" "$tree/$file"
done
rm -f "$tree/updates"/*.ko
for module in "$built"/*.ko; do
	[ ! -f "$module" ] || ln "$module" "$tree/updates/"
done
depmod -b "$built/root" "$release"
echo "$made_of" >"$tree/made-of"
echo "$tree"
