#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Who cannot prove that he knows the session's key gets no queue pair; who can gets one, and may say what he likes.
# topology: 2n
# needs: tests/vm

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-rdma.sh"

start_mover
make_rail
expect 0 "$HEARTH_BUILD/tests/vm/rdma-stranger" "$programs/hearthd" "$PWD/never"
grep -q 'turned away' out
[ ! -e never ] || fail 'something was written'

# As many failures later the next copy goes as ever.
head -c 1M /dev/urandom >file
expect 0 hcp --transport=rdma file x:"$PWD/copy"
cmp file copy
