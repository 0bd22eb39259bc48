#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Where there is no RDMA it is said why, with device, call and remedy: --transport=rdma ends there, else data goes over TCP.
# topology: 2n
# needs: userspace
# limit: 300

. "$HEARTH_TESTS/lib.sh"
. "$HEARTH_TESTS/lib-rdma.sh"

start_mover
head -c 1M /dev/urandom >file

# refused REGEX [COMMAND...]: how hearthcp is run, if not as it is
refused() {
	local regex=$1
	shift
	rm -f copy
	expect 3 "$@" "$programs/hearthcp" -e "$PWD/rsh" --hearthd-path="$far_program" --transport=rdma file "x:$PWD/copy"
	says "$regex"
	[ ! -e copy ] || fail 'refused, and yet copied'
	expect 0 "$@" "$programs/hearthcp" -e "$PWD/rsh" --hearthd-path="$far_program" --transport=auto file "x:$PWD/copy"
	says "data goes over TCP, not RDMA: .*$regex"
	cmp file copy
}

refused 'no RDMA device is there; see "rdma link"'

modprobe -r rdma_ucm
make_rail
refused 'rail0: /dev/infiniband/rdma_cm: .*"modprobe rdma_ucm"'
modprobe rdma_ucm

ip addr del 10.21.0.1/24 dev r0
refused 'rail0: rdma_bind_addr: no device has an address'
ip addr add 10.21.0.1/24 dev r0

ip link set s0 down
wait_for 20 eval '! rail_is_active 0' || fail 'the port stays up'
refused 'rail0: ibv_query_port: the port is down'
ip link set s0 up
wait_for 20 rail_is_active 0 || fail 'the port stays down'

# A device to which no route leads: what the connection manager asks is answered before the table of local addresses is.
ip rule add pref 20 lookup local
ip rule del pref 0
ip rule add pref 10 to 10.21.0.1 unreachable
routes_as_ever() {
	ip rule add pref 0 lookup local
	ip rule del pref 10
	ip rule del pref 20
}
defer routes_as_ever
refused 'rdma_cm: rdma_resolve_addr: .*see "ip route get" and "rdma link" at both ends'
undo_now routes_as_ever

# A far end that has no device.
cat >bare <<END
#!/bin/sh
exec unshare --mount sh -c 'mount -t tmpfs none /sys/class/infiniband && exec "\$0" "\$@"' $programs/hearthd "\$@"
END
chmod +x bare
far_program=$PWD/bare
refused 'at the far end: no RDMA device is there'
far_program=$programs/hearthd

# Who may not lock memory, on this side or the other.
chmod 777 .
chmod 666 file /dev/infiniband/*
poor=(prlimit --memlock=1048576 setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --inh-caps=-all)
refused 'rail0: ibv_reg_mr: .*limited to 1024 KiB; raise "ulimit -l" or the service.s LimitMEMLOCK=' "${poor[@]}"
cat >poor <<END
#!/bin/sh
exec ${poor[*]} $programs/hearthd "\$@"
END
chmod +x poor
far_program=$PWD/poor
refused 'at the far end: rail0: ibv_reg_mr: '
far_program=$programs/hearthd

# Who may lock only a little, and did not say how much, gets by with that.
expect 0 "${poor[@]/1048576/8388608}" "$programs/hearthcp" -e "$PWD/rsh" --hearthd-path="$far_program" --transport=rdma \
	file "x:$PWD/copy"
cmp file copy
rm copy
# So it does at the far end, whatever this one has.
sed -i 's/1048576/8388608/' poor
far_program=$PWD/poor
expect 0 hcp --transport=rdma file x:"$PWD/copy"
cmp file copy
rm copy
far_program=$programs/hearthd

# Enough of it, and not more than is needed.
expect 0 "${poor[@]/1048576/67108864}" "$programs/hearthcp" -e "$PWD/rsh" --hearthd-path="$far_program" --transport=rdma \
	--memory=4M file "x:$PWD/copy"
cmp file copy
