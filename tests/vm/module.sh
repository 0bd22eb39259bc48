#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Build the kernel module for one kernel, apart from the sources and from other kernels' objects.
#
#   module.sh 6.1 | 6.12 | debug | kcsan | uml | running [make-argument...]
#
# The result is build/<release>/target_core_hearth.ko. The sources are linked
# there, one by one, so that objects come to lie beside the links. They are this
# tree's, or those of $HEARTH_SOURCE.
set -euo pipefail

. "$(dirname "$0")/common.sh"

kernel=$1
shift
if [ "$kernel" = running ]; then
	release=$(uname -r)
	tree=/lib/modules/$release/build
	[ -e "$tree/Makefile" ] ||
		die "no headers of the running kernel $release; install linux-headers-$release, or choose KERNEL=6.1 or 6.12"
elif [ "$kernel" = uml ]; then
	root=$("$HEARTH_TOP/tests/uml/kernel.sh")
	release=$(cat "$root/release")
	tree=$root/build
	set -- ARCH=um "$@"
else
	root=$("$HEARTH_TOP/tests/vm/kernel.sh" "$kernel")
	release=$(cat "$root/release")
	tree=$root/build
	# on the debug kernel, undefined behaviour in our code only is looked for
	[ "$kernel" != debug ] || set -- UBSAN_SANITIZE=y "$@"
fi

source=${HEARTH_SOURCE:-$HEARTH_TOP}
[ -f "$source/Kbuild" ] || die "no Kbuild in $source"
built=$HEARTH_BUILD/$release
mkdir -p "$built"
# A source that went away must not be found any more.
find "$built" -xtype l -not -path "$built/root/*" -delete
for part in Kbuild kmod include; do
	[ ! -e "$source/$part" ] || cp -asf "$source/$part" "$built/"
done

# Some headers ask for type information (BTF), which takes a program that they do not bring.
exec make -C "$tree" M="$built" W=1 -j"$(nproc)" CONFIG_DEBUG_INFO_BTF_MODULES= "$@" modules
