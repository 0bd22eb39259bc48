// SPDX-License-Identifier: GPL-2.0-or-later
/* Certificates of users and daemons. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "certs.h"
#include "keys.h"

void hearth_certs_exit(struct hearth_certs *c)
{
	free(c->cert);
	free(c->key);
	free(c->ca);
	free(c->crl);
	memset(c, 0, sizeof(*c));
}

static int refuse(char *text, size_t size, const char *path, const char *what)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	snprintf(text, size, "%s: %s%s%s", path, what, why ? ": " : "", why ? why : "");
	ERR_clear_error();
	return -EINVAL;
}

static int check_key_file(const char *path, char *text, size_t size)
{
	struct stat st;

	if (stat(path, &st)) {
		snprintf(text, size, "%s: cannot be read: %s", path, strerror(errno));
		return -ENOENT;
	}
	if (!(st.st_mode & 077))
		return 0;
	snprintf(text, size, "%s: others may read it; chmod 600 it", path);
	return -EPERM;
}

/* From here on every authority on the way to a certificate must have a list, and one in force. */
static int use_crl(SSL_CTX *ctx, const char *path)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());

	if (!lookup || X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) < 1)
		return -EINVAL;
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return 0;
}

int hearth_certs_use(SSL_CTX *ctx, const struct hearth_certs *c, char *text, size_t size)
{
	int ret = check_key_file(c->key, text, size);

	if (ret)
		return ret;
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, c->cert) != 1)
		return refuse(text, size, c->cert, "no certificate can be read");
	if (SSL_CTX_use_PrivateKey_file(ctx, c->key, SSL_FILETYPE_PEM) != 1)
		return refuse(text, size, c->key, "is not the certificate's key");
	if (c->ca ? SSL_CTX_load_verify_file(ctx, c->ca) != 1
		  : SSL_CTX_set_default_verify_paths(ctx) != 1)
		return refuse(text, size, c->ca ? c->ca : "the system",
			      "no authority can be read");
	if (c->crl && use_crl(ctx, c->crl))
		return refuse(text, size, c->crl, "no list of revoked certificates can be read");
	/* What is in the file is shown, not what could be found besides. */
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
	return 0;
}

int hearth_certs_check(const struct hearth_certs *c, char *text, size_t size)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	int ret = -ENOMEM;

	if (ctx)
		ret = hearth_certs_use(ctx, c, text, size);
	SSL_CTX_free(ctx);
	return ret;
}

int hearth_certs_expect(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1)
		return 0;
	ERR_clear_error();
	SSL_set_tlsext_host_name(ssl, name);
	return SSL_set1_host(ssl, name) == 1 ? 0 : -EINVAL;
}

/* The common name, if it is one that a user may have; an empty text if there is none. */
static void common_name(X509 *cert, char *buf, size_t size)
{
	int len = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, buf,
					    (int)size);

	if (len < 0 || (size_t)len != strlen(buf))
		*buf = '\0';
}

int hearth_certs_user(SSL *ssl, char *user, size_t size)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	char name[256]; /* longer than any user's: what is cut off must not become one */

	if (!cert || SSL_get_verify_result(ssl) != X509_V_OK)
		return -EACCES;
	common_name(cert, name, sizeof(name));
	snprintf(user, size, "%s", name);
	return hearth_user_is_valid(name) ? 0 : -EACCES;
}

void hearth_certs_explain(X509 *cert, int why, char *text, size_t size)
{
	char name[256] = "";

	if (cert)
		common_name(cert, name, sizeof(name));
	snprintf(text, size, "the certificate%s%s%s is not accepted: %s", *name ? " of \"" : "",
		 name, *name ? "\"" : "", X509_verify_cert_error_string(why));
}
