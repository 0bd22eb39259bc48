# SPDX-License-Identifier: GPL-2.0-or-later
#
# Guest test helpers: a tree with everything in it that EROFS can hold, and whether it came back.
# shellcheck shell=bash

# shellcheck disable=SC2034 # the tests use it
hearthcp=$HEARTH_BUILD/userspace/hearthcp

# make_tree DIRECTORY FILES: on an xfs of its own, which has what tmpfs has not.
make_tree() {
	local at=$1
	truncate -s 2G "$at.xfs"
	mkfs.xfs -q "$at.xfs"
	mkdir "$at"
	mount -o loop "$at.xfs" "$at"
	defer umount "$PWD/$at"
	mkdir -p "$at/many/deep/deeper" "$at/links" "$at/ empty"
	python3 - "$at" "$2" <<'END'
import os, random, socket, sys
top, number = sys.argv[1], int(sys.argv[2])
random.seed(1)
data = random.randbytes(100000)
for i in range(number):
    with open(f'{top}/many/{i * 7919 % number:x}', 'wb') as f:
        f.write(data[i % 999:i % 999 + (i * 31 + i // 9) % 9000])
for name in (b'!first', b'odd\n\t\xff\xfe', b'x' * 255, '\u00e9\u4e2d'.encode(), b'-rf', b'.hidden'):
    with open(os.fsencode(top) + b'/many/deep/' + name, 'wb') as f:
        f.write(name)
with open(f'{top}/large', 'wb') as f:
    for i in range(20):
        f.write(data)
with open(f'{top}/sparse', 'wb') as f:
    for i in range(40):
        f.seek(random.randrange(3 << 30))
        f.write(data[:random.randrange(1, 60000)])
    f.truncate((3 << 30) + 12345)
with open(f'{top}/only a hole', 'wb') as f:
    f.truncate(7 << 20)
with open(f'{top}/past 4G', 'wb') as f:
    f.truncate(5 << 30)
    f.seek((4 << 30) + 4096 * 3 + 5)
    f.write(data)
for i in range(300):
    os.link(f'{top}/large', f'{top}/links/{i}')
os.symlink('../large', f'{top}/links/symlink')
os.symlink('x/' * 500, f'{top}/links/long')
os.symlink('y' * 1023, f'{top}/links/longest')
os.mkfifo(f'{top}/links/fifo')
os.mknod(f'{top}/links/device', 0o060640, os.makedev(259, 70001))
os.mknod(f'{top}/links/zero', 0o020666, os.makedev(1, 5))
s = socket.socket(socket.AF_UNIX)
s.bind(f'{top}/links/socket')
os.setxattr(f'{top}/large', 'user.big', data[:60000])
os.setxattr(f'{top}/large', 'trusted.t', b'only root sees it')
os.setxattr(f'{top}/many/deep', 'user.empty', b'')
for i in range(number // 2):
    os.setxattr(f'{top}/many/{i:x}', 'user.same', b'everywhere the same')
for i in range(50):
    os.setxattr(f'{top}/many/{i:x}', 'user.own', f'{i}'.encode() * i)
os.chown(f'{top}/many/1', 4000000000, 3000000000)
os.chmod(f'{top}/many/1', 0o6755)
for i in range(0, number, 3):
    os.utime(f'{top}/many/{i:x}', ns=(0, i * 123456789012345))
os.utime(f'{top}/many/2', ns=(0, -3600 * 24 * 365 * 10**9 + 7))
END
	setfacl -m u:1234:rw-,g:4321:r-x "$at/many/3" "$at/links"
	setfacl -d -m u:1234:rwx "$at/many/deep/deeper"
	cp /bin/true "$at/capable"
	setcap cap_net_raw+ep "$at/capable"
	chmod 1777 "$at/many/deep"
	# Holes are where they will stay once nothing is left to be allocated.
	umount "$at"
	mount -o loop "$at.xfs" "$at"
}

# mount_image DEVICE-OR-FILE DIRECTORY
mount_image() {
	mkdir -p "$2"
	mount -t erofs -o ro "$1" "$2"
}

# same_as_tree TREE DIRECTORY: in everything that EROFS can hold. Of content only what is no hole is read.
same_as_tree() {
	rsync -ainHAX --numeric-ids --delete "$1/" "$2/" >differences
	[ ! -s differences ] || fail "these differ: $(head -n 20 differences)"
	python3 - "$1" "$2" <<'END'
import os, sys

def extents(path):
    found, at = [], 0
    fd = os.open(path, os.O_RDONLY)
    size = os.fstat(fd).st_size
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:
            break
        at = os.lseek(fd, start, os.SEEK_HOLE)
        found.append((start, at))
    os.close(fd)
    return found

def differs(one, other):
    with open(one, 'rb') as a, open(other, 'rb') as b:
        for start, end in extents(one):
            a.seek(start)
            b.seek(start)
            if a.read(end - start) != b.read(end - start):
                return True
            # The holes beside it.
            for edge in max(start - 8192, 0), end:
                a.seek(edge)
                b.seek(edge)
                if a.read(8192) != b.read(8192):
                    return True
    return False

source, copy = sys.argv[1:]
for top, dirs, files in os.walk(source):
    for name in dirs + files + ['.']:
        one = os.path.join(top, name)
        other = copy + one[len(source):]
        a, b = os.lstat(one), os.lstat(other)
        links = 0 if os.path.isdir(one) else a.st_nlink - b.st_nlink
        if links or (a.st_mode, a.st_uid, a.st_gid, a.st_mtime_ns) != (b.st_mode, b.st_uid, b.st_gid, b.st_mtime_ns):
            sys.exit(f'{other}: {b} is not {a}')
        if os.path.isfile(one) and not os.path.islink(one) and a.st_blocks * 512 < a.st_size:
            # Linux 6.1 does not say where EROFS has holes.
            if extents(other) not in (extents(one), [(0, a.st_size)]):
                sys.exit(f'{other}: holes are elsewhere: {extents(one)}, {extents(other)}')
        if os.path.isfile(one) and not os.path.islink(one) and differs(one, other):
            sys.exit(f'{other}: its content is another one')
END
}

# fill DEVICE: with what is nowhere in the tree.
fill() {
	head -c 16M /dev/zero | tr '\0' Z | dd of="$1" bs=1M iflag=fullblock status=none
	sync "$1"
}

# nothing_shows DEVICE: of that where holes are, or behind the ends of files.
nothing_shows() {
	python3 - "$1" <<'END'
import struct, sys
with open(sys.argv[1], 'rb') as f:
    blocks, = struct.unpack_from('<I', f.read(4096), 1024 + 36)
    f.seek(0)
    image = f.read(blocks * 4096)
at = image.find(b'Z' * 16)
if at >= 0:
    sys.exit(f'what was on {sys.argv[1]} shows at byte {at} of {len(image)}')
END
}

# whole DEVICE-OR-FILE: fsck.erofs has nothing to complain of.
whole() {
	fsck.erofs -d3 "$1" >fsck 2>&1 || true
	grep -q 'No errors found' fsck || fail "fsck.erofs: $(tail -n 3 fsck)"
}

# is_no_erofs DEVICE-OR-FILE: no kernel takes it for one.
is_no_erofs() {
	mkdir -p nothing
	! mount -t erofs -o ro "$1" nothing 2>/dev/null || fail "$1: half an image can be mounted"
}

# begin_publishing FILES: a tree with so many small files, and what it takes to publish it over RDMA and to mount it elsewhere.
begin_publishing() {
	modprobe -a loop erofs xfs
	start_mover
	make_rail
	make_tree tree "$1"
	# other tests do without
	[ -S /run/udev/control ] || defer udevadm control --exit
	start_udev
	start_net
}

# shown TREE: a new session's disk holds it.
shown() {
	login tcp
	whole "$(disk_of tcp)"
	mount_image "$(disk_of tcp)" there
	defer umount "$PWD/there"
	same_as_tree "$1" there
	undo_now umount "$PWD/there"
	undo_now logout tcp
}
