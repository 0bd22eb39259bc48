#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Blocks that are overwritten while their earlier contents are still on the wire reach the reader whole: over iSCSI with
# header and data digests, and over iSER; no digest error, no torn page, whole pages flipped and not copied.
# topology: 2n
# limit: 400

. "$HEARTH_TESTS/lib.sh"

mib=4
make_lun vol0 dev=/dev/vdb,cache=64M,readahead=0
export_luns hearth_0/vol0

# Digests for TCP only: iSER has its own, in hardware or below.
digests='node.conn[0].iscsi.HeaderDigest = CRC32C
node.conn[0].iscsi.DataDigest = CRC32C'
start_iscsid
cp /etc/iscsi/iscsid.conf iscsid.conf
defer cp "$PWD/iscsid.conf" /etc/iscsi/iscsid.conf
echo "$digests" >>/etc/iscsi/iscsid.conf
login tcp
cp iscsid.conf /etc/iscsi/iscsid.conf
login iser
tcp=$(disk_of tcp)
session=$(session_of tcp)
for file in header_digest data_digest; do
	equal "$file" "$(cat /sys/class/iscsi_connection/connection"${session##*/session}":0/$file)" 1
done

# pages_of BYTE: pages full of one byte.
pages_of() {
	head -c ${mib}M /dev/zero | tr '\0' "$1"
}
for byte in a b c; do
	pages_of $byte >all-$byte
done

# rewrite DISK BYTE...: overwrite everything again and again until the file "stop" is there.
rewrite() {
	local disk=$1
	shift
	while [ ! -e stop ]; do
		for byte; do
			dd if=all-"$byte" of="$disk" bs=64k oflag=direct status=none
		done
	done
}

# read_whole DISK: each page that is read is full of one byte.
read_whole() {
	local seen
	seen=$(dd if="$1" bs=1M count=$mib iflag=direct status=none | fold -w 4096 | tr -s abc | sort -u | tr '\n' ' ')
	case $seen in
	*[abc][abc]*) fail "a page mixes two writes: $seen" ;;
	'') fail 'nothing was read' ;;
	esac
}

for home in touch stripe; do
	echo $home >$core/hearth_0/vol0/attrib/home
	for fabric in tcp iser; do
		disk=$(disk_of $fabric)
		rm -f stop
		dd if=all-a of="$disk" bs=1M oflag=direct status=none
		flipped=$(counter_sum vol0 flipped_bytes)
		rewrite "$disk" b c &
		writer=$!
		for ((round = 0; round < 4; round++)); do
			for reader in 1 2 3; do
				read_whole "$disk" &
				readers[reader]=$!
			done
			for reader in 1 2 3; do
				wait "${readers[$reader]}" || fail "home=$home, $fabric: a reader failed"
			done
		done
		touch stop
		wait $writer || fail "home=$home, $fabric: the writer failed"
		[ "$(counter_sum vol0 flipped_bytes)" -ge $((flipped + 12 * mib * 1048576)) ] ||
			fail "home=$home, $fabric: only $(($(counter_sum vol0 flipped_bytes) - flipped)) bytes were flipped"
	done
done
same_bytes "$tcp" /dev/vdb 0 $mib

! klog_has 'digest.*(fail|error|mismatch)|detected conn error' || fail "digest errors: $(klog | grep -i digest)"
