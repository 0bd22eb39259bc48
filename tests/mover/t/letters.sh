# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Every long option does what its letter does, which is something, and --no-... takes it back.
umask 022
mkdir -p src/dir
printf 'content' > src/file
truncate -s 2000000 src/zeros
head -c 2000000 /dev/zero > src/plain
chmod 666 src/file
ln src/file src/dir/second
ln -s file src/symlink
mkfifo src/fifo
[ "$(id -u)" != 0 ] || chown 12:34 src/file
setfattr -n user.colour -v red src/file 2> /dev/null || skip "no extended attributes here"
setfacl -m u:77:r src/plain 2> /dev/null || skip "no ACLs here"
if mkdir src/mounted && mount -t tmpfs none src/mounted 2> /dev/null; then
	echo inside > src/mounted/inside
fi
find src -exec touch -h -d 2001-02-03 {} +
# What a copy made of it, and of what was there before, and what it said; temporary names aside.
outcome() {
	rm -rf dst
	mkdir dst
	cp -a src/file dst/
	printf 'CONTENT' > dst/file
	touch -d 2001-02-03 dst/file
	expect 0 "$HEARTHCP" "$@" src/ dst
	cat out err
	find dst -printf '%P %y %m %U %G %TY %n %l' \( -name zeros -o -name plain \) -printf ' %b' -o -printf '\n'
	getfattr -R -d -m - dst
	cat dst/file
}
# Both forms come to the same, and to something else than without them.
last=
same() {
	base=$1 short=$2
	shift 2
	[ "$base" = "$last" ] || outcome "$base" > without
	last=$base
	outcome "$base" "$short" > by-letter
	outcome "$base" "$@" > by-name
	cmp -s by-letter by-name || fail "$short is not $*: $(diff by-letter by-name)"
	! cmp -s without by-name || fail "$* does nothing"
}
same -r -l --links
same -r -p --perms
same -r -t --times
same -r -n --dry-run
same -r -v --verbose
same -r -i --itemize-changes
same -r -H --hard-links
same -r -X --xattrs
same -r -S --sparse
same -r -L --copy-links
same -r -R --relative
[ ! -e src/mounted/inside ] || same -r -x --one-file-system
same -rt -I --ignore-times
same -rt -c --checksum
same -rp -A --acls
same -rlpt -a --archive
outcome -r > by-letter
outcome --recursive > by-name
cmp by-letter by-name
if [ "$(id -u)" = 0 ]; then
	same -rI -o --owner
	same -rI -g --group
fi
# And back.
outcome -a > with
back() {
	outcome "-$1" > without
	outcome -a "$2" > by-name
	cmp -s without by-name || fail "$2 is not -a without it: $(diff without by-name)"
	! cmp -s with by-name || fail "$2 does nothing"
}
back rptgoD --no-links
back rltgoD --no-perms
back rlpgoD --no-times
back rlptgo --no-D
if [ "$(id -u)" = 0 ]; then
	back rlptgD --no-owner
	back rlptoD --no-group
fi
