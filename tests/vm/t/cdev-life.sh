#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A LUN is neither deleted nor the module unloaded while its node is open, whoever dies; what is revoked can do nothing more.
# topology: 2n

. "$HEARTH_TESTS/lib.sh"

node=/dev/hearth/vol0
make_dm d0 "0 $((32 * 2048)) linear /dev/vdb 0"
make_lun vol0 dev=/dev/mapper/d0,cache=16M
wait_for 10 test -c $node
delete() {
	rmdir $core/hearth_0/vol0
}

# open, then killed
PYTHONPATH=$HEARTH_TESTS python3 -c "
from hearthdev import *
lun = Lun('vol0')
lun.write(b'x' * 4096, 0)
print('open', flush=True)
while True:
    lun.write(os.urandom(1 << 20), 1 << 20)
" >said &
victim=$!
wait_for 20 grep -q open said
expect_fail 'busy' delete
expect_fail 'in use' modprobe -r target_core_hearth
kill -KILL $victim
wait $victim 2>/dev/null || true

# revoked: while it reads, polls, and afterwards
PYTHONPATH=$HEARTH_TESTS python3 - <<'END' || fail 'see above'
import errno, select, threading
from hearthdev import *

lun, other = Lun('vol0'), Lun('vol0')
poll = select.poll()
poll.register(lun.fd, select.POLLPRI)
assert poll.poll(0) == []

# another size is an event for each file until it asks
os.system("dmsetup reload d0 --table '0 131072 linear /dev/vdb 0' && dmsetup resume d0 && echo 1 >/sys/class/hearth/vol0/rescan")
assert poll.poll(20000) == [(lun.fd, select.POLLPRI)]
info = lun.info()
assert info['size_bytes'] == 64 << 20 and info['events'] == 1, info
assert poll.poll(0) == []
assert os.lseek(lun.fd, 0, os.SEEK_END) == 64 << 20
both = select.poll()
both.register(other.fd, select.POLLPRI)
assert both.poll(0) == [(other.fd, select.POLLPRI)]

ends = []
def work():
    try:
        while True:
            other.read(1 << 20, 0)
    except OSError as error:
        ends.append(error.errno)
thread = threading.Thread(target=work)
thread.start()
with open('/sys/class/hearth/vol0/revoke', 'w') as revoke:
    revoke.write('1')
thread.join()
assert ends == [errno.ENODEV], ends
assert poll.poll(20000) == [(lun.fd, select.POLLHUP | select.POLLERR)]
for call in (lun.info,), (lun.read, 1, 0), (lun.write, b'', 0), (os.fsync, lun.fd), (os.lseek, lun.fd, 0, 2), (lun.act, WARM):
    refused(errno.ENODEV, *call)
# the LUN goes, and comes back, while these are still open
os.rmdir('/sys/kernel/config/target/core/hearth_0/vol0')
refused(errno.ENOENT, Lun, 'vol0')
refused(errno.ENODEV, lun.read, 1, 0)
END
mkdir $core/hearth_0/vol0
echo -n dev=/dev/mapper/d0,cache=16M >$core/hearth_0/vol0/control
echo -n 1 >$core/hearth_0/vol0/enable
wait_for 10 test -c $node
equal 'what was written first' "$(dd if=$node bs=4096 count=1 status=none)" "$(printf 'x%.0s' {1..4096})"
expect_fail 'revoke=2: give 1' eval "echo 2 >/sys/class/hearth/vol0/revoke"
