# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# A directory in a file's way and the other way round; unreadable files; FIFOs and links without their options.
mkdir -p src/dir dst/file/full
echo f > src/file
echo d > src/dir/x
echo in the way > dst/dir
echo ok > src/ok
ln -s ok src/link
mkfifo src/fifo
expect 23 hcp -r src/ dst
{
	grep -q "dst/file: a directory of that name is in its way; remove it" err &&
		grep -q "dst/dir: something else of that name is in the way of a directory; remove it" err &&
		grep -q "src/link: is a symlink; left out without -l" err &&
		grep -q "src/fifo: is no regular file; left out without -D" err
} || fail "unclear: $(cat err)"
{ [ "$(cat dst/ok)" = ok ] && [ "$(cat dst/dir)" = "in the way" ]; } || fail "the rest was not copied"
[ ! -e dst/link ] && [ ! -e dst/fifo ]
