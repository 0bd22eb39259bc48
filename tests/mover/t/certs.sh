# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# Certificates instead of keys: either side refuses what is expired, made out to somebody else or signed by nobody that
# it trusts, and says so.
command -v openssl > /dev/null || skip "no openssl here"
random_file big 2000000
mkdir -p data box
cp big data/
quietly() {
	"$@" > log 2>&1 || fail "$* : $(cat log)"
}
authority() {
	quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.pem" \
		-days 3650 -subj "/CN=$1" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}
# NAME, common name, authority, extension, from, to: a day each
certificate() {
	quietly openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$2"
	mkdir -p "$1.ca"
	: > "$1.ca/index"
	od -An -N4 -tx4 /dev/urandom | tr -d " " > "$1.ca/serial"
	echo "$4" > "$1.ca/extensions"
	cat > "$1.ca/conf" <<- CONF
		[ca]
		default_ca = it
		[it]
		database = $1.ca/index
		serial = $1.ca/serial
		new_certs_dir = $1.ca
		default_md = sha256
		policy = any
		[any]
		commonName = supplied
	CONF
	quietly openssl ca -batch -notext -config "$1.ca/conf" -cert "$3.pem" -keyfile "$3.key" -in "$1.csr" -out "$1.pem" \
		-startdate "$5"000000Z -enddate "$6"000000Z -extfile "$1.ca/extensions"
	chmod 600 "$1.key"
}
authority good
authority other
certificate server store.example good "subjectAltName=DNS:store.example,IP:127.0.0.1" 20200101 20990101
certificate wrongname elsewhere.example good "subjectAltName=DNS:elsewhere.example" 20200101 20990101
certificate oldserver store.example good "subjectAltName=DNS:store.example,IP:127.0.0.1" 20200101 20210101
certificate alice alice good "extendedKeyUsage=clientAuth" 20200101 20990101
certificate bob bob good "extendedKeyUsage=clientAuth" 20200101 20990101
certificate expired alice good "extendedKeyUsage=clientAuth" 20200101 20210101
certificate early alice good "extendedKeyUsage=clientAuth" 20980101 20990101
certificate foreign alice other "extendedKeyUsage=clientAuth" 20200101 20990101
certificate nameless "no user" good "extendedKeyUsage=clientAuth" 20200101 20990101
"$HEARTHD" --generate-key=carol > carol.keys
chmod 600 carol.keys
port=$((20000 + ($$ + 3000) % 20000))
lists=
serve() { # which certificate
	cat > conf <<- CONF
		port = $port
		certificate = $PWD/$1.pem
		certificate-key = $PWD/$1.key
		client-ca = $PWD/good.pem
		keys = $PWD/carol.keys
		${lists:+crl = $PWD/$lists}
		[data]
		path = $PWD/data
		user = root
		[box]
		path = $PWD/box
		write = yes
		users = alice
		user = root
	CONF
	"$HEARTHD" --config=conf 2> daemon.log &
	daemon=$!
	until_true grep -q "2 modules on port $port" daemon.log
}
stop() {
	kill $daemon
	wait $daemon || fail "the daemon ended with $?: $(cat daemon.log)"
	! grep -q "Sanitizer\|runtime error" daemon.log || fail "$(cat daemon.log)"
}
trap 'kill $daemon 2> /dev/null || true' EXIT
at=hearth://127.0.0.1:$port
as() {
	who=$1
	shift
	"$HEARTHCP" --cert="$who.pem" --cert-key="$who.key" --ca=good.pem "$@"
}
says() {
	grep -q -- "$1" err || fail "\"$1\" is not in: $(cat err)"
}
logged() {
	until_true grep -q -- "$1" daemon.log
}
serve server
expect 0 as alice -a --json "$at/data/" pulled
same_tree data pulled
[ "$(summary bytes_wire)" -gt 2000000 ] || fail "not over a stream"
expect 0 as alice -a big "$at/box/"
cmp big box/big
logged "alice (.*127.0.0.1): writes to: box"
logged "alice (.*127.0.0.1): ended with status 0"
# The common name is the user; a module is for some of them.
expect 4 as bob big "$at/box/x"
says "box: this module is not for this user"
logged "bob (.*127.0.0.1): refused: box: this module is not for this user"
expect 0 as bob "$at/data/big" got
# A key still does, and a wrong one is not made up for by the daemon's certificate.
expect 0 "$HEARTHCP" --key-file=carol.keys "$at/data/big" got
"$HEARTHD" --generate-key=carol > wrong.keys
chmod 600 wrong.keys
expect 3 "$HEARTHCP" --key-file=wrong.keys "$at/data/big" got
says "do not have the same key"
# Whom the daemon does not take.
for case in "expired:certificate has expired" "early:certificate is not yet valid" "foreign:certificate" \
	"nameless:\"no user\" is no user's name"; do
	who=${case%%:*}
	rm -f got
	expect 3 as "$who" "$at/data/big" got
	says "$at: "
	logged "a connection from .*127.0.0.1 was not admitted: .*${case#*:}"
	[ ! -e got ] || fail "$who got in"
done
expect 3 as expired "$at/data/big" got
says "the daemon does not accept our certificate: certificate expired"
expect 3 as foreign "$at/data/big" got
says "the daemon does not accept our certificate: unknown CA"
expect 3 "$HEARTHCP" --cert=alice.pem --cert-key=alice.key --ca=other.pem "$at/data/big" got
says "the certificate of \"store.example\" is not accepted: .*issuer certificate"
# The name may be given, and must be right.
expect 0 as alice --peer-name=store.example "$at/data/big" got
expect 3 as alice --peer-name=elsewhere.example "$at/data/big" got
says "is not accepted: hostname mismatch"
# A certificate of a daemon is none of a user, nor the other way round.
certificate usable alice good "extendedKeyUsage=serverAuth" 20200101 20990101
expect 3 as usable "$at/data/big" got
says "the daemon does not accept our certificate"
# TLS 1.3 alone, no tickets, no early data, and nobody without a certificate.
: | openssl s_client -connect "127.0.0.1:$port" -tls1_2 > log 2>&1 && fail "took TLS 1.2"
: | timeout 20 openssl s_client -connect "127.0.0.1:$port" -CAfile good.pem -cert alice.pem -key alice.key > log 2>&1 || true
grep -q "TLSv1.3" log || fail "no TLS 1.3: $(cat log)"
! grep -q "Session Ticket" log || fail "gave a ticket: $(cat log)"
: | timeout 20 openssl s_client -connect "127.0.0.1:$port" -CAfile good.pem > log 2>&1 || true
logged "peer did not return a certificate\|no known key and no certificate"
stop
serve wrongname
expect 3 as alice "$at/data/big" got
says "the certificate of \"elsewhere.example\" is not accepted: IP address mismatch"
expect 0 as alice --peer-name=elsewhere.example "$at/data/big" got
stop
serve oldserver
expect 3 as alice "$at/data/big" got
says "the certificate of \"store.example\" is not accepted: certificate has expired"
# One that was renewed counts at once.
cp server.pem oldserver.pem
cp server.key oldserver.key
expect 0 as alice "$at/data/big" got
stop
# What an authority has revoked, on either side. A list that has run out stands for none at all.
mkdir revoked
: > revoked/index
echo 01 > revoked/number
cat > revoked/conf <<- CONF
	[ca]
	default_ca = it
	[it]
	database = $PWD/revoked/index
	crlnumber = $PWD/revoked/number
	default_md = sha256
CONF
revoke() { # what, into which list, options
	what=$1 list=$2
	shift 2
	quietly openssl ca -config revoked/conf -cert good.pem -keyfile good.key -revoke "$what.pem"
	quietly openssl ca -config revoked/conf -cert good.pem -keyfile good.key -gencrl -out "$list" "$@"
}
revoke bob users.crl -crldays 3650
revoke wrongname both.crl -crldays 3650
revoke nameless old.crl -crl_lastupdate 20200101000000Z -crl_nextupdate 20210101000000Z
lists=users.crl
serve server
expect 0 as alice "$at/data/big" got
expect 3 as bob "$at/data/big" got
says "the daemon does not accept our certificate: certificate revoked"
logged "was not admitted: the certificate of \"bob\" is not accepted: certificate revoked"
# A key of that name is another matter, and a new list counts at once.
expect 0 "$HEARTHCP" --key-file=carol.keys "$at/data/big" got
cp old.crl users.crl
expect 3 as alice "$at/data/big" got
logged "the certificate of \"alice\" is not accepted: CRL has expired"
stop
lists=
serve wrongname
expect 0 as alice --peer-name=elsewhere.example "$at/data/big" got
expect 3 as alice --peer-name=elsewhere.example --crl=both.crl "$at/data/big" got
says "the certificate of \"elsewhere.example\" is not accepted: certificate revoked"
expect 3 as alice --peer-name=elsewhere.example --crl=old.crl "$at/data/big" got
says "the certificate of \"elsewhere.example\" is not accepted: CRL has expired"
stop
# What cannot be: said before anybody is connected to.
expect 1 "$HEARTHCP" --cert=alice.pem "$at/data/big" got
says "belong together"
expect 1 "$HEARTHCP" --ca=good.pem "$at/data/big" got
says "need --cert"
expect 3 "$HEARTHCP" --cert=alice.pem --cert-key=bob.key --ca=good.pem "$at/data/big" got
says "bob.key: is not the certificate's key: key values mismatch"
chmod 644 alice.key
expect 3 as alice "$at/data/big" got
says "alice.key: others may read it; chmod 600"
sed "s/wrongname.pem/missing.pem/" conf > bad
expect 1 "$HEARTHD" --config=bad
says "missing.pem: no certificate can be read"
sed "s/^\(\t*\)port = .*/&\ncrl = missing.crl/" conf > bad
expect 1 "$HEARTHD" --config=bad
says "missing.crl: no list of revoked certificates can be read"
expect 3 "$HEARTHCP" --cert=bob.pem --cert-key=bob.key --ca=good.pem --crl=good.pem "$at/data/big" got
says "good.pem: no list of revoked certificates can be read"
expect 1 "$HEARTHCP" --crl=users.crl "$at/data/big" got
says "need --cert"
grep -v client-ca conf > bad
expect 1 "$HEARTHD" --config=bad
says "certificate, certificate-key and client-ca belong together"
