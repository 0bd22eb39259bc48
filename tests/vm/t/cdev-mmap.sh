#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A LUN's mapping is the memory that initiators are served from, for as long as anybody has it: whatever happens to the cache, to the
# process, or to the LUN.
# topology: 2n
# limit: 300
# allow-log: Capacity data has changed|detected capacity change

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

make_dm d0 "0 $((64 * 2048)) linear /dev/vdb 0"
dd if=/dev/urandom of=/dev/vdb bs=1M count=64 oflag=direct status=none
make_lun vol0 dev=/dev/mapper/d0,cache=16M
attach_lun hearth_0/vol0
sys=/sys/class/hearth/vol0
wait_for 10 test -c /dev/hearth/vol0

PYTHONPATH=$HEARTH_TESTS python3 - "$disk" <<'END' || fail 'see above'
import ctypes, errno, mmap, signal, subprocess, sys, time
from hearthdev import *

RW, MIB = mmap.PROT_READ | mmap.PROT_WRITE, 1 << 20
lun, disk = Lun('vol0'), Disk(sys.argv[1])

def view(length, offset, prot=RW, flags=mmap.MAP_SHARED, of=lun):
    return mmap.mmap(of.fd, length, flags, prot, offset=offset)

def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, lun.info()
        time.sleep(0.1)

def do(command):
    assert os.system(command) == 0, command

# what is there, what a process stores, what an initiator and the node write
one = view(MIB, 8 * MIB)
assert one[:] == disk.read(MIB, 8 * MIB)
one[4096:8192] = b'p' * 4096
one[777] = 42
assert disk.read(4096, 8 * MIB + 4096) == b'p' * 4096 and disk.read(4096, 8 * MIB)[777] == 42
disk.write(b'i' * 65536, 8 * MIB + 512)
assert one[512:512 + 65536] == b'i' * 65536
lun.write(b'n' * 512, 8 * MIB + 1024)
assert one[512:2048] == b'i' * 512 + b'n' * 512 + b'i' * 512
lun.act(ZERO, 8 * MIB + 32768, 8192)
assert one[32768:40960] == bytes(8192)
lun.act(PUNCH, 8 * MIB + 65536, 512)
assert one[65536:66048] == bytes(512)
assert lun.info()['mapped_bytes'] == MIB and lun.info()['dirty_bytes'] == MIB, lun.info()
os.fsync(lun.fd)
with open('/dev/vdb', 'rb') as device:
    os.posix_fadvise(device.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    device.seek(8 * MIB)
    assert device.read(MIB) == one[:]

# what happens to the cache: others need it, it is emptied, paused, made smaller
before = one[:]
do('echo 1 >/sys/class/hearth/vol0/drop')
do(f'dd if={sys.argv[1]} of=/dev/null bs=1M iflag=direct status=none')
do('echo 12M >/sys/kernel/config/target/core/hearth_0/vol0/attrib/cache')
do('echo 1 >/sys/class/hearth/vol0/paused')
assert one[:] == before == disk.read(MIB, 8 * MIB)
disk.write(b'q' * 8192, 8 * MIB + 4096)
assert one[4096:12288] == b'q' * 8192
one[4096] = 7
assert disk.read(4096, 8 * MIB + 4096)[0] == 7
do('echo 0 >/sys/class/hearth/vol0/paused')
do('echo 16M >/sys/kernel/config/target/core/hearth_0/vol0/attrib/cache')
assert lun.act(DROP) == 64 * MIB and one[4096] == 7

# another process has the same memory
child = os.fork()
if not child:
    os._exit(view(4096, 8 * MIB + 4096, of=Lun('vol0'))[0] != 7)
assert os.waitpid(child, 0)[1] == 0

# mappings that cannot be
reader = Lun('vol0', os.O_RDONLY)
for bad in (4096, 64 * MIB), (65 * MIB, 0), (8192, 64 * MIB - 4096), (4096, 1 << 40):
    refused(errno.EINVAL, view, *bad)
refused(errno.EINVAL, view, 4096, 0, RW, mmap.MAP_PRIVATE)
refused(errno.EACCES, view, 4096, 0, RW, mmap.MAP_SHARED, reader)
still = view(4096, 0, mmap.PROT_READ)
assert still[:] == disk.read(4096, 0)
libc = ctypes.CDLL(None, use_errno=True)
maps = [line.split() for line in open('/proc/self/maps') if line.rstrip().endswith('/dev/hearth/vol0')]
start = int(next(line[0] for line in maps if line[1] == 'r--s').split('-')[0], 16)
assert libc.mprotect(ctypes.c_void_p(start), 4096, 3) == -1 and ctypes.get_errno() == errno.EACCES

# a device that wants what is being written to stay as it is
number = os.popen('dmsetup info -c --noheadings -o major,minor --separator : d0').read().strip()
do(f'echo 1 >/sys/dev/block/{number}/queue/stable_writes')
refused(errno.EOPNOTSUPP, view, 4096, 0)
view(4096, 0, mmap.PROT_READ).close()
do(f'echo 0 >/sys/dev/block/{number}/queue/stable_writes')
view(4096, 0).close()

# what was mapped and stored into, as much as may be, makes room at once for what is mapped next
limit = lun.info()['mapped_max_bytes']
part = limit - (limit >> 2) & -MIB
child = os.fork()
if not child:
    for turn in range(12):
        piece = view(part, turn % 4 * (16 * MIB))
        for at in range(0, part, 4096):
            piece[at] = 65 + turn
        piece.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
for turn in range(8, 12):
    assert disk.read(8192, turn % 4 * (16 * MIB) + part - 8192)[::4096] == bytes([65 + turn]) * 2
until(lambda: lun.info()['mapped_bytes'] == MIB + 4096)

# a process that has more than there may be is killed; so is its mapping, and nobody else's
child = os.fork()
if not child:
    large = view(64 * MIB, 0, mmap.PROT_READ)
    for at in range(0, 64 * MIB, 4096):
        large[at]
    os._exit(0)
assert os.waitpid(child, 0)[1] & 127 == signal.SIGBUS
assert 4 * MIB < limit < 8 * MIB and lun.info()['mapped_bytes'] <= limit, lun.info()
until(lambda: lun.info()['mapped_bytes'] == MIB + 4096)
still.close()

# it goes, and is written back once more
one[0:4] = b'last'
one.close()
until(lambda: lun.info()['mapped_bytes'] == 0)
until(lambda: lun.info()['dirty_bytes'] == 0)
assert disk.read(512, 8 * MIB)[:4] == b'last'

# the LUN becomes smaller than what is mapped
child = os.fork()
if not child:
    end = view(MIB, 63 * MIB, mmap.PROT_READ)
    end[0]
    do("dmsetup reload d0 --table '0 65536 linear /dev/vdb 0' && dmsetup resume d0 && echo 1 >/sys/class/hearth/vol0/rescan")
    end[0]
    os._exit(0)
assert os.waitpid(child, 0)[1] & 127 == signal.SIGBUS
assert lun.info()['size_bytes'] == 32 * MIB
refused(errno.EINVAL, view, 4096, 63 * MIB)

# revoked
child = os.fork()
if not child:
    own = Lun('vol0')
    mine = view(MIB, 0, of=own)
    mine[0] = 1
    do('echo 1 >/sys/class/hearth/vol0/revoke')
    mine[0]
    os._exit(0)
assert os.waitpid(child, 0)[1] & 127 == signal.SIGBUS
END

# killed while it stores
delete() {
	rmdir $core/hearth_0/vol0
}
PYTHONPATH=$HEARTH_TESTS python3 -c "
import mmap
from hearthdev import *
memory = mmap.mmap(Lun('vol0').fd, 1 << 20, mmap.MAP_SHARED, offset=16 << 20)
memory[:] = b'k' * (1 << 20)
print('mapped', flush=True)
while True:
    memory[5] = memory[5]
" >said &
victim=$!
wait_for 30 grep -q mapped said
undo_now detach_lun
expect_fail 'busy' delete
expect_fail 'in use' modprobe -r target_core_hearth
expect_fail 'mapped or registered; revoke it first' act vol0 discard_dirty
kill -KILL $victim
wait $victim 2>/dev/null || true
gone() {
	echo 1 >$sys/flush && delete 2>/dev/null
}
wait_for 30 gone || fail 'the LUN cannot be deleted after a process with a mapping was killed'
equal 'what it had stored' "$(dd if=/dev/vdb bs=1M skip=16 count=1 iflag=direct status=none | tr -d k | wc -c)" 0
mkdir $core/hearth_0/vol0

# coherent while it is mapped, in every mode
echo -n dev=/dev/mapper/d0,cache=4M,mode=writeback >$core/hearth_0/vol0/control
echo -n 1 >$core/hearth_0/vol0/enable
attach_lun hearth_0/vol0
wait_for 10 test -c /dev/hearth/vol0
for mode in writeback writethrough writearound; do
	echo $mode >$core/hearth_0/vol0/attrib/mode
	said=$(PYTHONPATH=$HEARTH_TESTS python3 "$HEARTH_TESTS/coherence.py" "$disk" vol0 4 mapped 2>&1) || fail "$mode: $said"
	echo "$mode: $said"
done
undo_now detach_lun
