# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Every allocation of a small copy fails in turn, at the near end and at the far end.
# shellcheck source=tests/mover/lib-sweep.sh
. "$HEARTH_TESTS/lib-sweep.sh"
# shellcheck disable=SC2034 # some memory can be done without
may_fail=any
make_source

rsh="$HEARTHCP -aH -e $SCRATCH/rsh --hearthd-path=$HEARTHD src/ $HOST:$PWD/dst/"
sweep scarce hearthcp "$HEARTHCP" -aH src/ dst/
# shellcheck disable=SC2086 # words
sweep scarce hearthcp $rsh
# shellcheck disable=SC2086
sweep scarce hearthd $rsh
export NTH_EVER=1
# shellcheck disable=SC2086
sweep scarce hearthd $rsh
