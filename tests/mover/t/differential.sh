# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# rsync and hearthcp with the same random options on the same random trees leave the same behind. What they do
# otherwise on purpose is in hearthcp(1), "Differences from rsync".
python3 "$HEARTH_TESTS/differential.py" 1-40 "$HEARTHCP" > log 2>&1 || fail "$(cat log)"
# Pushed and pulled as well.
python3 "$HEARTH_TESTS/differential.py" --push 41-55 "$HEARTHCP" -e "$SCRATCH/rsh" --hearthd-path="$HEARTHD" > log 2>&1 ||
	fail "$(cat log)"
python3 "$HEARTH_TESTS/differential.py" --pull 56-70 "$HEARTHCP" -e "$SCRATCH/rsh" --hearthd-path="$HEARTHD" > log 2>&1 ||
	fail "$(cat log)"
