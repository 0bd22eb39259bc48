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
make -s -C "$src" uninstall DESTDIR="$PWD/root" PREFIX=/opt/h OUT="$BUILD" SAN=1
[ -z "$(find root -type f)" ] || fail "left: $(find root -type f)"
