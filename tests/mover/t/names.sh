# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Names of any bytes, of any length, in directories of any depth.
mkdir src
python3 - <<'PY'
import os
names = [b"new\nline", b"\xff\xfe\x80", b"-rf", b" ", b"'\"$`\\", b"x" * 255, b"y" * 254, b".hidden", b"\x01\x1b[31m", "ü".encode()]
for n in names:
    open(b"src/" + n, "wb").write(n)
    os.mkdir(b"src/d" + n[:254])
    open(b"src/d" + n[:254] + b"/" + n, "wb").write(b"x" * 300000)
fd = os.open("src", os.O_RDONLY)
for i in range(60):
    os.mkdir(b"deep" * 50, dir_fd=fd)
    fd = os.open(b"deep" * 50, os.O_RDONLY, dir_fd=fd)
os.close(os.open(b"bottom", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
PY
count() { (cd "$1" && find . -printf '%y %s %f\0' | sort -z | md5sum); }
expect 0 hcp -a --block-size=16K src/ "$HOST:$PWD/dst"
[ "$(count src)" = "$(count dst)" ] || fail "the trees differ"
expect 0 hcp -a --json src/ dst
[ "$(summary bytes_moved)" = 0 ] || fail "moved $(summary bytes_moved) bytes again"
# A name is printed so that it cannot play with the terminal.
chmod 755 src
mkdir bad
mkdir "bad/$(printf 'a\033[31m\nb')"
expect 0 hcp bad/ bad2
expect 0 hcp "bad/$(printf 'a\033[31m\nb')" bad2
grep -q 'a\\033\[31m\\012b: is a directory; left out without -r' err || fail "printed raw: $(cat err)"
