# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What cannot be done is refused by name, with the documented status, before anything is copied.
echo text > src
says() {
	grep -q -- "$1" err || fail "\"$1\" is not in: $(cat err)"
	[ ! -e dst ] || fail "something was copied"
}
for option in -E -C -y --append --partial-dir=x --copy-dest=x --delete-before --max-size=1; do
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
expect 1 hcp --bwlimit=fast src dst
says "--bwlimit=fast: give KiB a second"
expect 1 hcp --chmod=u+q src dst
says "--chmod=u+q: give changes"
expect 1 hcp --chown=nobodyhere src dst
says 'there is no user "nobodyhere"'
expect 1 hcp --suffix=a/b src dst
says "--suffix=a/b: give up to"
expect 1 hcp --max-delete=many src dst
says "--max-delete=many: give a number"
expect 1 hcp --delete src dst
says "--delete needs -r"
expect 1 hcp -b --inplace src dst
says "--inplace writes to the files themselves"
expect 1 hcp --link-dest=x src dst
says "--link-dest needs -t"
expect 1 hcp --files-from=missing src dst
says "--files-from=missing: cannot be read: No such file"
expect 1 hcp --compress-level=30 src dst
says "--compress-level=30: give a number from 1 to 19"
expect 1 hcp src
says "at least one source and a destination"
expect 1 hcp hearth://host src dst
says "give hearth://"
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
grep -q 'give --server, --config=FILE' err
# --help fits a screen, and shows nothing that is refused.
"$HEARTHCP" --help > help
[ "$(wc -l < help)" -le 36 ] || fail "--help has $(wc -l < help) lines"
! grep -q -- '--append=' help || fail "--help shows what is refused"
