#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Put a stock Debian kernel and its build tree into the cache, and print where.
#
#   kernel.sh 6.1 | 6.12 [--trees]
#   kernel.sh debug | kcsan  builds one that finds mistakes, see debug-kernel.sh
#
# The packages are unpacked, never installed: nothing but the cache changes.
# 6.12 comes from the backports suite of the archive that apt already uses; the
# source entry for it lives in the cache, not in /etc/apt. With --trees, a few
# more header packages of the same kernel are unpacked beside it, as a large
# tree of real files for whoever needs one.
#
# The printed directory holds:
#   release                  the kernel's release string
#   vmlinuz                  its image
#   lib/modules/<release>    its modules, with depmod's indexes
#   build                    its build tree, for make -C
set -euo pipefail

. "$(dirname "$0")/common.sh"

version=${1:-6.1}
trees=${2:-}
root=$HEARTH_CACHE/linux-$version

# The backports suite of every Debian archive that apt knows, as a private
# apt configuration: its sources, lists and state all lie in the cache.
use_backports() {
	local apt=$HEARTH_CACHE/backports codename keyring uri
	codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	mkdir -p "$apt/sources" "$apt/lists/partial" "$apt/cache/archives/partial"

	# shellcheck disable=SC2016 # apt's variables, not the shell's
	apt-get indextargets --format '$(ORIGIN)|$(RELEASE)|$(REPO_URI)' \
		'Identifier: Packages' |
	sed -n "s/^Debian|$codename|//p" | sort -u |
	while read -r uri; do
		printf 'Types: deb\nURIs: %s\nSuites: %s-backports\nComponents: main\n' \
			"$uri" "$codename"
		[ ! -f $keyring ] || printf 'Signed-By: %s\n' $keyring
		echo
	done >"$apt/sources/backports.sources"
	[ -s "$apt/sources/backports.sources" ] ||
		die "kernel $version: apt lists no Debian $codename archive; run apt-get update, or add one"

	apt_options+=(-o Dir::Etc::SourceList=/dev/null
		-o Dir::Etc::SourceParts="$apt/sources"
		-o Dir::State::Lists="$apt/lists"
		-o Dir::Cache="$apt/cache")
	say "reading the package list of $codename-backports"
	apt-get "${apt_options[@]}" -qq update
}

# The packages that a metapackage stands for, by its first dependency.
depends_on() {
	apt-cache "${apt_options[@]}" depends --important "$1" |
	sed -n 's/^ *Depends: //p' | grep "$2" | head -n 1
}

unpack() {
	local into=$1 package
	shift
	for package; do
		say "downloading $package"
		(cd "$work/deb" && apt-get "${apt_options[@]}" -qq download "$package")
		dpkg -x "$work/deb"/*.deb "$into"
		rm "$work/deb"/*.deb
	done
}

fetch_kernel() {
	local image release common kbuild
	image=$(depends_on linux-image-amd64 '^linux-image-[0-9]')
	[ -n "$image" ] || die "kernel $version: apt knows no linux-image-amd64; run apt-get update"
	release=${image#linux-image-}
	[ "${release#"$version".}" != "$release" ] ||
		die "kernel $version: the archive has $release; this needs Debian 12 (bookworm)"
	common=$(depends_on "linux-headers-$release" '^linux-headers-.*-common')
	kbuild=$(depends_on "linux-headers-$release" '^linux-kbuild-')

	unpack "$work/root" "$image" "linux-headers-$release" "$common" "$kbuild"

	cd "$work/root"
	# The headers package names its other half by absolute path.
	sed -i "s|/usr/src/|$root/usr/src/|" "usr/src/linux-headers-$release/Makefile"
	ln -sfn "usr/src/linux-headers-$release" build
	ln -sfn "boot/vmlinuz-$release" vmlinuz
	rm -f "lib/modules/$release"/{build,source}
	depmod -b . "$release"
	echo "$release" >release
	cd - >/dev/null
	rm -rf "$root"
	mv "$work/root" "$root"
}

fetch_trees() {
	local release
	release=$(cat "$root/release")
	unpack "$work/trees" "linux-headers-${release%-amd64}-common-rt"
	mv "$work/trees" "$root/trees"
}

case $version in
6.1|6.12) ;;
debug|kcsan) exec "$HEARTH_TOP/tests/vm/debug-kernel.sh" "$version" ;;
*) die "KERNEL=$version: not a kernel of this harness; give 6.1, 6.12, debug or kcsan" ;;
esac

apt_options=()
mkdir -p "$HEARTH_CACHE"
exec 9>"$HEARTH_CACHE/lock"
flock 9

if [ ! -f "$root/release" ] || { [ "$trees" = --trees ] && [ ! -d "$root/trees" ]; }; then
	work=$(mktemp -d "$HEARTH_CACHE/.unpack.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	mkdir -p "$work/deb" "$work/root" "$work/trees"
	[ "$(id -u)" -ne 0 ] || apt_options+=(-o APT::Sandbox::User=root)
	[ "$version" != 6.12 ] || use_backports
	[ -f "$root/release" ] || fetch_kernel
	[ "$trees" != --trees ] || fetch_trees
fi
echo "$root"
