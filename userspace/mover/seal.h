/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --seal: protects the blocks of a stream against attackers, by AES-256-GCM.
 *
 * "mac" lets nobody change, drop, repeat or reorder a block; "encrypt" lets nobody
 * read its content either. Each stream has a key of its own, made of the session's
 * key and the nonces of that stream; the nonce of a block is the direction and how
 * many blocks went before it on this stream. A tag of 16 bytes follows each block.
 */
#ifndef HEARTH_SEAL_H
#define HEARTH_SEAL_H

#include <hearth/mover.h>
#include <sys/uio.h>

#define HEARTH_SEAL_KEY_BYTES 32
#define HEARTH_SEAL_TAG_BYTES 16

struct evp_cipher_ctx_st;

struct hearth_seal {
	enum hearth_seal_mode mode;
	bool is_server; /* this end's direction */
	uint8_t key[HEARTH_SEAL_KEY_BYTES];
	uint64_t nr_sent;
	uint64_t nr_received;
	struct evp_cipher_ctx_st *ctx;
};

void hearth_seal_init(struct hearth_seal *s, enum hearth_seal_mode mode,
		      const uint8_t key[HEARTH_SEAL_KEY_BYTES], bool is_server);
void hearth_seal_exit(struct hearth_seal *s);

/*
 * The first of the @nr pieces of a block stays readable; the others are encrypted or decrypted in
 * place, if the mode is to. 0, -ENOMEM, -EIO, or -EBADMSG if the tag is not that of these pieces.
 */
int hearth_seal_close(struct hearth_seal *s, const struct iovec *iov, int nr,
		      uint8_t tag[HEARTH_SEAL_TAG_BYTES]);
int hearth_seal_open(struct hearth_seal *s, const struct iovec *iov, int nr,
		     const uint8_t tag[HEARTH_SEAL_TAG_BYTES]);

#endif
