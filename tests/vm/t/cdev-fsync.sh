#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# fsync() of a LUN's node means durable: of what anybody wrote; it fails each time while the device cannot be flushed, and poll() says
# that the LUN is degraded.
# topology: 2n
# allow-log: I/O error|Buffer I/O|hearth: vol0|lost async page write

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-writeback.sh"

size=$(sectors /dev/vdb)
good="0 $size linear /dev/vdb 0"
bad="0 $size flakey /dev/vdb 0 0 3600 1 error_writes"
make_dm flaky "$good"
make_lun vol0 dev=/dev/mapper/flaky,cache=64M,mode=writeback
attach_lun hearth_0/vol0
wait_for 10 test -c /dev/hearth/vol0
hold_back vol0

# what both ways wrote is on the device, and so is what O_DSYNC wrote without fsync
head -c 4M /dev/urandom >new
dd if=new of=/dev/hearth/vol0 bs=256k count=8 conv=notrunc status=none
dd if=new of="$disk" bs=256k skip=8 seek=8 count=8 oflag=direct status=none
dd if=/dev/null of=/dev/hearth/vol0 conv=notrunc,fsync status=none
cmp new <(image /dev/vdb 4) || fail 'after fsync the device does not have it'
equal 'dirty bytes after fsync' "$(dirty vol0)" 0
head -c 1M /dev/urandom >sync
dd if=sync of=/dev/hearth/vol0 bs=64k seek=512 oflag=dsync conv=notrunc status=none
cmp sync <(dd if=/dev/vdb bs=1M skip=32 count=1 iflag=direct status=none) || fail 'what O_DSYNC wrote is not on the device'

# the device fails
reload_dm flaky "$bad"
PYTHONPATH=$HEARTH_TESTS python3 - <<'END' || fail 'see above'
import errno, select
from hearthdev import *

lun, sync = Lun('vol0'), Lun('vol0', os.O_RDWR | os.O_DSYNC)
poll = select.poll()
poll.register(lun.fd, select.POLLPRI)
assert lun.info()['flags'] == WRITEBACK and poll.poll(0) == []
assert lun.write(b'n' * 4096, 0) == 4096
for _ in range(3):
    refused(errno.EIO, os.fsync, lun.fd)
assert poll.poll(20000) == [(lun.fd, select.POLLPRI)]
info = lun.info()
assert info['flags'] == WRITEBACK | DEGRADED and info['dirty_bytes'] >= 4096, info
refused(errno.EIO, sync.write, b'm' * 4096, 8192)
assert lun.read(4096, 0) == b'n' * 4096
END
equal 'state' "$(</sys/class/hearth/vol0/state)" degraded
reload_dm flaky "$good"
wait_for 30 dd if=/dev/null of=/dev/hearth/vol0 conv=notrunc,fsync status=none || fail 'fsync when the device is well again'
equal 'on the device' "$(head -c 4096 /dev/vdb | tr -d n | wc -c)" 0
equal 'state in the end' "$(</sys/class/hearth/vol0/state)" ok
