# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# What cannot be copied into a LUN, or is not to be, is said by name, and nothing is written.
# shellcheck source=tests/mover/lib-lun.sh
. "$HEARTH_TESTS/lib-lun.sh"

random_file image 3000000
random_file image2 4096
mkdir dir
echo x > dir/x
# What cannot be is refused before a byte is written.
make_lun vol0 4194304
[ -d /sys/kernel/config/target ] || {
	expect 4 lcp image lun:/vol0
	says "lun:/vol0: it cannot be seen whether an initiator may write to it"
	says "give --force if none does"
}
expect 4 lcp --force image lun:/none
says "lun:/none: there is no such LUN here"
expect 4 lcp lun:/none back2
says "lun:/none: there is no such LUN here"
expect 4 "$HEARTHCP" --force image lun:/vol0
says "there is no such LUN here"
chmod 000 nodes/vol0
if command -v setpriv > /dev/null; then
	chmod 755 "$PWD" "$SCRATCH"
	expect 4 setpriv --reuid=65534 --regid=65534 --clear-groups ./hearthcp --force /etc/passwd lun:/vol0
	says "no permission for /dev/hearth/vol0; run as root"
fi
chmod 600 nodes/vol0
(
	exec 9< nodes/vol0
	flock -x 9
	expect 4 lcp --force image x:lun:/vol0
	says "lun:/vol0: another copy is writing to it"
	expect 0 lcp x:lun:/vol0 while-written
)
expect 4 lcp --force image lun:/vol0@100
says "must be multiples of its blocks of 512 bytes"
expect 4 lcp --force image lun:/vol0@0+1000
says "must be multiples of its blocks"
HEARTH_BLOCK=4096 expect 4 lcp --force image lun:/vol0@512
says "multiples of its blocks of 4096 bytes"
expect 4 lcp --force image lun:/vol0@4M
says "the range ends behind the LUN's 4194304 bytes"
expect 4 lcp lun:/vol0@3M+2M back2
says "the range ends behind the LUN's 4194304 bytes"
expect 23 lcp --force image lun:/vol0@2M
says "the source is larger than what there is of the LUN; nothing was written"
expect 23 lcp --force image lun:/vol0@0+1M
says "larger than what there is"
: > empty
expect 23 lcp --force empty lun:/vol0
says "the source is empty"
expect 23 lcp --force - lun:/vol0 < /dev/null
says "the source is empty"
mkfifo fifo
expect 23 lcp --force fifo lun:/vol0
says "fifo: only a file, block device, pipe or LUN"
expect 23 lcp --force missing lun:/vol0
says "missing: no such file"
expect 4 lcp -r --force dir lun:/vol0
says "only a single file, block device, pipe or LUN can go into a LUN"
[ ! -s nodes.log ] || fail "something was written: $(cat nodes.log)"
cmp nodes/vol0 vol0.before

# A pipe that has more than there is room for, and a file that gets shorter, are said; the rest of the LUN stays.
expect 23 lcp --force - x:lun:/vol0@1M+1M < image
says "that lies behind its end"
same_part nodes/vol0 0 1048576 vol0.before
same_part nodes/vol0 2097152 2097152 vol0.before 2097152
random_file short 8000000
make_lun vol2 16777216
./hearthcp -e "$SCRATCH/rsh" --hearthd-path="$PWD/hearthd" --force --stages=fused --bwlimit=2M --block-size=64K short x:lun:/vol2 2> err &
copy=$!
until_true state_has 200
truncate -s 4000000 short
status=0
wait $copy || status=$?
[ $status = 23 ] || fail "a source that ends early: status $status"
says "short: shrank while it was copied"
same_part nodes/vol2 8000000 8777216 vol2.before 8000000
no_state

# And on the command line.
expect 1 lcp image x:lun:vol0
says "a LUN is HOST:lun:/NAME"
for name in lun:/ lun:/a/b lun:/a@ lun:/a@x x:lun:/a@1M+ hearth://h/lun:/a@1+0; do
	expect 1 lcp image $name
	says "give lun:/NAME, lun:/NAME@OFFSET or lun:/NAME@OFFSET+LEN"
done
expect 1 lcp image image2 lun:/vol0
says "with a LUN, give one source"
expect 1 lcp x:lun:/vol0 x:lun:/vol0@1M
says "source and destination are the same part of one LUN"
expect 1 lcp --keep-warm image back
says "only where the destination is a LUN"
expect 1 lcp --keep-warm --no-cache image lun:/vol0
says "are opposites"
expect 1 lcp --block-size=5000 image lun:/vol0
says "give a multiple of 4K"
expect 1 lcp bench x:lun:/vol0
says "bench: not with a LUN"
for option in -c -R -b --append-verify --inplace -u --existing --ignore-existing --size-only -A -X; do
	expect 1 lcp $option image lun:/vol0
	says "$option: a LUN is no file; not with one as destination"
done
expect 1 lcp --remove-source-files lun:/vol0 back
says "--remove-source-files: a LUN is no file; not with one as source"
expect 1 lcp --exclude=x image lun:/vol0
says "a LUN has no files"
expect 1 lcp --chown=1:1 image lun:/vol0
says "not with one as destination"
