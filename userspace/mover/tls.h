/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control channel of a daemon: TLS 1.3, and both sides know the same key or
 * show certificates.
 *
 * A key is used as an external PSK with a Diffie-Hellman exchange (psk_dhe_ke).
 * A client with a certificate offers no PSK and demands the daemon's (certs.h).
 * There are no tickets and no early data. A thread stands between the TLS
 * connection and a socket pair, so that the control channel is made of plain
 * descriptors here as everywhere.
 */
#ifndef HEARTH_TLS_H
#define HEARTH_TLS_H

#include <pthread.h>
#include <stdatomic.h>

#include "certs.h"
#include "keys.h"

struct ssl_st;

/* How a side makes itself known, and whom it takes for what it says. */
struct hearth_identity {
	const struct hearth_secret *secret; /* the client's; NULL: it has a certificate */
	const struct hearth_keys *keys; /* the daemon's */
	const struct hearth_certs *certs; /* NULL: none */
	const char *peer_name; /* the client's: whose certificate the daemon must have */
};

struct hearth_tls {
	struct ssl_st *ssl;
	int net_fd;
	int inner_fd;
	int fd; /* for the control channel; stays ours */
	pthread_t thread;
	const struct hearth_identity *identity; /* while the handshake lasts */
	char *why; /* also: what is wrong with the other side's certificate goes there */
	size_t why_size;
	atomic_int alert; /* what the other side ended the connection with; 0: nothing */
	char user[HEARTH_USER_MAX + 1]; /* who came, at the server */
	uint8_t exported[HEARTH_SECRET_BYTES]; /* known to both sides of this connection alone */
};

/*
 * Both take over @fd, a connected socket, and do the handshake within @timeout_s. 0, or -EACCES if
 * the other side is not who it has to be, or -errno; then @text says why.
 */
int hearth_tls_connect(struct hearth_tls *t, int fd, const struct hearth_identity *identity,
		       int timeout_s, char *text, size_t size);
int hearth_tls_accept(struct hearth_tls *t, int fd, const struct hearth_identity *identity,
		      int timeout_s, char *text, size_t size);

/* What the other side had against our certificate, in words, or NULL. */
const char *hearth_tls_refusal(const struct hearth_tls *t);

/* What was written to the control channel is still sent. */
void hearth_tls_close(struct hearth_tls *t);

#endif
