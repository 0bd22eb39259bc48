/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificates: the other way, beside keys, by which a user and a daemon know
 * each other. Both sides show one. The client demands that the daemon's is
 * signed by an authority that it trusts and made out to the name that it
 * connects to; the daemon takes the common name for the user's.
 */
#ifndef HEARTH_CERTS_H
#define HEARTH_CERTS_H

#include <stdbool.h>
#include <stddef.h>

struct ssl_ctx_st;
struct ssl_st;
struct x509_st;

/* Files in PEM form. */
struct hearth_certs {
	char *cert; /* with those that lead to the authority, if there are any; NULL: none */
	char *key; /* of the certificate, readable for its owner alone */
	char *ca; /* authorities; NULL: those that the system trusts */
	char *crl; /* what they revoked; NULL: nothing */
};

void hearth_certs_exit(struct hearth_certs *c);

/* Loads them into a context of either side. 0, or -errno with what is wrong in @text. */
int hearth_certs_use(struct ssl_ctx_st *ctx, const struct hearth_certs *c, char *text, size_t size);

/* Whether they can be used. As above. */
int hearth_certs_check(const struct hearth_certs *c, char *text, size_t size);

/* The client: the host name or address that the daemon's has to be made out to. 0 or -EINVAL. */
int hearth_certs_expect(struct ssl_st *ssl, const char *name);

/* The daemon: who the client is. 0, or -EACCES if the common name is no user's. */
int hearth_certs_user(struct ssl_st *ssl, char *user, size_t size);

/* Why the other side's is not accepted, in words. */
void hearth_certs_explain(struct x509_st *cert, int why, char *text, size_t size);

#endif
