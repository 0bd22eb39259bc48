# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# A tree of everything -a covers: modes, set-id bits, times, owners, symlinks, FIFOs, devices, empty files and directories.
mkdir -p src/a/b/c src/empty "src/ro"
for i in $(seq 700); do
	printf "%${i}s" x > "src/a/b/f$i"
done
random_file src/big 3000000
touch src/zero
ln -s ../nowhere src/a/link
mkfifo src/fifo
mknod src/null c 1 3
chmod 4711 src/a/b/f3
chmod 0 src/a/b/f4
chown 1234:4321 src/a/b/f5 src/empty
chown -h 77:78 src/a/link
touch -d '1969-12-31 23:59:58.5' src/a/b/f6
touch -d '2040-01-02 03:04:05.123456789' src/a/b/f7 src/a
chmod 2775 src/a/b/c
chmod 555 src/ro
for plan in "--stages=fused" "--stages=split --block-size=16K"; do
	# shellcheck disable=SC2086
	{
		expect 0 hcp -a $plan src local
		expect 0 hcp -a $plan src/ "$HOST:$PWD/pushed"
		expect 0 hcp -a $plan "$HOST:$PWD/src" pulled/
	}
	same_tree src local/src
	same_tree src pushed
	same_tree src pulled/src
	rm -r local pushed pulled
done
