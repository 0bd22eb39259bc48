#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The target takes windows back: because others need the room, because the LUN goes; a
# reader sees the right bytes or is told. A key is of no use to another session; a hearthd that is killed leaves nothing.
# topology: 2n
# needs: tests/vm/programs
# limit: 400

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-rdma.sh"
export PYTHONPATH=$HEARTH_TESTS

start_mover
make_rail
make_lun vol0 dev=/dev/vdb,cache=8M
wait_for 10 test -c /dev/hearth/vol0
head -c 16M /dev/urandom >content
dd if=content of=/dev/hearth/vol0 bs=1M status=none
echo 1 >/sys/class/hearth/vol0/flush
nothing_mapped() {
	python3 -c 'from hearthdev import *; exit(Lun("vol0").info()["mapped_bytes"] != 0)'
}

# Two at once that together want more than may be mapped (half of the cache), each in its own half: what one leases the other
# loses. Whether that ever happens in the middle of a transfer is left to chance.
python3 - <<'END' || fail 'see above'
import random, time
from concurrent.futures import ThreadPoolExecutor
from hearthlib import *
from hearthdev import Lun

content = open('content', 'rb').read()
room = Lun('vol0').info()['mapped_max_bytes']
one, other = (Session('vol0', RDMA, window_bytes=256 << 10, max_windows=14) for _ in range(2))
def work(s, half):
    numbers = random.Random(half)
    for _ in range(40):
        n = numbers.randrange(1, 100000)
        at = numbers.randrange(len(content) // 2 - n) + half * len(content) // 2
        assert s.read(n, at) == content[at:at + n], (half, at, n)
deadline = time.time() + 200
with ThreadPoolExecutor(2) as readers:
    while time.time() < deadline and not (one.statistics().revocations and other.statistics().revocations):
        for reader in [readers.submit(work, one, 0), readers.submit(work, other, 1)]:
            reader.result()
        assert Lun('vol0').info()['mapped_bytes'] <= room
for s in one, other:
    st = s.statistics()
    print('windows', st.windows, 'leases', st.leases, 'refusals', st.refusals, 'evictions', st.evictions, 'revocations', st.revocations,
          'reconnections', st.reconnections, 'by message', st.message_bytes, s.why())
    assert st.revocations and s.transport() == 'rdma'
    s.detach()
END
wait_for 30 nothing_mapped || fail 'a window stays'

# Another session's key, and one that nobody gave.
"$HEARTH_BUILD/vm/window-thief" "$PWD/rsh" "$programs/hearthd" x:lun:/vol0 >said 2>&1 || fail "window-thief: $(<said)"
wait_for 30 nothing_mapped || fail 'a window stays'

# hearthd is killed: the reader hears of it, nothing stays mapped.
python3 - <<'END' || fail 'see above'
import errno, os, subprocess
from hearthlib import *
s = Session('vol0', RDMA)
s.read(1 << 20, 0)
far = subprocess.run(['pgrep', '-P', str(os.getpid())], capture_output=True, text=True).stdout.split()
os.kill(int(far[0]), 9)
refused(errno.ECONNRESET, s.read, 1 << 20, 8 << 20, says='attach anew')
refused(errno.ECONNRESET, s.read, 1, 0)
s.detach()
END
wait_for 30 nothing_mapped || fail 'what a hearthd had mapped that was killed stays'

# The administrator's revoke: in the middle of reading, and the LUN can be deleted with the reader still there.
mkfifo word
python3 - >said 2>&1 <<'END' &
import errno, sys
from hearthlib import *
s = Session('vol0', RDMA, window_bytes=256 << 10)
s.read(4 << 20, 0)
print('reading', flush=True)
try:
    while True:
        s.read(100000, 0)
except Failed as error:
    assert error.errno == errno.ENODEV and 'revoked' in error.strerror, error
refused(errno.ENODEV, s.read, 1, 0, says='revoked')
print('told', flush=True)
open('word').readline()
s.detach()
END
reader=$!
wait_for 60 grep -q reading said || fail "$(<said)"
echo 1 >/sys/class/hearth/vol0/revoke
wait_for 30 grep -q told said || fail "$(<said)"
gone() {
	rmdir $core/hearth_0/vol0 2>/dev/null
}
wait_for 30 gone || fail 'the LUN cannot be deleted'
mkdir $core/hearth_0/vol0
echo >word
wait $reader || fail "$(<said)"
