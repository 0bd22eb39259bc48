#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Build a kernel that finds mistakes from Debian's linux-source-6.1, once, into the cache; print where.
#
#   debug-kernel.sh debug | kcsan     as guest.config says, and debug.config or kcsan.config
#
# The printed directory has what that of kernel.sh has. Almost everything is
# built in, since a module that is loaded anew for each test would say less.
# Takes some ten minutes on two cores. Nothing but the cache changes.
set -euo pipefail

. "$(dirname "$0")/common.sh"

kind=$1
configs=("$HEARTH_TOP/tests/vm/guest.config" "$HEARTH_TOP/tests/vm/$kind.config")
make_options=()
# Of the kernel nothing is watched but what modules watch: the races that it has with itself are not ours to find.
[ "$kind" != kcsan ] || make_options+=(KCSAN_SANITIZE=n)
root=$HEARTH_CACHE/linux-$kind
archive=/usr/src/linux-source-6.1.tar.xz

[ -f $archive ] || die "$archive is missing; apt-get install linux-source-6.1"
mkdir -p "$HEARTH_CACHE"
exec 9>"$HEARTH_CACHE/$kind.lock"
flock 9

unpack() {
	rm -rf "$root"
	mkdir -p "$root/build"
	tar -C "$root/build" --strip-components=1 -xJf $archive
	# The filter by stack trace works on x86-64 since ORC can unwind from anywhere; 6.1 only does not offer it yet.
	sed -i '/^config FAULT_INJECTION_STACKTRACE_FILTER/,/help/{/depends on !X86_64/d}' "$root/build/lib/Kconfig.debug"
	touch "$root/build/Makefile.unpacked"
}

# What the configuration asks for and did not get, because something it depends on is missing.
refused() {
	grep -hE '^CONFIG_' "${configs[@]}" | grep -vxFf "$root/build/.config" || true
}

configure() {
	make allnoconfig
	scripts/kconfig/merge_config.sh -m .config "${configs[@]}"
	make olddefconfig
	if [ -n "$(refused)" ]; then
		echo "not to be had: $(refused)"
		return 1
	fi
}

build() {
	configure
	nice -n 5 make -j"$(nproc)" "${make_options[@]}" bzImage modules
	make INSTALL_MOD_PATH="$root" modules_install
	make -s kernelrelease >"$root/release"
	ln -sfn build/arch/x86/boot/bzImage "$root/vmlinuz"
	rm -f "$root/lib/modules/$(<"$root/release")"/{build,source}
	echo "$wanted" >"$root/made-of"
}

wanted=$({ dpkg-query -W -f '${Version}\n' linux-source-6.1; cat "${configs[@]}"; echo -n "${make_options[*]}"; } | sha256sum)
if [ "$(cat "$root/made-of" 2>/dev/null)" != "$wanted" ]; then
	say "building the $kind kernel in $root; the log is $root/log"
	# The tree stays for another configuration of the same source.
	if [ ! -f "$root/build/Makefile.unpacked" ] || [ $archive -nt "$root/build/Makefile.unpacked" ]; then
		unpack
	fi
	rm -f "$root/made-of"
	# in a condition, "set -e" would not stop it
	set +e
	(set -e; cd "$root/build"; build) >"$root/log" 2>&1
	set -e
	if [ ! -f "$root/made-of" ]; then
		tail -n 20 "$root/log" >&2
		die "the $kind kernel does not build"
	fi
fi
echo "$root"
