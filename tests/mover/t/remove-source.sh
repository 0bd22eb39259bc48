# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --remove-source-files removes what has arrived, and only that.
prepare() {
	rm -rf src dst
	mkdir -p src/d dst/inway
	echo f > src/f
	echo g > src/d/g
	: > src/empty
	ln -s x src/l
	random_file src/big 1500000
	echo way > src/inway
	cp -a src saved
}
for way in push pull local; do
	prepare
	case $way in
	push) expect 23 ncp -a --remove-source-files src/ "$HOST:$PWD/dst" ;;
	pull) expect 23 ncp -a --remove-source-files "$HOST:$PWD/src/" dst ;;
	local) expect 23 ncp -a --remove-source-files src/ dst ;;
	esac
	[ "$(find src ! -type d)" = src/inway ] || fail "$way: left or lost: $(find src)"
	cmp saved/big dst/big
	{ [ -L dst/l ] && [ -e dst/d/g ] && [ -e dst/empty ]; } || fail "$way: not all arrived"
	rm -r saved
done
# What was left alone because it is newer there stays; what is the same goes.
rm -rf src dst
mkdir src dst
echo old > src/f
touch -d @1 src/f
echo new > dst/f
echo same > src/g
cp -a src/g dst/
expect 0 ncp -au --remove-source-files src/ "$HOST:$PWD/dst"
[ "$(ls src)" = f ] || fail "left: $(ls src)"
expect 0 ncp -an --remove-source-files src/ "$HOST:$PWD/dst2"
[ -e src/f ] || fail "a dry run removed something"
# What cannot be removed is told, whichever end the source is at.
mount --bind src src || skip "no mounts here"
mount -o remount,bind,ro src
for way in push pull local; do
	rm -rf dst
	case $way in
	push) expect 23 ncp -a --remove-source-files src/ "$HOST:$PWD/dst" ;;
	pull) expect 23 ncp -a --remove-source-files "$HOST:$PWD/src/" dst ;;
	local) expect 23 ncp -a --remove-source-files src/ dst ;;
	esac
	cmp src/f dst/f
	grep -q 'f: cannot be removed: Read-only file system' err || fail "$way: not told: $(cat err)"
done
