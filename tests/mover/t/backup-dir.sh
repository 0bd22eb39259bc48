# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --backup-dir keeps what is replaced or deleted in a tree of its own, as rsync's does, also on another file system.
prepare() {
	rm -rf src dst theirs kept theirs-kept
	mkdir -p src/d/e dst/d/e dst/gone/deep
	for f in f d/g d/e/h; do
		echo "new $f" > "src/$f"
		echo "old $f" > "dst/$f"
		touch -d @7 "dst/$f"
	done
	ln -s new src/d/l
	ln -s old dst/d/l
	echo x > dst/gone/deep/x
	ln -s nowhere dst/gone/l
	mkfifo dst/gone/fifo
	chmod 750 src/d dst/d
	cp -a dst theirs
}
for suffix in "" "--suffix=.old"; do
	prepare
	rsync -ab --delete --backup-dir=../theirs-kept ${suffix:+"$suffix"} src/ theirs/
	expect 0 ncp -a --delete --backup-dir=../kept ${suffix:+"$suffix"} src/ "$HOST:$PWD/dst"
	same_tree theirs dst -O
	same_tree theirs-kept kept -O
	[ "$(cat "kept/d/e/h${suffix#--suffix=}")" = "old d/e/h" ] || fail "not kept: $(find kept)"
done
# Below the destination it is not deleted itself, and a dry run makes nothing.
prepare
expect 0 ncp -an --delete --backup-dir=.kept src/ dst
[ ! -e dst/.kept ] || fail "a dry run made it"
expect 0 ncp -a --delete --backup-dir=.kept/monday "$HOST:$PWD/src/" dst
[ "$(cat dst/.kept/monday/f)" = "old f" ] || fail "not kept"
expect 0 ncp -a --delete --backup-dir=.kept/monday src/ dst
[ "$(cat dst/.kept/monday/f)" = "old f" ] || fail "the backups were deleted"
# A single file under a name of its own.
echo old > single
expect 0 ncp --backup-dir=kept src/f single
[ "$(cat kept/single)" = old ] || fail "not kept: $(ls kept)"
# What cannot be used is said before anything is touched.
echo file > inway
expect 4 ncp -a --backup-dir=../inway src/ dst
grep -q "backup-dir=../inway: cannot be used: Not a directory" err || fail "unclear: $(cat err)"
[ "$(id -u)" = 0 ] || skip "only root mounts another file system"
prepare
mkdir other
mount -t tmpfs -o size=4m none other || skip "no tmpfs can be mounted here"
chown 123:456 dst/f
setfattr -n user.colour -v red dst/f 2> /dev/null || true
expect 0 ncp -a --delete --backup-dir="$PWD/other" src/ "$HOST:$PWD/dst"
[ "$(cat other/f)" = "old f" ] || fail "not kept on another file system"
[ "$(stat -c %u:%g:%Y other/f)" = 123:456:7 ] || fail "attributes: $(stat other/f)"
{ [ "$(readlink other/gone/l)" = nowhere ] && [ -p other/gone/fifo ]; } || fail "not all kept: $(find other)"
no_leftovers other
# A full one: what cannot be kept is neither replaced nor deleted.
umount other
mount -t tmpfs -o size=64k none other
prepare
random_file dst/f 200000
cp dst/f before
expect 23 ncp -a --delete --backup-dir="$PWD/other" src/ dst
cmp before dst/f || fail "replaced without a backup"
grep -q "dst/f: .*No space left on device" err || fail "not named: $(cat err)"
