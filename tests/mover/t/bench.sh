# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# hearthcp bench: a row for every case, transport, size and depth; each moved all bytes; nothing stays behind.
random_file src 3000000
rows() {
	python3 - "$@" <<-'EOF'
		import json, sys
		rows = [json.loads(line) for line in open("out")]
		wanted = {(c, t, s, d) for c in sys.argv[1].split(",") for t in ("tcp", "tcp-splice")
		          for s in (65536, 1048576) for d in (1, 3)}
		got = {(r["case"], r["transport"], r["message_bytes"], r["depth"]) for r in rows}
		assert got == wanted and len(rows) == len(wanted), got ^ wanted
		for r in rows:
		    assert r["bytes"] == (3000000 if r["case"] == "file to memory" else 5000000), r
		    assert r["gbit_s"] > 0 and r["cpu_s_per_gib_here"] > 0 and r["cpu_s_per_gib_there"] > 0, r
		    assert r["rss_mib_here"] > 0 and r["rss_mib_there"] > 0 and r["hashed"] == (len(sys.argv) < 3), r
	EOF
}
sweep="--bytes=5000000 --sizes=64K,1M --depths=1,3 --json"
# shellcheck disable=SC2086 # a list of words
{
	expect 0 "$HEARTHCP" bench --hearthd-path="$HEARTHD" $sweep
	rows "memory to memory"
	expect 0 ncp bench $sweep --from=src "$HOST:$PWD/written"
	rows "memory to memory,file to memory,memory to file"
	expect 0 ncp bench $sweep --integrity=link --from=src "$HOST:"
	rows "memory to memory,file to memory" unhashed
	expect 0 hcp bench --bytes=5000000 --sizes=64K --depths=1 --seal=encrypt "$HOST:"
	[ "$(grep -c "memory to memory tcp " out)" = 1 ] || fail "not one row: $(cat out)"
}
[ ! -e written ] || fail "what was measured stayed"
# Files are never overwritten, and what a measurement cannot mean is refused.
echo precious > written
expect 4 ncp bench --bytes=1M --sizes=1M --depths=1 "$HOST:$PWD/written"
[ "$(cat written)" = precious ] || fail "overwritten"
expect 1 ncp bench -a "$HOST:"
expect 1 ncp bench --sizes=12 "$HOST:"
expect 1 ncp bench --from=nothing "$HOST:"
expect 1 ncp --bytes=1M src dst
# A file of that name is still a file.
cp src bench
expect 0 "$HEARTHCP" ./bench copy
cmp src copy
