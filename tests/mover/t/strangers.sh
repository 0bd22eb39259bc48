# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Garbage, silence and wrong keys at the data port neither get in nor disturb the job.
cp "$TOOLS/stranger" stranger
expect 0 ./stranger "$HEARTHD" "$PWD/copy"
cmp stranger copy
# Garbage on the control channel ends hearthd, with a status that says so.
for bytes in 0 1 4 5 100 100000; do
	head -c $bytes /dev/urandom > garbage
	status=0
	"$HEARTHD" --server < garbage > /dev/null 2> err || status=$?
	[ $status = 2 ] || fail "exit status $status: $(cat err)"
done
