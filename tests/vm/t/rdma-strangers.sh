#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Who cannot prove that he knows the session's key gets no queue pair; who can gets one, and may say what he likes; what he
# knows of another session opens nothing.
# topology: 2n
# needs: tests/vm
# limit: 300

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-rdma.sh"

start_mover
make_rail
expect 0 "$HEARTH_BUILD/tests/vm/rdma-stranger" "$programs/hearthd" "$PWD/never"
grep -q 'turned away' out
[ ! -e never ] || fail 'something was written'

expect 0 "$HEARTH_BUILD/tests/vm/rdma-hostile" "$programs/hearthd" "$PWD/never"
cat out
equal 'what was tried' "$(wc -l <out)" 7
[ ! -e never ] || fail 'something was written'

# As many failures later the next copy goes as ever.
head -c 1M /dev/urandom >file
expect 0 hcp --transport=rdma file x:"$PWD/copy"
cmp file copy
