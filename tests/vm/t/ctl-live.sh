#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# hearthctl on real LUNs: what it shows is what the kernel says, what it changes is changed, and what the kernel refuses it repeats.
# topology: 2n
# needs: userspace

. "$HEARTH_TESTS/lib.sh"

ctl=$HEARTH_BUILD/userspace/hearthctl
expect_fail 'module is not loaded' "$ctl" list
make_lun vol0 dev=/dev/vda,cache=64M
make_lun vol1 dev=/dev/vdb,cache=16M,mode=writearound
sys=/sys/class/hearth/vol0
wait_for 10 test -c /dev/hearth/vol1

equal 'list' "$("$ctl" list | awk '{ print $1, $2, $5, $NF }' | tail -n 2 | tr '\n' ' ')" \
	'vol0 ok writethrough /dev/vda vol1 ok writearound /dev/vdb '
"$ctl" list --json | python3 -c '
import json, sys
luns = json.load(sys.stdin)
assert [(lun["name"], lun["size_bytes"], lun["mode"]) for lun in luns] == [("vol0", 64 << 20, "writethrough"), ("vol1", 2 << 30, "writearound")], luns
' || fail 'list --json'

# nobody else reads this LUN: it has no disk
"$ctl" warm vol0 1M+4M 32M+64k
equal 'frames after warm' "$(counter_sum vol0 frames)" $((1024 + 16))
dd if=/dev/hearth/vol0 bs=1M skip=1 count=4 status=none | cmp - <(dd if=/dev/vda bs=1M skip=1 count=4 iflag=direct status=none)
equal 'misses of what is warm' "$(counter_sum vol0 misses)" 0
"$ctl" stats --json vol0 | python3 -c '
import json, sys
lun, = json.load(sys.stdin)
assert sum(node["frames"] for node in lun["nodes"]) == 1040 and sum(node["hits"] for node in lun["nodes"]) >= 1024, lun
' || fail 'stats --json'
"$ctl" stats --openmetrics | grep -q '^hearth_misses_total{lun="vol0",node="1"} 0$' || fail 'stats --openmetrics'
"$ctl" drop vol0 32M+64k
equal 'frames after drop of a range' "$(dd if=/dev/hearth/vol0 bs=64k skip=512 count=1 status=none | wc -c) $(counter_sum vol0 misses)" '65536 16'
"$ctl" drop vol0
expect_fail 'more than the cache' "$ctl" warm vol1
expect_fail 'no range of this LUN of 67108864 bytes' "$ctl" drop vol0 63M+2M
expect_fail 'no such LUN; there are vol0, vol1' "$ctl" warm vol2
expect_fail 'Permission denied; be root' setpriv --reuid=65534 --clear-groups "$ctl" warm vol0 0+1M
expect_fail 'Permission denied; be root' setpriv --reuid=65534 --clear-groups "$ctl" set vol0 paused=1

"$ctl" set vol0 mode=writearound readahead=0 paused=1 pin=0+1M
equal 'what was set' "$(<$sys/mode) $(<$core/hearth_0/vol0/attrib/readahead) $(<$sys/paused) $(<$sys/pinned)" \
	'writearound 0 1 0+1048576'
expect_fail 'vol0: cache=12Q: not a size' "$ctl" set vol0 cache=12Q
expect_fail 'vol0: pin=0\+4k: overlaps' "$ctl" set vol0 pin=0+4k

exec 5</dev/hearth/vol0
expect_fail 'busy' rmdir $core/hearth_0/vol0
"$ctl" revoke vol0
remove_lun vol0
exec 5<&-
equal 'what is left' "$("$ctl" show | head -n 1)" vol1
