// SPDX-License-Identifier: GPL-2.0-or-later
/* What two ends say to each other over a queue pair, in bytes. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "../common/bytes.h"
#include "adapt.h"
#include "rdma_wire.h"

static bool is_block(enum hearth_rdma_type type)
{
	return type == HEARTH_RDMA_OFFER || type == HEARTH_RDMA_FILLED;
}

static void put_block(struct hearth_writer *w, const struct hearth_rdma_msg *m)
{
	hearth_put_u32(w, m->head_len);
	hearth_put_bytes(w, m->trailer, sizeof(m->trailer));
	hearth_put_bytes(w, m->tag, sizeof(m->tag));
	if (m->head)
		hearth_put_bytes(w, m->head, m->head_len);
}

size_t hearth_rdma_encode(uint8_t buf[HEARTH_RDMA_MSG_BYTES], const struct hearth_rdma_msg *m)
{
	struct hearth_writer w = hearth_writer_of(buf, HEARTH_RDMA_MSG_BYTES);

	hearth_put_u8(&w, (uint8_t)m->type);
	hearth_put_u8(&w, 0);
	hearth_put_u16(&w, m->credits);
	if (is_block(m->type) || m->type == HEARTH_RDMA_SLOT) {
		hearth_put_u32(&w, m->id);
		hearth_put_u64(&w, m->addr);
		hearth_put_u32(&w, m->key);
		hearth_put_u32(&w, m->len);
		hearth_put_u64(&w, m->head_addr);
	}
	if (is_block(m->type))
		put_block(&w, m);
	for (uint32_t i = 0; i < m->nr_ids && m->type == HEARTH_RDMA_RELEASE; i++)
		hearth_put_u32(&w, m->ids[i]);
	if (m->type == HEARTH_RDMA_PING || m->type == HEARTH_RDMA_PONG)
		hearth_put_u64(&w, m->echo);
	return w.len;
}

/* Not a byte more than what the message needs. */
static void get_block(struct hearth_reader *r, struct hearth_rdma_msg *m)
{
	m->head_len = hearth_get_u32(r);
	hearth_get_copy(r, m->trailer, sizeof(m->trailer));
	hearth_get_copy(r, m->tag, sizeof(m->tag));
	if (m->head_len <= HEARTH_RDMA_INLINE_HEAD)
		m->head = hearth_get_bytes(r, m->head_len);
	if (m->head_len < HEARTH_BLOCK_HEADER_BYTES || m->head_len > HEARTH_BLOCK_HEAD_BYTES ||
	    m->len > HEARTH_BLOCK_MAX_PAYLOAD)
		r->is_bad = true;
}

int hearth_rdma_decode(const uint8_t *buf, size_t len, struct hearth_rdma_msg *ret)
{
	struct hearth_reader r = hearth_reader_of(buf, len);

	memset(ret, 0, sizeof(*ret));
	ret->type = (enum hearth_rdma_type)hearth_get_u8(&r);
	if (hearth_get_u8(&r) || !ret->type || ret->type >= HEARTH_RDMA_NR_TYPES)
		return -EPROTO;
	ret->credits = hearth_get_u16(&r);
	if (is_block(ret->type) || ret->type == HEARTH_RDMA_SLOT) {
		ret->id = hearth_get_u32(&r);
		ret->addr = hearth_get_u64(&r);
		ret->key = hearth_get_u32(&r);
		ret->len = hearth_get_u32(&r);
		ret->head_addr = hearth_get_u64(&r);
	}
	if (is_block(ret->type))
		get_block(&r, ret);
	if (ret->type == HEARTH_RDMA_RELEASE) {
		while (!r.is_bad && hearth_reader_left(&r) && ret->nr_ids < HEARTH_RDMA_MAX_IDS)
			ret->ids[ret->nr_ids++] = hearth_get_u32(&r);
	}
	if (ret->type == HEARTH_RDMA_PING || ret->type == HEARTH_RDMA_PONG)
		ret->echo = hearth_get_u64(&r);
	return r.is_bad || hearth_reader_left(&r) ? -EPROTO : 0;
}

static void mac(const struct hearth_ticket *t, const char side[12],
		const struct hearth_rdma_proof *p, const uint8_t *server_nonce,
		uint8_t ret[HEARTH_MAC_BYTES])
{
	uint8_t text[12 + 8 + 2 + 2 * HEARTH_RDMA_NONCE_BYTES];
	struct hearth_writer w = hearth_writer_of(text, sizeof(text));
	unsigned int len = HEARTH_MAC_BYTES;

	hearth_put_bytes(&w, side, 12);
	hearth_put_u64(&w, t->session);
	hearth_put_u16(&w, p->number);
	hearth_put_bytes(&w, server_nonce, HEARTH_RDMA_NONCE_BYTES);
	hearth_put_bytes(&w, p->client_nonce, HEARTH_RDMA_NONCE_BYTES);
	HMAC(EVP_sha256(), t->key, sizeof(t->key), text, w.len, ret, &len);
}

void hearth_rdma_put_request(uint8_t buf[HEARTH_RDMA_REQUEST_BYTES],
			     const struct hearth_rdma_proof *p, const struct hearth_ticket *t,
			     const uint8_t *server_nonce)
{
	struct hearth_writer w = hearth_writer_of(buf, HEARTH_RDMA_REQUEST_BYTES);
	uint8_t ours[HEARTH_MAC_BYTES];

	mac(t, "rdma client", p, server_nonce, ours);
	hearth_put_u16(&w, p->version);
	hearth_put_u16(&w, p->number);
	hearth_put_u64(&w, p->session);
	hearth_put_bytes(&w, p->client_nonce, HEARTH_RDMA_NONCE_BYTES);
	hearth_put_bytes(&w, ours, HEARTH_RDMA_MAC_BYTES);
}

int hearth_rdma_check_request(const void *buf, size_t len, const struct hearth_ticket *t,
			      const uint8_t *server_nonce, struct hearth_rdma_proof *ret)
{
	struct hearth_reader r = hearth_reader_of(buf, buf ? len : 0);
	uint8_t ours[HEARTH_MAC_BYTES], theirs[HEARTH_RDMA_MAC_BYTES];

	ret->version = hearth_get_u16(&r);
	if (r.is_bad)
		return -EPROTO;
	if (ret->version != HEARTH_RDMA_VERSION)
		return -EPROTONOSUPPORT;
	ret->number = hearth_get_u16(&r);
	ret->session = hearth_get_u64(&r);
	hearth_get_copy(&r, ret->client_nonce, sizeof(ret->client_nonce));
	hearth_get_copy(&r, theirs, sizeof(theirs));
	if (r.is_bad) /* what follows are zeros of the connection manager's */
		return -EPROTO;
	mac(t, "rdma client", ret, server_nonce, ours);
	return CRYPTO_memcmp(ours, theirs, sizeof(theirs)) || ret->session != t->session ? -EACCES
											 : 0;
}

void hearth_rdma_put_answer(uint8_t buf[HEARTH_RDMA_ANSWER_BYTES],
			    const struct hearth_rdma_proof *p, const struct hearth_ticket *t,
			    const uint8_t *server_nonce)
{
	struct hearth_writer w = hearth_writer_of(buf, HEARTH_RDMA_ANSWER_BYTES);
	uint8_t ours[HEARTH_MAC_BYTES];

	mac(t, "rdma server", p, server_nonce, ours);
	hearth_put_u16(&w, HEARTH_RDMA_VERSION);
	hearth_put_bytes(&w, ours, HEARTH_RDMA_MAC_BYTES);
}

int hearth_rdma_check_answer(const void *buf, size_t len, const struct hearth_rdma_proof *p,
			     const struct hearth_ticket *t, const uint8_t *server_nonce)
{
	struct hearth_reader r = hearth_reader_of(buf, buf ? len : 0);
	uint8_t ours[HEARTH_MAC_BYTES], theirs[HEARTH_RDMA_MAC_BYTES];
	uint16_t version = hearth_get_u16(&r);

	hearth_get_copy(&r, theirs, sizeof(theirs));
	if (r.is_bad || version != HEARTH_RDMA_VERSION)
		return -EPROTO;
	mac(t, "rdma server", p, server_nonce, ours);
	return CRYPTO_memcmp(ours, theirs, sizeof(theirs)) ? -EACCES : 0;
}

void hearth_rdma_seal_key(const struct hearth_ticket *t, const uint8_t *server_nonce,
			  uint8_t ret[HEARTH_SEAL_KEY_BYTES])
{
	static const struct hearth_rdma_proof all = { .number = 0 };

	mac(t, "rdma sealed", &all, server_nonce, ret);
}

enum hearth_rdma_mode hearth_rdma_mode_for(enum hearth_rdma_mode asked, uint64_t rtt_ns,
					   uint64_t on_the_way, uint64_t at_once)
{
	if (asked != HEARTH_RDMA_MODE_AUTO)
		return asked;
	if (rtt_ns >= HEARTH_ADAPT_LONG_WAY_NS || on_the_way > at_once)
		return HEARTH_RDMA_MODE_WRITE;
	return HEARTH_RDMA_MODE_READ;
}

void hearth_rdma_get_address(struct hearth_reader *r, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *four = (struct sockaddr_in *)ret;
	uint8_t family = hearth_get_u8(r), bytes[HEARTH_RDMA_ADDRESS_BYTES - 1];

	memset(ret, 0, sizeof(*ret));
	hearth_get_copy(r, bytes, sizeof(bytes));
	if (family == 4) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		memcpy(&four->sin_addr, bytes, sizeof(four->sin_addr));
	} else {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		memcpy(&six->sin6_addr, bytes, sizeof(six->sin6_addr));
	}
}

void hearth_rdma_put_address(struct hearth_writer *w, const struct sockaddr_storage *a)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;
	const struct sockaddr_in *four = (const struct sockaddr_in *)a;
	uint8_t bytes[HEARTH_RDMA_ADDRESS_BYTES - 1] = { 0 };

	if (a->ss_family == AF_INET)
		memcpy(bytes, &four->sin_addr, sizeof(four->sin_addr));
	else
		memcpy(bytes, &six->sin6_addr, sizeof(six->sin6_addr));
	hearth_put_u8(w, a->ss_family == AF_INET ? 4 : 6);
	hearth_put_bytes(w, bytes, sizeof(bytes));
}
