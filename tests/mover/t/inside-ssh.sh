# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Where the data port cannot be reached, data goes inside ssh, and the user hears it and why.
random_file big 3000000
expect 0 hcp --data=ssh big "$HOST:$PWD/copy"
cmp big copy
# No route to the address that ssh reports: the environment of the far end lies about it.
cat > hearthd-behind-firewall <<EOF2
#!/bin/sh
SSH_CONNECTION="192.0.2.1 1 0.0.0.0 1"
SSH_CONNECTION="x x invalid.invalid x" exec $HEARTHD "\$@"
EOF2
chmod +x hearthd-behind-firewall
expect 0 "$HEARTHCP" -e "ssh -F $SCRATCH/ssh_config" --hearthd-path="$PWD/hearthd-behind-firewall" big "$HOST:$PWD/copy2"
cmp big copy2
grep -q "cannot be reached.*data goes inside ssh" err || fail "not said: $(cat err)"
expect 3 "$HEARTHCP" --data=direct -e "ssh -F $SCRATCH/ssh_config" --hearthd-path="$PWD/hearthd-behind-firewall" \
	big "$HOST:$PWD/copy3"
port=$((40000 + $$ % 20000))
expect 0 hcp --port=$port-$((port + 9)) big "$HOST:$PWD/copy4"
cmp big copy4
