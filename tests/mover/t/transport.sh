# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Without a device for RDMA data goes over TCP, and who asked hears why; who insists is refused.
random_file file 3000000
says() {
	grep -q -- "$1" err || {
		cat err
		fail "standard error does not say: $1"
	}
}
expect 1 ncp --transport=rdma file copy
says '--transport=rdma: both ends are here'
expect 1 ncp --transport=rdma one:file two:copy
says '--transport=rdma: not between two far ends'
expect 1 ncp --transport=rdma -z file x:"$PWD/copy"
says 'not with --compress'
expect 1 ncp --transport=tcp --rdma-mode=read file x:"$PWD/copy"
says 'with --transport=tcp there is no RDMA'
expect 1 ncp --transport=pigeon file x:"$PWD/copy"
says 'give one of auto, tcp, rdma'
[ ! -e copy ] || fail "refused, and yet copied"

expect 0 ncp --json --transport=tcp file x:"$PWD/copy"
[ "$(summary transport)" = tcp ] || fail "not over TCP"
cmp file copy
ls /sys/class/infiniband/* > /dev/null 2>&1 && skip "there is an RDMA device here"

expect 3 ncp --transport=rdma file x:"$PWD/refused"
says 'x: --transport=rdma: no RDMA device is there; see "rdma link"'
[ ! -e refused ] || fail "refused, and yet copied"
expect 0 ncp --transport=auto file x:"$PWD/auto"
says 'data goes over TCP, not RDMA: no RDMA device is there'
cmp file auto
# Nobody who did not ask is bothered with it, but the summary has it.
expect 0 ncp --stats file x:"$PWD/default"
cmp file default
[ "$(grep -c 'RDMA' err)" = 1 ] || fail "more than one line of RDMA"
expect 0 ncp file x:"$PWD/quiet"
[ ! -s err ] || fail "something is said of a copy that went well"
expect 0 ncp --json file x:"$PWD/json"
[ "$(summary transport)" = tcp ] || fail "not over TCP"
summary transport_why | grep -q '^no RDMA device is there' || fail "it does not say why"
expect 3 "$HEARTHCP" bench --hearthd-path="$HEARTHD" --transport=rdma --bytes=1M --sizes=64K --depths=1
says '--transport=rdma: no RDMA device is there'
