# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What is installed starts from where it is, and the unit names it; uninstalling leaves nothing.
src=$(cd "$HEARTH_TESTS/../../userspace" && pwd)
make -s -C "$src" install DESTDIR="$PWD/root" PREFIX=/opt/h OUT="$BUILD" SAN=1 > log 2>&1 || fail "$(cat log)"
unit=root/opt/h/lib/systemd/system/hearthd.service
program=$(sed -n 's/^ExecStart=\([^ ]*\) .*/\1/p' $unit)
[ -x "root$program" ] || fail "the unit starts $program"
"root$program" --version | grep -q "^hearthd 0"
root/opt/h/bin/hearthcp --version | grep -q "^hearthcp 0"
if command -v systemd-analyze > /dev/null; then
	sed "s,=/opt,=$PWD/root/opt,; /^Documentation/d" $unit > hearthd.service
	systemd-analyze verify ./hearthd.service > log 2>&1 || fail "$(cat log)"
fi
# A program is built with what pkg-config says, and finds the library.
pc() {
	PKG_CONFIG_PATH="$PWD/root/opt/h/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$PWD/root" pkg-config "$@" libhearth
}
[ "$(pc --modversion)" = "$(root/opt/h/bin/hearthd --version | sed 's/^hearthd //; s/,.*//')" ] || fail "version $(pc --modversion)"
# shellcheck disable=SC2046 # words, all of them
cc -fsanitize=address,undefined -o uses root/opt/h/share/doc/libhearth/examples/hearth-blocks.c $(pc --cflags --libs)
expect 1 env LD_LIBRARY_PATH="$PWD/root/opt/h/lib" ./uses get nowhere 0
grep -q 'give hearth://' err || fail "$(cat err)"
make -s -C "$src" uninstall DESTDIR="$PWD/root" PREFIX=/opt/h OUT="$BUILD" SAN=1
[ -z "$(find root ! -type d)" ] || fail "left: $(find root ! -type d)"
