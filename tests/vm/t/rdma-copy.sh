#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Over RDMA hearthcp copies what it copies over TCP: either way, in both modes, sealed, trees, from a daemon, restarted.
# topology: 2n
# needs: userspace
# limit: 400

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-rdma.sh"

start_mover
make_rail
head -c 12000001 /dev/urandom >file

# Without an option it goes over RDMA where both ends have it.
expect 0 hcp --json file x:"$PWD/auto"
cmp file auto
equal transport "$(summary 's["transport"]')" rdma
equal 'mode of a short path' "$(summary 's["rdma_mode"]')" read
equal 'keys to memory' "$(summary 's["rdma_keys"]')" windows
equal rail "$(summary 's["rails"][0]["device"]')" rail0
equal 'bytes over the rail' "$(summary 's["rails"][0]["bytes"]')" 12000001
[ "$(summary 's["rdma_depth"]')" -ge 1 ] || fail 'no depth'

# The kernel counts what its device sends.
sent=/sys/class/infiniband/rail0/ports/1/hw_counters/sent_pkts
before=$(<$sent)
expect 0 hcp --json --transport=tcp file x:"$PWD/tcp"
equal 'transport that was asked for' "$(summary 's["transport"]')" tcp
equal 'packets of a copy over TCP' "$(<$sent)" "$before"
expect 0 hcp --transport=rdma file x:"$PWD/rdma"
[ $(($(<$sent) - before)) -gt 12000000 ] || [ $(($(<$sent) - before)) -ge $((12000000 / 4096)) ] ||
	fail "only $(($(<$sent) - before)) packets for 12 MB"

for mode in read write; do
	for seal in none mac encrypt; do
		expect 0 hcp --json --transport=rdma --rdma-mode=$mode --seal=$seal file x:"$PWD/pushed"
		equal mode "$(summary 's["rdma_mode"]')" $mode
		cmp file pushed
		expect 0 hcp --json --transport=rdma --rdma-mode=$mode --seal=$seal x:"$PWD/file" pulled
		cmp file pulled
		rm pushed pulled
	done
done

# Small files and what is known of them; heads of blocks that are too long for a message.
mkdir -p tree/sub
for i in $(seq 1 700); do
	printf '%*s' $((i % 97)) "$i" >"tree/sub/$i"
done
ln tree/sub/1 tree/sub/hard
ln -s 1 tree/sub/soft
mkfifo tree/fifo
touch -d '2001-02-03 04:05:06.789' tree/sub/7
chmod 4711 tree/sub/8
setfacl -m u:1234:r tree/sub/9
for mode in read write; do
	expect 0 hcp -aHA --transport=rdma --rdma-mode=$mode tree/ x:"$PWD/copy-$mode"
	same_tree tree copy-$mode
done
expect 0 hcp -aHA --transport=rdma x:"$PWD/tree/" pulled-tree
same_tree tree pulled-tree

# From a pipe, and to one.
expect 0 hcp --transport=rdma - x:"$PWD/piped" <file
cmp file piped
expect 0 hcp --transport=rdma x:"$PWD/file" -
cmp file out

# A daemon; blocks are sealed unless that is turned off.
"$programs/hearthd" --generate-key=alice >keys
chmod 600 keys
cat >conf <<END
port = 7777
keys = $PWD/keys
memory = 16M
[box]
path = $PWD
write = yes
user = root
END
"$programs/hearthd" --config=conf 2>daemon.log &
daemon=$!
defer kill $daemon
wait_for 20 grep -q 'modules on port' daemon.log || fail 'no daemon'
expect 0 hcp --key-file=keys --json --transport=rdma file hearth://alice@127.0.0.1:7777/box/in-box
equal 'transport to a daemon' "$(summary 's["transport"]')" rdma
cmp file in-box
expect 0 hcp --key-file=keys --json --transport=rdma hearth://alice@127.0.0.1:7777/box/file out-of-box
cmp file out-of-box

# kill -9 in the middle: the same command continues.
start_hcp -t --transport=rdma --bwlimit=1M --block-size=64K file x:"$PWD/restarted" 2>/dev/null
wait_for 60 has_stored "$PWD/restarted" 2000000 || fail 'nothing was stored'
kill -9 $copy
wait $copy && fail 'killed, and yet it succeeded'
[ ! -e restarted ] || fail 'half a file under its final name'
wait_for 60 eval '! pgrep -f "hearthd --server" >/dev/null' || fail 'the far end stays'
expect 0 hcp -t --json --transport=rdma file x:"$PWD/restarted"
cmp file restarted
[ "$(summary 's["bytes_moved"]')" -lt 12000001 ] || fail 'all of it was sent again'

# What cannot be is refused by name, before anything is started.
expect 1 hcp --transport=rdma -z file x:"$PWD/no"
says 'not with --compress'
expect 1 hcp --transport=rdma --data=ssh file x:"$PWD/no"
says '--data says how TCP is to go'
expect 0 hcp --json -z file x:"$PWD/packed"
equal 'compressed' "$(summary 's["transport"]')" tcp
[ "$(summary 's["transport_why"]')" = '--compress packs what goes over TCP' ] || fail 'it does not say why TCP'

# Measurements: every case over RDMA alone, and nothing stays behind.
expect 0 hcp bench --json --transport=rdma --bytes=2M --sizes=64K,512K --depths=2 --from=file x:"$PWD/measured"
python3 - out <<'END'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
assert {(r["case"], r["message_bytes"]) for r in rows} == {
    (c, s) for c in ("memory to memory", "file to memory", "memory to file") for s in (65536, 524288)}, rows
assert all(r["transport"] == "rdma-read" and r["gbit_s"] > 0 for r in rows), rows
assert all(r["bytes"] == (12000001 if r["case"] == "file to memory" else 2 << 20) for r in rows), rows
END
[ ! -e measured ] || fail 'a measurement left a file'
