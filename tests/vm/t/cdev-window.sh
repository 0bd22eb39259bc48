#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Windows of a LUN's node: prepared pages are nobody's business until they are committed, whole or in part, and are given back whatever
# becomes of process, file, LUN or device; each mistake has the errno that uapi/hearth.h names.
# topology: 2n
# limit: 300
# allow-log: I/O error|Buffer I/O|hearth: vol0|lost async page write|Capacity data has changed|detected capacity change

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

dd if=/dev/urandom of=/dev/vdb bs=1M count=64 oflag=direct status=none
make_dm d0 "0 $((64 * 2048)) linear /dev/vdb 0"
make_lun vol0 dev=/dev/mapper/d0,cache=16M,home=stripe
attach_lun hearth_0/vol0
wait_for 10 test -c /dev/hearth/vol0

PYTHONPATH=$HEARTH_TESTS python3 - "$disk" <<'END_OF_PYTHON' || fail 'see above'
import errno, signal, sys, time
from hearthdev import *

MIB, SYS = 1 << 20, '/sys/class/hearth/vol0/'
lun, other, disk = Lun('vol0'), Lun('vol0'), Disk(sys.argv[1])
attrib = '/sys/kernel/config/target/core/hearth_0/vol0/attrib/'

def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, lun.info()
        time.sleep(0.1)

def put(path, text):
    with open(path, 'w') as file:
        file.write(text)

def device_has(length, offset):
    with open('/dev/vdb', 'rb') as device:
        os.posix_fadvise(device.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        device.seek(offset)
        return device.read(length)

def counters(what):
    return sum(int(open(f'{SYS}node{n}/{what}').read()) for n in (0, 1))

def new(length, offset, of=lun):
    assert of.act(PREPARE, offset, length, OVERWRITE) == length

# in every mode: nothing is read, nobody sees it before, everybody does afterwards, and no byte is copied
for mode in 'writethrough', 'writeback', 'writearound':
    put(attrib + 'mode', mode)
    for unmap in True, False:
        for over in False, True:
            at = 8 * MIB
            lun.act(DROP)
            before = disk.read(MIB, at) if over else device_has(MIB, at)
            misses = counters('misses')
            new(MIB, at)
            assert lun.info()['mapped_bytes'] >= MIB
            window = lun.map(MIB, at)
            data = os.urandom(MIB)
            window[:] = data
            assert counters('misses') == misses
            assert disk.read(MIB, at) == other.read(MIB, at) == before, mode
            assert window[:] == data
            seen = other.map(4096, at + 8192) if over else None
            assert not over or seen[:] == before[8192:12288]
            if over:
                seen.close()
                until(lambda: lun.info()['mapped_bytes'] == MIB)
            if unmap:
                window.close()
            copied = counters('local_bytes') + counters('remote_bytes')
            assert lun.act(COMMIT, at, MIB) == MIB
            assert counters('local_bytes') + counters('remote_bytes') == copied, mode
            if mode != 'writeback':
                assert device_has(MIB, at) == data, mode
            assert lun.read(MIB, at) == data, mode
            assert disk.read(MIB, at) == data, mode
            if not unmap:
                # it is the LUN's own by now
                assert window[:] == data
                disk.write(b'i' * 8192, at + 4096)
                assert window[4096:12288] == b'i' * 8192
                window[0:4] = b'mine'
                assert disk.read(512, at)[:4] == b'mine'
                window.close()
            until(lambda: lun.info()['mapped_bytes'] == 0)
            os.fsync(lun.fd)
            assert device_has(MIB, at) == disk.read(MIB, at), mode
            until(lambda: lun.info()['dirty_bytes'] == 0)

# any part, in any order; what is left is abandoned, and shows what the LUN has
put(attrib + 'mode', 'writeback')
was = disk.read(MIB, 4 * MIB)
new(MIB, 4 * MIB)
window = lun.map(MIB, 4 * MIB)
window[:] = data
order = [3, 0, 7]
for i in order:
    assert lun.act(COMMIT, 4 * MIB + i * 65536, 65536, DURABLE) == 65536
    assert device_has(65536, 4 * MIB + i * 65536) == data[i * 65536:(i + 1) * 65536]
refused(errno.ENXIO, lun.act, COMMIT, 4 * MIB + 65536, 196608)
refused(errno.ENXIO, lun.act, COMMIT, 4 * MIB, 65536)
assert disk.read(65536, 4 * MIB + 65536) == was[65536:131072]
assert lun.act(ABANDON, 4 * MIB, MIB) == MIB
now = b''.join((data if i in order else was)[i * 65536:(i + 1) * 65536] for i in range(16))
assert window[:] == now == disk.read(MIB, 4 * MIB)
refused(errno.ENXIO, lun.act, ABANDON, 4 * MIB, MIB)
window.close()
until(lambda: lun.info()['mapped_bytes'] == 0)

# what another file has mapped is the same memory before and afterwards
seen = other.map(MIB, 4 * MIB)
assert seen[:] == now
new(MIB, 4 * MIB)
window = lun.map(MIB, 4 * MIB)
window[:] = bytes(reversed(data))
assert seen[:] == now
lun.act(COMMIT, 4 * MIB, MIB)
assert seen[:] == window[:] == bytes(reversed(data)) == disk.read(MIB, 4 * MIB)
seen[5] = 77
assert window[5] == 77
window.close()
seen.close()
until(lambda: lun.info()['mapped_bytes'] == 0)

# where it lies: with home=touch where the caller runs, but for frames that are there
frames = lambda n: int(open(f'{SYS}node{n}/frames').read())
lun.act(DROP)
put(attrib + 'home', 'touch')
for node, cpu in (0, 0), (1, 2):
    os.sched_setaffinity(0, {cpu})
    before = frames(node)
    new(MIB, 40 * MIB)
    assert frames(node) == before + 256
    lun.act(ABANDON, 40 * MIB, MIB)
os.sched_setaffinity(0, {0, 1, 2, 3})
put(attrib + 'home', 'stripe')
before = frames(0), frames(1)
new(2 * MIB, 40 * MIB)
assert frames(0) > before[0] and frames(1) > before[1]
lun.act(ABANDON, 40 * MIB, 2 * MIB)

# a window of what is there: read once, and there when it is mapped, whatever the cache does
lun.act(DROP)
assert lun.act(PREPARE, 20 * MIB, 2 * MIB) == 2 * MIB
misses = counters('misses')
assert lun.info()['mapped_bytes'] == 2 * MIB
put(SYS + 'drop', '1')
put(SYS + 'flush', '1')
assert lun.info()['mapped_bytes'] == 2 * MIB
assert other.act(PREPARE, 21 * MIB, 65536) == 65536 and lun.act(PREPARE, 20 * MIB, 2 * MIB) == 2 * MIB
reads = int(open('/sys/block/vdb/stat').read().split()[0])
window = lun.map(2 * MIB, 20 * MIB)
total = window[:]
assert int(open('/sys/block/vdb/stat').read().split()[0]) == reads
assert total == disk.read(MIB, 20 * MIB) + disk.read(MIB, 21 * MIB)
window.close()
other.act(ABANDON, 21 * MIB, 65536)
until(lambda: lun.info()['mapped_bytes'] == 0)

# mistakes
size = lun.info()['size_bytes']
for what in PREPARE, COMMIT, ABANDON:
    for bad in (512, 4096), (0, 512), (0, 4608), (size, 4096), (size - 4096, 8192), (0, 4096, 2), (0, 4096, 0, 1), (4096, 2**64 - 4096):
        refused(errno.EINVAL, lun.act, what, *bad)
refused(errno.EINVAL, lun.act, ABANDON, 0, 4096, 1)
refused(errno.ENXIO, lun.act, COMMIT, 0, 4096)
refused(errno.ENXIO, lun.act, ABANDON, 0, 4096)
reader, writer = Lun('vol0', os.O_RDONLY), Lun('vol0', os.O_WRONLY)
refused(errno.EBADF, reader.act, PREPARE, 0, 4096, OVERWRITE)
refused(errno.EBADF, reader.act, COMMIT, 0, 4096)
refused(errno.EBADF, writer.act, PREPARE, 0, 4096)
new(65536, MIB)
for one in lun, other:
    refused(errno.EBUSY, one.act, PREPARE, MIB - 65536, MIB, OVERWRITE)
refused(errno.EBUSY, lun.act, PREPARE, MIB, 65536)
assert other.act(PREPARE, MIB, 4096) == 4096 and other.act(ABANDON, MIB, 4096) == 4096
refused(errno.ENXIO, other.act, COMMIT, MIB, 4096)
refused(errno.ENXIO, other.act, ABANDON, MIB, 4096)
refused(errno.ENXIO, lun.act, COMMIT, MIB - 4096, 8192)
until(lambda: lun.info()['mapped_bytes'] == 65536)
lun.act(ABANDON, MIB, 65536)
window = lun.map(8192, 2 * MIB)
refused(errno.EBUSY, lun.act, PREPARE, 2 * MIB + 4096, 8192, OVERWRITE)
new(4096, 2 * MIB + 8192)
window.close()
lun.act(ABANDON)
limit = lun.info()['mapped_max_bytes']
refused(errno.ENOSPC, lun.act, PREPARE, 0, limit + MIB, OVERWRITE)
refused(errno.ENOSPC, lun.act, PREPARE, 0, limit + MIB)
lun.act(ABANDON)
until(lambda: lun.info()['mapped_bytes'] == 0)
new(limit // MIB * MIB, 0)
lun.act(ABANDON)
until(lambda: lun.info()['mapped_bytes'] == 0)

# closed, and killed, without commit
own = Lun('vol0')
new(MIB, 0, own)
window = own.map(MIB, 0)
window[:] = b'x' * MIB
os.close(own.fd)
assert window[0] == 120
window.close()
until(lambda: lun.info()['mapped_bytes'] == 0)
stores, store = os.pipe()
child = os.fork()
if not child:
    own = Lun('vol0')
    new(MIB, 0, own)
    window = own.map(MIB, 0)
    while True:
        window[:] = b'x' * MIB
        os.write(store, b'.')
until(lambda: lun.info()['mapped_bytes'] == MIB)
for _ in range(3):
    os.read(stores, 1)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
until(lambda: lun.info()['mapped_bytes'] == 0)
assert b'xxxx' not in disk.read(MIB, 0)

# the device fails: what was not committed is still prepared
put(attrib + 'mode', 'writethrough')
was = disk.read(MIB, 12 * MIB)
new(MIB, 12 * MIB)
window = lun.map(MIB, 12 * MIB)
window[:] = data
os.system(f"dmsetup suspend d0 && dmsetup reload d0 --table '0 {64 * 2048} flakey /dev/vdb 0 0 3600 1 error_writes' && dmsetup resume d0")
refused(errno.EIO, lun.act, COMMIT, 12 * MIB, MIB)
assert window[:] == data and disk.read(MIB, 12 * MIB) == was
os.system(f"dmsetup suspend d0 && dmsetup reload d0 --table '0 {64 * 2048} linear /dev/vdb 0' && dmsetup resume d0")
assert lun.act(COMMIT, 12 * MIB, MIB) == MIB
assert window[:] == data == disk.read(MIB, 12 * MIB) == device_has(MIB, 12 * MIB)
window.close()
until(lambda: lun.info()['mapped_bytes'] == 0)

# the LUN becomes smaller, and has a last page that is a part of one
new(MIB, 63 * MIB)
new(8192, 32 * MIB - 4096)
os.system(f"dmsetup reload d0 --table '0 {32 * 2048 + 3} linear /dev/vdb 0' && dmsetup resume d0")
put(SYS + 'rescan', '1')
until(lambda: lun.info()['size_bytes'] == 32 * MIB + 1536 and lun.info()['mapped_bytes'] == 8192)
refused(errno.EINVAL, lun.act, COMMIT, 63 * MIB, MIB)
window = lun.map(8192, 32 * MIB - 4096)
window[:] = b'e' * 8192
refused(errno.EINVAL, lun.act, COMMIT, 32 * MIB - 4096, 8192)
assert lun.act(COMMIT, 32 * MIB - 4096, 4096 + 1536) == 4096 + 1536
assert lun.read(8192, 32 * MIB - 4096) == b'e' * (4096 + 1536)
window.close()
os.system(f"dmsetup reload d0 --table '0 {64 * 2048} linear /dev/vdb 0' && dmsetup resume d0")
put(SYS + 'rescan', '1')
until(lambda: lun.info()['size_bytes'] == 64 * MIB)
assert lun.read(1024, 32 * MIB + 1024) == b'e' * 512 + device_has(512, 32 * MIB + 1536)

# revoked, prepared and mapped
new(MIB, 0)
window = lun.map(MIB, 0)
window[:] = b'x' * MIB
child = os.fork()
if not child:
    put(SYS + 'revoke', '1')
    refused(errno.ENODEV, lun.act, COMMIT, 0, MIB)
    refused(errno.ENODEV, lun.act, ABANDON, 0, MIB)
    window[0]
    os._exit(0)
assert os.waitpid(child, 0)[1] & 127 == signal.SIGBUS
lun = Lun('vol0')
until(lambda: lun.info()['mapped_bytes'] == 0)
assert b'xxxx' not in disk.read(MIB, 0)
END_OF_PYTHON

# a LUN with a window is not deleted
delete() {
	rmdir $core/hearth_0/vol0
}
PYTHONPATH=$HEARTH_TESTS python3 -c "
from hearthdev import *
lun = Lun('vol0')
lun.act(PREPARE, 16 << 20, 1 << 20, OVERWRITE)
memory = lun.map(1 << 20, 16 << 20)
print('mapped', flush=True)
while True:
    memory[:] = b'k' * (1 << 20)
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
	echo 1 >/sys/class/hearth/vol0/flush && delete 2>/dev/null
}
wait_for 30 gone || fail 'the LUN cannot be deleted after a process with a window was killed'
[ "$(dd if=/dev/vdb bs=1M skip=16 count=1 iflag=direct status=none | tr -d k | wc -c)" -gt 1000000 ] ||
	fail 'what was never committed is on the device'
mkdir $core/hearth_0/vol0
