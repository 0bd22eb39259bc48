# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# A full disk: the file that does not fit is named, is not half there, and what fits is copied.
mkdir small src
mount -t tmpfs -o size=4m none small || skip "no tmpfs can be mounted here"
random_file src/big 20000000
echo fits > src/fits
expect 23 hcp -r src/ "$HOST:$PWD/small/"
grep -q "small/big: cannot be written: No space left on device" err || fail "unclear message: $(cat err)"
[ ! -e small/big ] || fail "half a file under its final name"
umount small
mount -t tmpfs -o size=4m none small
expect 23 hcp -r --json src/ "$HOST:$PWD/small/"
[ "$(summary errors)" = 1 ] || fail "$(summary errors) errors instead of 1"
no_leftovers small
# Many files of which only some fit: those that are there are whole.
umount small
mount -t tmpfs -o size=4m none small
rm src/*
for i in $(seq 40); do random_file "src/f$i" 200000; done
expect 23 hcp -r src/ "$HOST:$PWD/small/"
no_leftovers small
[ "$(find small -name 'f*' | wc -l)" -ge 10 ] || fail "hardly anything was copied: $(ls small)"
for f in small/f*; do cmp "$f" "src/${f#small/}"; done
