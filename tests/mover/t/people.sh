# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Progress, SIGUSR1, --json and being stopped by SIGINT.
random_file big 300000000
mkdir dst
expect 0 hcp --progress --stats big dst/one
{ grep -q "286 MiB of 286 MiB (100%)" err && grep -q "1 files, 286 MiB" err; } || fail "no progress: $(cat err)"
"$HEARTHCP" --bwlimit=30M --block-size=16K big dst/two > out 2> err &
until_true journal_has dst/.two.hearth-journal 2400
client=$!
kill -USR1 "$client"
until_true grep -q " of 286 MiB\| found so far" err
kill -INT "$client"
status=0
wait $client || status=$?
[ $status = 20 ] || fail "exit status $status"
grep -q "stopped by signal 2; the same command continues" err || fail "unclear: $(cat err)"
[ ! -e dst/two ] || fail "half a file under its final name"
expect 0 hcp --json --progress big dst/two
[ "$(summary bytes_resumed)" -gt 0 ] || fail "did not continue"
python3 -c 'import json
for line in open("out"):
    assert json.loads(line)["event"] in ("progress", "summary")'
