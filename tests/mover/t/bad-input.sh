# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What bad input gets: a message that names the file, everything else copied, the documented status, and nothing
# half-written under its final name.
says() {
	grep -q -- "$1" err || fail "\"$1\" is not in: $(cat err)"
}
# A source that is not there, is a loop, is a FIFO, or whose name is longer than the system's paths.
echo good > good
ln -s loop loop
ln -s one two
ln -s two one
mkfifo fifo
long=$(printf '%4097s' '' | tr ' ' y)
mkdir -p dst
for to in dst "$HOST:$PWD/dst"; do
	rm -f dst/*
	expect 23 ncp -r missing loop/ two/x fifo "$long" good "$to"
	says "missing: no such file"
	says "loop/: Too many levels of symbolic links\|loop/: .*[Tt]oo many"
	says "two/x: .*[Tt]oo many levels"
	says "fifo: is no regular file; left out without -D"
	says "yyy: .*[Ff]ile name too long"
	[ "$(ls dst)" = good ] || fail "there is: $(ls dst)"
done
# A path of 4,096 bytes, which no call takes as a whole; one byte less is a path like any other.
python3 - << 'PY'
import os
os.mkdir("deep")
os.chdir("deep")
while len(os.getcwd()) < 3800:
    os.mkdir("d" * 190)
    os.chdir("d" * 190)
left = 4095 - len(os.getcwd()) - 1
os.mkdir("e" * (left - 10))
os.chdir("e" * (left - 10))
for name in ("f" * 9, "g" * 10, "h" * 114):
    with open(name, "w") as f:
        f.write(name)
PY
expect 0 ncp -a deep/ "$HOST:$PWD/copy"
[ "$(find deep -type f | wc -l)" = 3 ] || fail "the test made $(find deep -type f | wc -l) files"
[ "$(cd deep && find . -type f -printf '%P %s\n' | sort | md5sum)" = "$(cd copy && find . -type f -printf '%P %s\n' | sort | md5sum)" ] ||
	fail "paths of 4,096 bytes were not copied"
# Symlinks that lead in circles are copied as what they are.
mkdir circles
ln -s . circles/here
ln -s ../circles circles/up
expect 0 ncp -a circles "$HOST:$PWD/dst/"
[ "$(readlink dst/circles/up)" = ../circles ] || fail "not copied"
# Clocks that are off: times are what they are, and a second run has nothing to do.
mkdir clocks
for when in '1901-12-14' '1969-12-31 23:59:59.999999999' '2038-01-20' '2106-02-08' '2400-01-01'; do
	echo "$when" > "clocks/$when"
	touch -d "$when" "clocks/$when"
done
expect 0 ncp -a clocks/ "$HOST:$PWD/clocks2"
same_tree clocks clocks2
expect 0 ncp -ai clocks/ "$HOST:$PWD/clocks2"
[ ! -s out ] || fail "copied again: $(cat out)"
touch -d '2500-01-01' clocks2/*
expect 0 ncp -a clocks/ "$HOST:$PWD/clocks2"
same_tree clocks clocks2
# Many names in one directory.
mkdir many
python3 -c 'import os
for i in range(20000):
    os.close(os.open("many/%05d" % i, os.O_CREAT | os.O_WRONLY))'
expect 0 ncp -a --json many/ "$HOST:$PWD/many2"
[ "$(summary files_total)" = 20000 ] || fail "$(summary files_total) files"
[ "$(find many2 -type f | wc -l)" = 20000 ] || fail "only $(find many2 -type f | wc -l) there"
# A disk that cannot be read in the middle of a file: the rest of a loop device's file is cut off under it.
[ "$(id -u)" = 0 ] || skip "only root mounts, and becomes somebody else"
mkdir content disk
echo before > content/a
random_file content/big 8000000
truncate -s 20M image
if mkfs.ext4 -q -b 4096 -d content image 2> /dev/null && middle=$(debugfs -R 'bmap /big 1000' image 2> /dev/null) &&
	mount -o loop,ro,noload image disk 2> /dev/null; then
	truncate -s $((middle * 4096)) image
	for way in "disk/ $HOST:$PWD/saved" "$HOST:$PWD/disk/ saved2" "disk/ saved3"; do
		# shellcheck disable=SC2086
		expect 23 ncp -a --exclude=lost+found --block-size=64K $way
		says "disk/big: cannot be read: Input/output error"
		says "1 errors, 0 files vanished; everything else was copied"
		to=${way##* }
		to=${to#*:}
		{ cmp content/a "$to/a" && [ "$(ls -A "$to")" = a ]; } || fail "there is: $(ls -A "$to")"
	done
	umount disk
else
	echo "no loop devices here: reading from a bad disk was not tried"
fi
# Without the right to read or to write.
mkdir secret open closed
chmod 755 .
for f in secret/none secret/some open/x; do echo "$f" > "$f"; done
chmod 600 secret/none
chmod 755 secret
mkdir secret/dir
chmod 700 secret/dir
chmod 777 open
cp "$HEARTHCP" "$HEARTHD" .
nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups env TMPDIR="$PWD" "$@"
}
chmod 711 "$SCRATCH" "$PWD"
nobody ./hearthcp --version > /dev/null 2>&1 || skip "nobody cannot start the program here"
expect 23 nobody ./hearthcp -a secret/ open/copy
says "secret/none: cannot be read: Permission denied"
says "secret/dir: cannot be opened: Permission denied"
{ [ "$(cat open/copy/some)" = secret/some ] && [ ! -e open/copy/none ]; } || fail "there is: $(ls open/copy)"
expect 4 nobody ./hearthcp -a secret/some closed/new/
says "closed/new/: cannot be used as destination: Permission denied"
expect 23 nobody ./hearthcp -a secret/some closed/
says "closed/some: cannot be written: Permission denied"
[ -z "$(ls -A closed)" ] || fail "something was made"
