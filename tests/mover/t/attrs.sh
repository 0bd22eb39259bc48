# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# -X and -A: extended attributes and ACLs, on files and directories, in place of those that were there.
mkdir -p src/d
echo f > src/f
echo g > src/d/g
random_file src/big 2000000
setfattr -n user.colour -v red src/f 2> /dev/null || skip "no user attributes on this file system"
setfacl -m u:12345:rwx src/f 2> /dev/null || skip "no ACLs on this file system"
setfattr -n user.binary -v 0x00ff0a00 src/d
setfattr -n user.long -v "$(head -c 3000 /dev/zero | tr '\0' x)" src/big
setfacl -d -m u:12345:rx src/d
setfacl -m g:54321:r src/d/g
mkdir plain
expect 0 ncp -a src/ plain
[ -z "$(getfattr plain/f)" ] || fail "attributes without -X"
attributes() {
	(cd "$1" && getfattr -R -d -m - -e hex . | sort && getfacl -R -n . )
}
attributes src > wanted
for way in "src/ pushed" "src pulled"; do
	case $way in
	*pushed) expect 0 ncp -aAX src/ "$HOST:$PWD/pushed" ;;
	*) expect 0 ncp -aAX "$HOST:$PWD/src/" pulled ;;
	esac
	attributes "${way#* }" > got
	diff wanted got || fail "attributes differ: $way"
done
# What has changed is brought over without the content, and what is gone goes.
setfattr -x user.colour src/f
setfattr -n user.shape -v round src/f
setfacl -b src/d/g
setfattr -n user.new -v x pushed/big
attributes src > wanted
expect 0 ncp -aAX --json src/ "$HOST:$PWD/pushed"
[ "$(summary bytes_moved)" = 0 ] || fail "moved $(summary bytes_moved) bytes"
attributes pushed | diff wanted - || fail "attributes were not brought up to date"
# Capabilities, which a change of owner takes away: they come after it.
if command -v setcap > /dev/null && [ "$(id -u)" = 0 ]; then
	chown 1234 src/f
	setcap cap_net_raw+ep src/f
	expect 0 ncp -aX src/f "$HOST:$PWD/able"
	[ "$(stat -c %u able)" = 1234 ] || fail "another owner"
	[ "$(getcap able)" = "able cap_net_raw=ep" ] || fail "capabilities: $(getcap able)"
fi
# A default ACL of the destination does not stay on what has none.
mkdir inherits
setfacl -d -m u:777:rwx inherits
expect 0 ncp -aAX src/big "$HOST:$PWD/inherits/"
! getfacl -n inherits/big | grep -q 777 || fail "inherited an ACL"
