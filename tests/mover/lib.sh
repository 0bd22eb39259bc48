# SPDX-License-Identifier: GPL-2.0-or-later
# Helpers of the mover's tests. A test runs in an empty directory of its own with "set -eu".
# shellcheck shell=sh

HEARTHCP=$BUILD/hearthcp
HEARTHD=$BUILD/hearthd
# shellcheck disable=SC2034 # the tests use it
HOST=127.0.0.1

fail() {
	echo "FAIL: $*"
	exit 1
}

skip() {
	echo "$*"
	exit 77
}

# An sshd of our own: keys, port and configuration live in the scratch directory.
start_sshd() {
	mkdir -p /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$SCRATCH/host_key"
	ssh-keygen -q -t ed25519 -N '' -f "$SCRATCH/user_key"
	cp "$SCRATCH/user_key.pub" "$SCRATCH/authorized_keys"
	SSH_PORT=$((20000 + $$ % 20000))
	cat > "$SCRATCH/sshd_config" <<-EOF
		Port $SSH_PORT
		ListenAddress 127.0.0.1
		HostKey $SCRATCH/host_key
		AuthorizedKeysFile $SCRATCH/authorized_keys
		PidFile $SCRATCH/sshd.pid
		StrictModes no
		UsePAM no
		PermitRootLogin yes
		SetEnv ASAN_OPTIONS=$ASAN_OPTIONS
	EOF
	cat > "$SCRATCH/ssh_config" <<-EOF
		Port $SSH_PORT
		IdentityFile $SCRATCH/user_key
		IdentitiesOnly yes
		UserKnownHostsFile $SCRATCH/known_hosts
		StrictHostKeyChecking accept-new
		LogLevel ERROR
		BatchMode yes
	EOF
	/usr/sbin/sshd -f "$SCRATCH/sshd_config" -E "$SCRATCH/sshd.log" || return 1
}

stop_sshd() {
	[ ! -f "$SCRATCH/sshd.pid" ] || kill "$(cat "$SCRATCH/sshd.pid")" 2> /dev/null || true
}

umount_all() {
	awk -v s="$SCRATCH/" 'index($2, s) == 1 { print $2 }' /proc/mounts | tac | while read -r m; do umount "$m"; done
}

# hearthcp with our ssh; the far end is the sanitized hearthd.
hcp() {
	"$HEARTHCP" -e "ssh -F $SCRATCH/ssh_config" --hearthd-path="$HEARTHD" "$@"
}

# The same with a stand-in for ssh that starts the far end right here: a tenth of the time.
ncp() {
	"$HEARTHCP" -e "$SCRATCH/rsh" --hearthd-path="$HEARTHD" "$@"
}

make_rsh() {
	cat > "$SCRATCH/rsh" <<-'EOF'
		#!/bin/sh
		shift
		SSH_CONNECTION="x x 127.0.0.1 x"
		export SSH_CONNECTION
		exec "$@"
	EOF
	chmod +x "$SCRATCH/rsh"
}

# Runs a command that must exit with $1; its output goes to ./out and ./err.
expect() {
	wanted=$1
	shift
	status=0
	"$@" > out 2> err || status=$?
	[ "$status" = "$wanted" ] || {
		cat out err
		fail "exit status $status instead of $wanted: $*"
	}
	! grep -q "Sanitizer\|runtime error" err || {
		cat err
		fail "a sanitizer complained: $*"
	}
}

# A number from the --json summary in ./out.
summary() {
	python3 -c 'import json, sys
for line in open("out"):
    event = json.loads(line)
    if event["event"] == "summary":
        print(event[sys.argv[1]])' "$1"
}

# Two trees are the same in everything that rsync -a looks at, content included; further options are rsync's.
same_tree() {
	rsync -acin --delete ${3:+"$3"} "$1/" "$2/" > differences
	[ ! -s differences ] || {
		cat differences
		fail "these differ: $1 $2"
	}
}

# Two names of one file.
same_file() {
	[ "$(stat -c %d:%i "$1")" = "$(stat -c %d:%i "$2")" ]
}

random_file() {
	head -c "$2" /dev/urandom > "$1"
}

# No temporary files or journals are left anywhere below.
no_leftovers() {
	left=$(find "$1" -name '.*.hearth' -o -name '.*.hearth-journal')
	[ -z "$left" ] || fail "left over: $left"
}

# Two hosts for the rest of the test: network namespaces of the names in $near (10.213.9.1) and $far (10.213.9.2) with
# a cable between them. What $daemons names is killed before they go.
# shellcheck disable=SC2154 # near and far are the test's
two_hosts() {
	daemons=${daemons:-}
	trap 'kill $daemons 2> /dev/null || true; ip netns del $near 2> /dev/null || true; ip netns del $far 2> /dev/null || true' EXIT
	{ ip netns add "$near" && ip netns add "$far"; } 2> /dev/null || skip "no network namespaces here"
	ip link add eth0 netns "$near" type veth peer name eth0 netns "$far" || skip "no veth here"
	ip -n "$near" addr add 10.213.9.1/24 dev eth0
	ip -n "$far" addr add 10.213.9.2/24 dev eth0
	for ns in "$near" "$far"; do
		ip -n "$ns" link set eth0 up
		ip -n "$ns" link set lo up
	done
}

# Waits until a command succeeds; gives up after a minute.
until_true() {
	tries=6000
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || fail "never came true: $*"
		sleep 0.01
	done
}

# True once a journal holds more than $2 bytes.
journal_has() {
	[ "$(stat -c %s "$1" 2> /dev/null || echo 0)" -gt "$2" ]
}
