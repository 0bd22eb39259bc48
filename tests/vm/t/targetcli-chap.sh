#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# CHAP and ACLs as docs/security.md sets them up: who is not named, or does not know the password, gets nothing; who is to read
# only cannot write; and a target that does not know its own password is refused by the initiator.
# topology: 2n
# limit: 400
# allow-log: iSCSI|iscsi|CHAP|connection|Login|login|Security|Initiator

# shellcheck source=tests/vm/t/targetcli-common.bash
. "$(dirname "$0")/targetcli-common.bash"
. "$HEARTH_TESTS/lib-initiators.sh"

iqn=iqn.2026-01.org.example:vol0
# shellcheck disable=SC2154 # lib-initiators.sh sets $initiator_name
reader=$initiator_name:reader
writer=$initiator_name:writer

# set_up: what docs/security.md says
set_up() {
	create_vol0 mode=writeback >/dev/null
	session "/iscsi create $iqn" \
		"/iscsi/$iqn/tpg1/luns create /backstores/hearth/vol0" \
		"/iscsi/$iqn/tpg1 set attribute authentication=1 generate_node_acls=0" \
		"/iscsi/$iqn/tpg1/acls create $writer" \
		"/iscsi/$iqn/tpg1/acls/$writer set auth userid=writer password=correct-horse-battery" \
		"/iscsi/$iqn/tpg1/acls/$writer set auth mutual_userid=vol0 mutual_password=staple-of-the-target" \
		"/iscsi/$iqn/tpg1/acls create $reader add_mapped_luns=false" \
		"/iscsi/$iqn/tpg1/acls/$reader create mapped_lun=0 tpg_lun_or_backstore=lun0 write_protect=1" \
		"/iscsi/$iqn/tpg1/acls/$reader set auth userid=reader password=another-long-password"
}

# as WHO USER PASSWORD [TARGET-PASSWORD]
as() {
	login_as "$1" auth.authmethod=CHAP "auth.username=$2" "auth.password=$3" ${4:+"auth.username_in=vol0" "auth.password_in=$4"}
}

start_targetcli
start_net
set_up

refused='authorization failure|login failed|Could not log'
expect_fail "$refused" login_as stranger
expect_fail "$refused" as stranger writer correct-horse-battery
expect_fail "$refused" login_as writer
expect_fail "$refused" as writer writer wrong-horse-battery staple-of-the-target
expect_fail "$refused" as writer reader another-long-password
expect_fail "$refused" as writer writer correct-horse-battery not-that-of-the-target

head -c 1M /dev/urandom >data
as writer writer correct-horse-battery staple-of-the-target >/dev/null || fail 'the writer is refused'
dd if=data of="$disk" bs=64k oflag=direct status=none
undo_now logout_as writer
as reader reader another-long-password >/dev/null || fail 'the reader is refused'
cmp data <(dd if="$disk" bs=1M count=1 iflag=direct status=none) || fail 'the reader reads something else'
expect_fail 'Read-only|rotect' sg_dd if=data of="$disk" bs=512 count=8 bpt=8 blk_sgio=1
undo_now logout_as reader
cmp data <(dd if=/dev/vdb bs=1M count=1 iflag=direct status=none) || fail 'the device has something else'
