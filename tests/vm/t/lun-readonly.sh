#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A read-only device needs readonly=1; its LUN can be read, and refuses writes. A LUN in use turns read-only, and back.
# allow-log: Capacity data has changed
# topology: 2n

. "$HEARTH_TESTS/lib.sh"

dd if=/dev/urandom of=/dev/vdb bs=1M count=4 oflag=direct status=none
sum=$(head -c 4M /dev/vdb | sha256sum)
blockdev --setro /dev/vdb
defer blockdev --setrw /dev/vdb
refuse_lun 'refused: .*/dev/vdb.*(readonly=1|read-only)' dev=/dev/vdb,cache=16M

make_lun vol0 dev=/dev/vdb,cache=16M,readonly=1
attach_lun hearth_0/vol0
equal 'what is read' "$(dd if="$disk" bs=1M count=4 iflag=direct status=none | sha256sum)" "$sum"
equal 'read-only flag of the disk' "$(blockdev --getro "$disk")" 1

# The generic device lets a write command through to the LUN, whatever the disk's flag says.
modprobe sg
generic=$(echo "/sys/block/${disk##*/}"/device/scsi_generic/sg*)
write_block() {
	sg_write_same --10 --lba=0 --num=1 --xferlen=512 "/dev/${generic##*/}"
}
wait_for 10 test -c "/dev/${generic##*/}"
expect_fail '[Pp]rotect' write_block
equal 'what is on the device' "$(head -c 4M /dev/vdb | sha256sum)" "$sum"
readonly_to() {
	echo "$1" >"$core/hearth_0/vol0/attrib/readonly"
}
expect_fail 'readonly=0: dev=/dev/vdb is open for reading only' readonly_to 0
equal 'readonly' "$(<$core/hearth_0/vol0/attrib/readonly)" 1
undo_now detach_lun
remove_lun vol0

# A LUN in use turns read-only, and back: what was written is durable then, and everybody hears of it.
blockdev --setrw /dev/vdb
make_lun vol0 dev=/dev/vdb,cache=16M,mode=writeback
attach_lun hearth_0/vol0
generic=$(echo "/sys/block/${disk##*/}"/device/scsi_generic/sg*)
wait_for 10 test -c "/dev/${generic##*/}"
wait_for 10 test -c /dev/hearth/vol0
head -c 1M /dev/urandom >data
dd if=data of="$disk" bs=64k oflag=direct conv=notrunc status=none
equal 'read-only flag of the disk' "$(blockdev --getro "$disk")" 0
PYTHONPATH=$HEARTH_TESTS python3 - <<'END' || fail 'see above'
import errno, mmap, signal
from hearthdev import *

attribute = '/sys/kernel/config/target/core/hearth_0/vol0/attrib/readonly'
def turn(value):
    with open(attribute, 'w') as f:
        f.write(value)

lun = Lun('vol0')
lun.act(PREPARE, 8192, 4096, OVERWRITE)
refused(errno.EBUSY, turn, '1')
lun.act(ABANDON, 8192, 4096)
mapped = lun.map(4096, 0)
mapped[0]
refused(errno.EBUSY, turn, '1')
lun.write(lun.read(512, 0), 0)
mapped.close()
late = lun.map(4096, 4096)
turn('1')
assert lun.info()['flags'] & READONLY and not lun.info()['dirty_bytes']
assert open('/dev/vdb', 'rb').read(1 << 20) == open('data', 'rb').read()
for what in PUNCH, ZERO, COMMIT:
    refused(errno.EROFS, lun.act, what, 8192, 4096)
refused(errno.EROFS, lun.write, bytes(512), 0)
refused(errno.EROFS, Lun, 'vol0')
refused(errno.EROFS, lun.map, 4096, 0)
assert Lun('vol0', os.O_RDONLY).read(512, 0) == open('data', 'rb').read(512)
child = os.fork()
if not child:
    late[0] = 1
    os._exit(0)
assert os.waitpid(child, 0)[1] & 127 == signal.SIGBUS
os.close(lun.fd)
END
# told N: the next command tells the initiator to look again; until now it was told N times, each time once.
told() {
	sg_turs "/dev/${generic##*/}" || true
	sg_turs "/dev/${generic##*/}" || true
	equal 'how often the initiator was told' "$(klog | grep -c 'Capacity data has changed' || true)" "$1"
}
told 1
expect_fail '[Pp]rotect' write_block
sg_modes -c 0 "/dev/${generic##*/}" 2>&1 | grep -q 'WP=1' || fail 'MODE SENSE does not say it'
echo 1 >"/sys/block/${disk##*/}/device/rescan"
is_readonly() {
	[ "$(blockdev --getro "$disk")" = "$1" ]
}
wait_for 20 is_readonly 1 || fail 'the disk is not read-only'
equal 'what is on the device' "$(head -c 1M /dev/vdb | cmp - data && echo same)" same

readonly_to 0
told 2
echo 1 >"/sys/block/${disk##*/}/device/rescan"
wait_for 20 is_readonly 0 || fail 'the disk stays read-only'
dd if=data of="$disk" bs=64k seek=16 oflag=direct conv=notrunc status=none
sg_sync "$disk"
equal 'what is on the device' "$(dd if=/dev/vdb bs=1M skip=1 count=1 iflag=direct status=none | cmp - data && echo same)" same
