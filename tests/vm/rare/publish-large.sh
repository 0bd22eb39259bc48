#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 100,000 small files, and one of 20 GiB that is mostly holes, published to a LUN: an initiator mounts what is in the tree.
# It takes ten minutes and more, so it is not among the tests of "make check": tests/vm/run tests/vm/rare/publish-large.sh
# topology: 2n
# needs: userspace
# allow-log: Capacity data has changed
# limit: 2400

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-fabric.sh"
. "$HEARTH_TESTS/lib-rdma.sh"
. "$HEARTH_TESTS/lib-publish.sh"

begin_publishing 100000
truncate -s 20G 'tree/of 20 GiB'
for gib in 0 7 19; do
	head -c 3M /dev/urandom | dd of='tree/of 20 GiB' bs=1M seek=$((gib * 1024 + 5)) conv=notrunc status=none
done
make_lun vol0 dev=/dev/vdb,cache=64M
wait_for 10 test -c /dev/hearth/vol0
export_tcp hearth_0/vol0
expect 0 hcp --json --transport=rdma --publish tree x:lun:/vol0
equal transport "$(summary 's["transport"]')" rdma
summary 's'
shown tree
