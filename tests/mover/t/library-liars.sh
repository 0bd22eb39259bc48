# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# libhearth with a far end that does not keep to the protocol, and hearthd with such a client: each is told, none falls over.
mkdir nodes
export HEARTH_NODES="$PWD/nodes"
cat > hearthd <<-END
	#!/bin/sh
	export LD_PRELOAD="$TOOLS/node.so" ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0"
	exec "$BUILD/hearthd" "\$@"
END
chmod +x hearthd
says() {
	grep -q -- "$1" err || fail "\"$1\" is not in: $(cat err)"
}
refused() {
	name=$1 words=$2
	shift 2
	expect 1 "$@"
	says "^$name: "
	says "$words"
}
random_file nodes/vol0 3000320

# Far ends that do not keep to the protocol.
python=$(python3 -c 'import sys; print(sys.executable)')
cat > liar <<-END
	#!/bin/sh
	exec "$python" "$HEARTH_TESTS/window_ends.py" serve "\$(cat "$PWD/mode")"
END
chmod +x liar
for case in text:EPROTO long:EPROTO no-window:EPROTO no-block:EPROTO odd-window:EPROTO short:ERANGE too-much:ERANGE \
	other-verb:EPROTO other-kind:EPROTO flags:EPROTO cut:EPROTO fail:EACCES gone:ENODEV error:EIO hang-up:ECONNRESET; do
	echo "${case%:*}" > mode
	expect 1 "$TOOLS/reader" -t -e "$SCRATCH/rsh" -d "$PWD/liar" x:lun:/vol0 read 0 4096
	says "^${case#*:}: "
done
# One that says nothing is given up after a while.
echo silent > mode
refused ETIMEDOUT 'is gone' "$TOOLS/reader" -t -T 1 -e "$SCRATCH/rsh" -d "$PWD/liar" x:lun:/vol0 read 0 1

# Clients that do not either.
python3 "$HEARTH_TESTS/window_ends.py" ask "$PWD/hearthd" version no-name dots slash part nul short-key no-attach \
	twice far huge verb gone write lease release behind zero > out 2> err || fail "$(cat out err)"
! grep -q 'Sanitizer\|runtime error' err || fail "$(cat err)"
answered() {
	grep -q "^$1: $2" out || fail "$1 is not answered by \"$2\": $(cat out err)"
}
answered version 'fail .*version 99'
for mode in no-name dots slash part; do
	answered $mode 'told 22 .*no name of a LUN'
done
for mode in nul short-key no-attach; do
	answered $mode 'fail .*first message'
done
for mode in twice far huge verb gone; do
	answered $mode 'fail .*did not understand what was asked'
done
answered write 'told 6 13 vol0: '
answered lease 'told 3 107 there is no queue pair'
answered release 'told 7 0  0'
answered behind 'told 5 0  0'
answered zero 'told 5 0  0'
