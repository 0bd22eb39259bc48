# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What cannot be done is refused by name, with the documented status, before anything is copied.
echo text > src
says() {
	grep -q -- "$1" err || fail "\"$1\" is not in: $(cat err)"
	[ ! -e dst ] || fail "something was copied"
}
for option in -H -A -X -n -v -z --delete --exclude-from=x --checksum --bwlimit=1 --link-dest=/x --inplace --dry-run; do
	expect 1 hcp $option src dst
	says "${option%%=*}: not in this version"
done
expect 1 hcp --nonsense src dst
says "--nonsense: unknown option"
expect 1 hcp --block-size=12Q src dst
says "--block-size=12Q: give a size from 4.0 KiB"
expect 1 hcp --fsync=maybe src dst
says "give one of none, file, end"
expect 1 hcp --port=70000 src dst
says "give a port or a range"
expect 1 hcp src
says "at least one source and a destination"
expect 1 hcp hearth://host/module src dst
says "cannot be reached in this version"
expect 1 hcp one:src two:dst
says "between two far ends is not in this version"
expect 23 hcp missing dst/
grep -q "missing: no such file or directory" err || fail "unclear: $(cat err)"
rm -rf dst
expect 4 hcp src missing/dst
says "missing/dst: cannot be used as destination: No such file"
expect 3 hcp -e "ssh -F $SCRATCH/ssh_config -p 1" src "$HOST:dst"
says "the far end did not start"
expect 3 "$HEARTHCP" -e "ssh -F $SCRATCH/ssh_config" --hearthd-path=/nonexistent src "$HOST:dst"
says "there is no /nonexistent; install hearth there"
expect 2 "$HEARTHCP" -e "sh -c" --hearthd-path=x src "echo hello from the shell profile"':dst'
says "not Hearth's protocol"
expect 1 "$HEARTHD"
grep -q 'runs only as "hearthd --server"' err
# --help fits a screen, and shows nothing that is refused.
"$HEARTHCP" --help > help
[ "$(wc -l < help)" -le 36 ] || fail "--help has $(wc -l < help) lines"
! grep -q -- '--delete\|--checksum\|hard links' help || fail "--help shows what is refused"
