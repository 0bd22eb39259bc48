#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Build User Mode Linux with LIO from Debian's linux-source-6.1, once, into the cache; print where.
#
#   kernel.sh
#
# The printed directory holds:
#   linux                    the kernel, a program of the host
#   release                  its release string
#   build                    its build tree, for make ARCH=um -C
#   lib/modules/<release>    its modules, with depmod's indexes
#
# Takes some five minutes on two cores. Nothing but the cache changes.
set -euo pipefail

. "$(dirname "$0")/../vm/common.sh"

config=$HEARTH_TOP/tests/uml/config
root=$HEARTH_CACHE/uml-6.1
archive=/usr/src/linux-source-6.1.tar.xz

[ -f $archive ] || die "$archive is missing; apt-get install linux-source-6.1"
mkdir -p "$HEARTH_CACHE"
exec 9>"$HEARTH_CACHE/uml.lock"
flock 9

wanted=$({ dpkg-query -W -f '${Version}\n' linux-source-6.1; cat "$config"; } | sha256sum)
if [ ! -x "$root/linux" ] || [ "$(cat "$root/made-of" 2>/dev/null)" != "$wanted" ]; then
	say "building User Mode Linux in $root; the log is $root/log"
	# The tree stays for another configuration of the same source.
	if [ ! -f "$root/build/Makefile" ] || [ $archive -nt "$root/build/Makefile.unpacked" ]; then
		rm -rf "$root"
		mkdir -p "$root/build"
		tar -C "$root/build" --strip-components=1 -xJf $archive
		touch "$root/build/Makefile.unpacked"
	fi
	rm -f "$root/linux"
	if ! {
		cd "$root/build"
		make ARCH=um defconfig
		scripts/kconfig/merge_config.sh -m .config "$config"
		make ARCH=um olddefconfig
		nice -n 5 make ARCH=um -j"$(nproc)" linux modules
		make ARCH=um INSTALL_MOD_PATH="$root" modules_install
		make ARCH=um -s kernelrelease >"$root/release"
		cp -f linux "$root/linux"
	} >"$root/log" 2>&1; then
		tail -n 20 "$root/log" >&2
		die "User Mode Linux does not build"
	fi
	echo "$wanted" >"$root/made-of"
fi
echo "$root"
