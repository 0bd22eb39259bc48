# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# --chmod and --chown give what chmod(1) and rsync give.
mkdir -p src/d
echo f > src/f
echo x > src/d/x
chmod 644 src/f
chmod 755 src/d/x
n=0
while read -r change; do
	n=$((n + 1))
	rm -rf theirs ours
	rsync -a --chmod="$change" src/ theirs
	expect 0 ncp -a --chmod="$change" src/ "$HOST:$PWD/ours"
	same_tree theirs ours
done << 'LIST'
Dg+s,ug+w,Fo-w,+X
u=rwX,go=
F600,D700
a-x,u+X
D2775,F0664
LIST
