// SPDX-License-Identifier: GPL-2.0-or-later
/* The control channel of a daemon: TLS 1.3 with a pre-shared key or certificates. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../common/io.h"
#include "tls.h"

#define CIPHER "TLS_AES_256_GCM_SHA384"
#define EXPORT_LABEL "EXPORTER-hearth-streams"
#define BUFFER_BYTES 16384
#define LINGER_SECONDS 2

static const unsigned char cipher_id[] = { 0x13, 0x02 };

/* A key in the form in which OpenSSL takes external PSKs. */
static SSL_SESSION *session_of(SSL *ssl, const struct hearth_secret *secret)
{
	SSL_SESSION *session = SSL_SESSION_new();

	if (session && SSL_SESSION_set1_master_key(session, secret->bytes, sizeof(secret->bytes)) &&
	    SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, cipher_id)) &&
	    SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION))
		return session;
	SSL_SESSION_free(session);
	return NULL;
}

static int use_key(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_len,
		   SSL_SESSION **ret)
{
	const struct hearth_tls *t = SSL_get_app_data(ssl);
	const struct hearth_secret *secret = t->identity->secret;

	(void)md;
	*ret = NULL;
	if (!secret)
		return 1;
	*ret = session_of(ssl, secret);
	*id = (const unsigned char *)secret->user;
	*id_len = strlen(secret->user);
	return !!*ret;
}

/* Who is unknown gets no session, and has to show a certificate. */
static int find_key(SSL *ssl, const unsigned char *id, size_t len, SSL_SESSION **ret)
{
	struct hearth_tls *t = SSL_get_app_data(ssl);
	const struct hearth_secret *secret =
		len && t->identity->keys ?
			hearth_keys_find(t->identity->keys, (const char *)id, len) :
			NULL;

	*ret = secret ? session_of(ssl, secret) : NULL;
	if (*ret)
		memcpy(t->user, secret->user, sizeof(t->user));
	return 1;
}

/* Passes OpenSSL's judgement on, with its reason. */
static int judge(int is_accepted, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct hearth_tls *t = SSL_get_app_data(ssl);

	if (!is_accepted && t->why)
		hearth_certs_explain(X509_STORE_CTX_get0_cert(store),
				     X509_STORE_CTX_get_error(store), t->why, t->why_size);
	return is_accepted;
}

static SSL_CTX *make_context(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());

	if (!ctx)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_ciphersuites(ctx, CIPHER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, 0);
	SSL_CTX_set_max_early_data(ctx, 0);
	SSL_CTX_set_recv_max_early_data(ctx, 0);
	/* Whose certificate was not asked for, or who has none instead of a key, is refused. */
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, judge);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return ctx;
}

static void set_timeout(int fd, int seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

/* One side of the traffic: bytes that were read and are still to be written. */
struct flow {
	uint8_t buf[BUFFER_BYTES];
	size_t len;
	size_t done;
	bool is_ended;
};

static bool is_retry(SSL *ssl, int ret)
{
	int why = SSL_get_error(ssl, ret);

	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

static void forget_if_done(struct flow *f)
{
	if (f->done < f->len)
		return;
	f->len = 0;
	f->done = 0;
}

/* From the network inwards; true if anything moved. */
static bool move_in(struct hearth_tls *t, struct flow *f)
{
	bool moved = false;

	if (!f->len && !f->is_ended) {
		int got = SSL_read(t->ssl, f->buf, sizeof(f->buf));

		if (got > 0)
			f->len = (size_t)got;
		else
			f->is_ended = !is_retry(t->ssl, got);
		moved = got > 0 || f->is_ended;
		ERR_clear_error();
	}
	if (f->len > f->done) {
		ssize_t put = send(t->inner_fd, f->buf + f->done, f->len - f->done, MSG_NOSIGNAL);

		if (put > 0)
			f->done += (size_t)put;
		else if (put < 0 && errno != EAGAIN && errno != EINTR)
			f->done = f->len;
		moved |= put > 0;
	}
	forget_if_done(f);
	return moved;
}

static bool move_out(struct hearth_tls *t, struct flow *f)
{
	bool moved = false;

	if (!f->len && !f->is_ended) {
		ssize_t got = read(t->inner_fd, f->buf, sizeof(f->buf));

		if (got > 0)
			f->len = (size_t)got;
		else
			f->is_ended = !got || (errno != EAGAIN && errno != EINTR);
		moved = got > 0 || f->is_ended;
	}
	if (f->len > f->done) {
		int put = SSL_write(t->ssl, f->buf + f->done, (int)(f->len - f->done));

		if (put > 0)
			f->done += (size_t)put;
		else if (!is_retry(t->ssl, put))
			f->done = f->len; /* nobody is there any more */
		moved |= put > 0;
		ERR_clear_error();
	}
	forget_if_done(f);
	return moved;
}

static void await(struct hearth_tls *t, const struct flow *in, const struct flow *out)
{
	struct pollfd fds[] = { { .fd = t->net_fd }, { .fd = t->inner_fd } };

	fds[0].events = (short)((in->len ? 0 : POLLIN) | (SSL_want_write(t->ssl) ? POLLOUT : 0));
	fds[1].events = (short)((out->len ? 0 : POLLIN) | (in->len ? POLLOUT : 0));
	/* Ended sides would only report that again. */
	if (in->is_ended)
		fds[0].fd = -1;
	if (out->is_ended)
		fds[1].fd = -1;
	poll(fds, 2, -1);
}

static void *relay(void *arg)
{
	struct hearth_tls *t = arg;
	struct flow in = { .len = 0 }, out = { .len = 0 };

	while (!(out.is_ended && !out.len) && !(in.is_ended && !in.len)) {
		bool moved = move_in(t, &in);

		moved |= move_out(t, &out);
		if (!moved)
			await(t, &in, &out);
	}
	SSL_shutdown(t->ssl);
	shutdown(t->net_fd, SHUT_WR);
	shutdown(t->inner_fd, SHUT_RDWR);
	return NULL;
}

static int start_relay(struct hearth_tls *t)
{
	sigset_t all, before;
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	t->fd = pair[0];
	t->inner_fd = pair[1];
	fcntl(t->net_fd, F_SETFL, fcntl(t->net_fd, F_GETFL) | O_NONBLOCK);
	fcntl(t->inner_fd, F_SETFL, fcntl(t->inner_fd, F_GETFL) | O_NONBLOCK);
	/* Signals are for the program's own threads; SIGPIPE for nobody. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = -pthread_create(&t->thread, NULL, relay, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret;
}

static void drop(struct hearth_tls *t)
{
	SSL_free(t->ssl);
	t->ssl = NULL;
	hearth_close(&t->fd);
	hearth_close(&t->inner_fd);
	hearth_close(&t->net_fd);
	OPENSSL_cleanse(t->exported, sizeof(t->exported));
}

/* What the other side says before it hangs up. */
static void note_alert(const SSL *ssl, int where, int value)
{
	struct hearth_tls *t = SSL_get_app_data(ssl);

	if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL)
		t->alert = value & 0xff;
}

const char *hearth_tls_refusal(const struct hearth_tls *t)
{
	int alert = t->alert;

	return alert ? SSL_alert_desc_string_long(alert) : NULL;
}

static int begin(struct hearth_tls *t, int fd, const struct hearth_identity *identity,
		 int timeout_s, char *text, size_t size)
{
	SSL_CTX *ctx = make_context();
	int ret = ctx ? 0 : -ENOMEM;

	memset(t, 0, sizeof(*t));
	t->net_fd = fd;
	t->inner_fd = -1;
	t->fd = -1;
	t->identity = identity;
	t->why = text;
	t->why_size = size;
	set_timeout(fd, timeout_s);
	snprintf(text, size, "out of memory");
	if (!ret && identity->certs)
		ret = hearth_certs_use(ctx, identity->certs, text, size);
	if (!ret) {
		SSL_CTX_set_psk_use_session_callback(ctx, use_key);
		SSL_CTX_set_psk_find_session_callback(ctx, find_key);
		SSL_CTX_set_info_callback(ctx, note_alert);
		t->ssl = SSL_new(ctx);
	}
	SSL_CTX_free(ctx);
	if (t->ssl && SSL_set_app_data(t->ssl, t) && SSL_set_fd(t->ssl, fd)) {
		*text = '\0';
		return 0;
	}
	drop(t);
	return ret ? ret : -ENOMEM;
}

/* Whether the handshake said who the other side is: it has the key, or a certificate. */
static int check_peer(struct hearth_tls *t)
{
	if (SSL_session_reused(t->ssl))
		return 0;
	if (!t->identity->certs || t->identity->secret)
		return -EACCES;
	if (SSL_is_server(t->ssl))
		return hearth_certs_user(t->ssl, t->user, sizeof(t->user));
	return SSL_get0_peer_certificate(t->ssl) && SSL_get_verify_result(t->ssl) == X509_V_OK ?
		       0 :
		       -EACCES;
}

static void explain(const struct hearth_tls *t, int err, char *text, size_t size)
{
	const char *alert = hearth_tls_refusal(t);

	if (*text)
		return;
	if (err == -EACCES && t->user[0])
		snprintf(text, size, "the common name \"%s\" is no user's name", t->user);
	else if (err != -EACCES)
		snprintf(text, size, "the handshake broke off: %s%s", strerror(-err),
			 SSL_is_server(t->ssl) ? "" : "; a daemon that is busy hangs up like that");
	else if (SSL_is_server(t->ssl))
		snprintf(text, size, "no known key%s",
			 t->identity->certs ? " and no certificate" : "");
	else
		snprintf(text, size, "it does not know us%s%s", alert ? ": " : "",
			 alert ? alert : "");
}

/* What was said against the other side would be lost if it were still sending when we hang up. */
static void let_hear(int fd)
{
	char rest[4096];

	shutdown(fd, SHUT_WR);
	set_timeout(fd, LINGER_SECONDS);
	for (int i = 0; i < 16 && read(fd, rest, sizeof(rest)) > 0; i++)
		;
}

/* @ret: what SSL_connect() or SSL_accept() said. */
static int complete(struct hearth_tls *t, int ret, char *text, size_t size)
{
	bool is_lost = ret != 1 && (SSL_get_error(t->ssl, ret) != SSL_ERROR_SSL ||
				    ERR_GET_REASON(ERR_peek_error()) ==
					    SSL_R_UNEXPECTED_EOF_WHILE_READING);
	int err = is_lost ? -ECONNRESET : -EACCES;

	ERR_clear_error();
	if (ret == 1)
		err = check_peer(t);
	else if (SSL_is_server(t->ssl))
		let_hear(t->net_fd);
	if (!err && SSL_export_keying_material(t->ssl, t->exported, sizeof(t->exported),
					       EXPORT_LABEL, strlen(EXPORT_LABEL), NULL, 0,
					       0) != 1)
		err = -EIO;
	if (err)
		explain(t, err, text, size);
	t->identity = NULL;
	t->why = NULL;
	if (!err) {
		set_timeout(t->net_fd, 0);
		err = start_relay(t);
	}
	if (err)
		drop(t);
	return err;
}

int hearth_tls_connect(struct hearth_tls *t, int fd, const struct hearth_identity *identity,
		       int timeout_s, char *text, size_t size)
{
	int ret = begin(t, fd, identity, timeout_s, text, size);

	if (ret)
		return ret;
	if (!identity->secret && hearth_certs_expect(t->ssl, identity->peer_name)) {
		snprintf(text, size, "%s: no name that a certificate can have",
			 identity->peer_name);
		drop(t);
		return -EINVAL;
	}
	return complete(t, SSL_connect(t->ssl), text, size);
}

int hearth_tls_accept(struct hearth_tls *t, int fd, const struct hearth_identity *identity,
		      int timeout_s, char *text, size_t size)
{
	int ret = begin(t, fd, identity, timeout_s, text, size);

	if (ret)
		return ret;
	SSL_set_session_id_context(t->ssl, (const unsigned char *)"hearth", 6);
	return complete(t, SSL_accept(t->ssl), text, size);
}

void hearth_tls_close(struct hearth_tls *t)
{
	if (!t->ssl)
		return;
	shutdown(t->fd, SHUT_WR);
	pthread_join(t->thread, NULL);
	drop(t);
}
