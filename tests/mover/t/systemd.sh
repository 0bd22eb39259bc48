# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# As the README has it, under a real systemd: systemctl enable --now hearthd; it serves, comes back after kill -9 and
# after a boot, and says what is wrong with its configuration.
[ "$(id -u)" = 0 ] || skip "only root can boot a systemd in a namespace"
src=$(cd "$HEARTH_TESTS/../../userspace" && pwd)
up=$PWD/machine/upper
mkdir -p "$up/srv/scans" "$up/srv/inbox" "$up/etc/hearth"
make -s -C "$src" install DESTDIR="$up" PREFIX=/usr/local OUT="$BUILD" SAN=1 > log 2>&1 || fail "$(cat log)"
echo content > "$up/srv/scans/f"
chown 65534 "$up/srv/inbox"
"$HEARTHD" --generate-key=alice > "$up/etc/hearth/keys"
chmod 600 "$up/etc/hearth/keys"
printf 'keys = /etc/hearth/keys\n[scans]\npath = /srv/scans\nuser = nobody\n[inbox]\npath = /srv/inbox\nwrite = yes\nuser = nobody\n' \
	> "$up/etc/hearth/hearthd.conf"
machine() {
	status=0
	"$HEARTH_TESTS/systemd" "$PWD/machine" "export ASAN_OPTIONS='$ASAN_OPTIONS'; $1" > out 2>&1 || status=$?
	[ $status != 77 ] || skip "$(cat out)"
	[ $status = 0 ] || fail "exit status $status: $(cat out machine/console)"
}
# shellcheck disable=SC2016 # for the shell in there to expand
copies='
	comes() { for i in $(seq 200); do ! hearthcp --key-file=/etc/hearth/keys hearth://127.0.0.1/scans/f /tmp/got 2> /tmp/err || return 0; sleep 0.1; done; cat /tmp/err; return 1; }
	comes
	cmp /tmp/got /srv/scans/f
	hearthcp --key-file=/etc/hearth/keys /srv/scans/f hearth://127.0.0.1/inbox/
	[ "$(stat -c %U /srv/inbox/f)" = nobody ]
	rm /srv/inbox/f
'
machine "
	systemctl enable --now hearthd
	systemctl is-enabled hearthd
	$copies
	systemctl show -P MainPID hearthd > /tmp/first
	kill -9 \$(cat /tmp/first)
	$copies
	[ \$(systemctl show -P MainPID hearthd) != \$(cat /tmp/first) ]
"
# Another boot: nobody starts it by hand. Then a mistake in its configuration, and the end.
machine "
	$copies
	systemctl is-active hearthd
	echo 'nonsense = 1' | cat - /etc/hearth/hearthd.conf > /tmp/conf
	cp /tmp/conf /etc/hearth/hearthd.conf
	systemctl restart hearthd || true
	for i in \$(seq 200); do [ \$(systemctl show -P ActiveState hearthd) != failed ] || break; sleep 0.1; done
	[ \$(systemctl show -P ActiveState hearthd) = failed ]
	[ \$(systemctl show -P NRestarts hearthd) = 0 ]
	[ \$(systemctl show -P ExecMainStatus hearthd) = 1 ]
	systemctl disable hearthd
	! systemctl is-enabled hearthd
"
