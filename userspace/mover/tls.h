/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control channel of a daemon: TLS 1.3, and both sides know the same key.
 *
 * The key is used as an external PSK with a Diffie-Hellman exchange (psk_dhe_ke),
 * without certificates, tickets or early data. A thread stands between the TLS
 * connection and a socket pair, so that the control channel is made of plain
 * descriptors here as everywhere.
 */
#ifndef HEARTH_TLS_H
#define HEARTH_TLS_H

#include <pthread.h>

#include "keys.h"

struct ssl_st;

struct hearth_tls {
	struct ssl_st *ssl;
	int net_fd;
	int inner_fd;
	int fd; /* for the control channel; stays ours */
	pthread_t thread;
	const struct hearth_secret *secret; /* the client's */
	const struct hearth_keys *keys; /* the server's */
	char user[HEARTH_USER_MAX + 1]; /* who came, at the server */
	uint8_t exported[HEARTH_SECRET_BYTES]; /* known to both sides of this connection alone */
};

/*
 * Both take over @fd, a connected socket, and do the handshake within @timeout_s. 0, -EACCES if the
 * other side does not know the key, or -errno.
 */
int hearth_tls_connect(struct hearth_tls *t, int fd, const struct hearth_secret *secret,
		       int timeout_s);
int hearth_tls_accept(struct hearth_tls *t, int fd, const struct hearth_keys *keys, int timeout_s);

/* What was written to the control channel is still sent. */
void hearth_tls_close(struct hearth_tls *t);

#endif
