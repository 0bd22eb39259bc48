// SPDX-License-Identifier: GPL-2.0-or-later
/* --seal: protects the blocks of a stream against attackers. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "../common/bytes.h"
#include "seal.h"

#define IV_BYTES 12

void hearth_seal_init(struct hearth_seal *s, enum hearth_seal_mode mode,
		      const uint8_t key[HEARTH_SEAL_KEY_BYTES], bool is_server)
{
	memset(s, 0, sizeof(*s));
	s->mode = mode;
	s->is_server = is_server;
	memcpy(s->key, key, sizeof(s->key));
}

void hearth_seal_exit(struct hearth_seal *s)
{
	EVP_CIPHER_CTX_free(s->ctx);
	OPENSSL_cleanse(s, sizeof(*s));
}

/* A key has one nonce for each direction and number: never two blocks with the same. */
static int begin(struct hearth_seal *s, bool is_from_server, uint64_t number, bool is_closing)
{
	uint8_t iv[IV_BYTES];
	struct hearth_writer w = hearth_writer_of(iv, sizeof(iv));

	if (!s->ctx)
		s->ctx = EVP_CIPHER_CTX_new();
	if (!s->ctx)
		return -ENOMEM;
	hearth_put_u32(&w, is_from_server);
	hearth_put_u64(&w, number);
	return EVP_CipherInit_ex(s->ctx, EVP_aes_256_gcm(), NULL, s->key, iv, is_closing) == 1
		       ? 0
		       : -EIO;
}

/* What stays readable comes before what does not, as GCM wants it. */
static int process(struct hearth_seal *s, const struct iovec *iov, int nr)
{
	int len;

	for (int i = 0; i < nr; i++) {
		bool is_hidden = i && s->mode == HEARTH_SEAL_ENCRYPT;

		if (iov[i].iov_len &&
		    EVP_CipherUpdate(s->ctx, is_hidden ? iov[i].iov_base : NULL, &len,
				     iov[i].iov_base, (int)iov[i].iov_len) != 1)
			return -EIO;
	}
	return 0;
}

int hearth_seal_close(struct hearth_seal *s, const struct iovec *iov, int nr,
		      uint8_t tag[HEARTH_SEAL_TAG_BYTES])
{
	uint8_t rest[16];
	int len, ret = begin(s, s->is_server, s->nr_sent++, true);

	if (!ret)
		ret = process(s, iov, nr);
	if (!ret &&
	    (EVP_CipherFinal_ex(s->ctx, rest, &len) != 1 ||
	     EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_GET_TAG, HEARTH_SEAL_TAG_BYTES, tag) != 1))
		ret = -EIO;
	return ret;
}

int hearth_seal_open(struct hearth_seal *s, const struct iovec *iov, int nr,
		     const uint8_t tag[HEARTH_SEAL_TAG_BYTES])
{
	uint8_t rest[16];
	int len, ret = begin(s, !s->is_server, s->nr_received++, false);

	if (!ret)
		ret = process(s, iov, nr);
	if (!ret && EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_SET_TAG, HEARTH_SEAL_TAG_BYTES,
					(void *)tag) != 1)
		ret = -EIO;
	if (!ret && EVP_CipherFinal_ex(s->ctx, rest, &len) != 1)
		ret = -EBADMSG;
	return ret;
}
