// SPDX-License-Identifier: GPL-2.0-or-later
/* HELLO and WELCOME, and the proof that a data connection belongs to the session. */
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/bytes.h"
#include "../common/io.h"
#include "chmod.h"
#include "index.h"
#include "names.h"
#include "session.h"

#define HELLO_MAGIC 0x48545248u /* "HRTH" */
#define STREAM_MAGIC 0x52545348u /* "HSTR" */
#define CONGESTION_MAX 15 /* of the kernel */
#define PROOF_BYTES (8 + 4 + 2 * HEARTH_NONCE_BYTES)

/* A rule goes out as it was written. */
static void put_rule(struct hearth_writer *w, const struct hearth_rule *rule)
{
	size_t len = strlen(rule->pattern);

	hearth_put_u8(w, rule->is_include);
	hearth_put_varint(w, rule->is_anchored + len + rule->is_dir_only);
	hearth_put_bytes(w, "/", rule->is_anchored);
	hearth_put_bytes(w, rule->pattern, len);
	hearth_put_bytes(w, "/", rule->is_dir_only);
}

static void put_text(struct hearth_writer *w, const char *text)
{
	hearth_put_u8(w, !!text);
	if (text)
		hearth_put_string(w, text, strlen(text));
}

/* An absent text is NULL. 0, -EPROTO or -ENOMEM. */
static int get_text(struct hearth_reader *r, char **ret)
{
	uint8_t is_there = hearth_get_u8(r);
	const char *text;
	size_t len;

	if (!is_there)
		return 0;
	text = hearth_get_string(r, HEARTH_PATH_MAX - 1, &len);
	if (is_there > 1 || !text || !len || memchr(text, '\0', len))
		return -EPROTO;
	*ret = strndup(text, len);
	return *ret ? 0 : -ENOMEM;
}

static void put_options(struct hearth_writer *w, const struct hearth_options *o)
{
	hearth_put_u32(w, o->flags);
	hearth_put_u8(w, o->fsync);
	hearth_put_u8(w, o->seal);
	hearth_put_u8(w, o->compress_level);
	hearth_put_u32(w, o->block_bytes);
	hearth_put_u32(w, o->timeout_s);
	hearth_put_u32(w, o->uid);
	hearth_put_u32(w, o->gid);
	hearth_put_u64(w, o->memory_bytes);
	hearth_put_u64(w, o->bytes_per_s);
	hearth_put_u64(w, o->max_delete);
	put_text(w, o->chmod);
	put_text(w, o->suffix);
	put_text(w, o->backup_dir);
	put_text(w, o->congestion);
	put_text(w, o->link_dest);
	hearth_put_u8(w, o->spares_streams);
	hearth_put_u8(w, o->direct);
	hearth_put_u8(w, o->numa <= HEARTH_NUMA_SHOW ? o->numa : HEARTH_NUMA_SHOW);
	hearth_put_u8(w, o->publishes);
	hearth_put_u8(w, o->lun);
	hearth_put_u8(w, o->bench);
	hearth_put_u64(w, o->bench_bytes);
}

static int get_options(struct hearth_reader *r, struct hearth_options *o)
{
	uint8_t spares, publishes;
	int ret;

	hearth_options_init(o);
	o->flags = hearth_get_u32(r);
	o->fsync = hearth_get_u8(r);
	o->seal = hearth_get_u8(r);
	o->compress_level = hearth_get_u8(r);
	o->block_bytes = hearth_get_u32(r);
	o->timeout_s = hearth_get_u32(r);
	o->uid = hearth_get_u32(r);
	o->gid = hearth_get_u32(r);
	o->memory_bytes = hearth_get_u64(r);
	o->bytes_per_s = hearth_get_u64(r);
	o->max_delete = hearth_get_u64(r);
	ret = get_text(r, &o->chmod);
	if (!ret)
		ret = get_text(r, &o->suffix);
	if (!ret)
		ret = get_text(r, &o->backup_dir);
	if (!ret)
		ret = get_text(r, &o->congestion);
	if (!ret)
		ret = get_text(r, &o->link_dest);
	spares = hearth_get_u8(r);
	o->spares_streams = spares;
	o->direct = hearth_get_u8(r);
	o->numa = hearth_get_u8(r);
	publishes = hearth_get_u8(r);
	o->publishes = publishes;
	o->lun = hearth_get_u8(r);
	o->bench = hearth_get_u8(r);
	o->bench_bytes = hearth_get_u64(r);
	return ret || (spares <= 1 && publishes <= 1) ? ret : -EPROTO;
}

static int get_rules(struct hearth_reader *r, struct hearth_filter *f)
{
	uint64_t nr = hearth_get_varint(r);
	int ret = 0;

	for (uint64_t i = 0; i < nr && !ret && !r->is_bad; i++) {
		uint8_t is_include = hearth_get_u8(r);
		size_t len;
		const char *pattern = hearth_get_string(r, HEARTH_PATTERN_MAX, &len);

		ret = pattern && is_include <= 1 ? hearth_filter_add(f, is_include, pattern, len)
						 : -EPROTO;
	}
	return !ret || ret == -ENOMEM ? ret : -EPROTO;
}

int hearth_send_hello(struct hearth_control *c, const struct hearth_hello *h)
{
	uint8_t *buf = malloc(HEARTH_FRAME_MAX_BYTES);
	struct hearth_writer w = hearth_writer_of(buf, HEARTH_FRAME_MAX_BYTES);
	int ret;

	if (!buf)
		return -ENOMEM;
	hearth_put_u32(&w, HELLO_MAGIC);
	hearth_put_u32(&w, h->protocol);
	hearth_put_u8(&w, h->direction);
	hearth_put_u8(&w, h->nr_streams);
	hearth_put_u16(&w, h->port_low);
	hearth_put_u16(&w, h->port_high);
	hearth_put_u64(&w, h->session);
	hearth_put_bytes(&w, h->key, sizeof(h->key));
	hearth_put_u8(&w, (uint8_t)(h->is_third_party | h->peer_is_shared << 1));
	hearth_put_u32(&w, h->lifetime_s);
	hearth_put_bytes(&w, h->peer_digest, sizeof(h->peer_digest));
	hearth_put_u16(&w, h->peer_port);
	put_text(&w, h->peer_host);
	put_options(&w, &h->opt);
	hearth_put_varint(&w, h->nr_paths);
	for (uint32_t i = 0; i < h->nr_paths; i++)
		hearth_put_string(&w, h->paths[i], strlen(h->paths[i]));
	hearth_put_varint(&w, h->filter.nr_rules);
	for (uint32_t i = 0; i < h->filter.nr_rules; i++)
		put_rule(&w, &h->filter.rules[i]);
	hearth_put_u32(&w, h->nr_names);
	ret = w.is_bad ? -E2BIG : hearth_control_send(c, HEARTH_FRAME_HELLO, buf, w.len);
	OPENSSL_cleanse(buf, w.len);
	free(buf);
	return ret;
}

static bool bench_is_valid(const struct hearth_hello *h)
{
	const struct hearth_options *o = &h->opt;

	if (!o->bench)
		return !o->bench_bytes;
	return o->bench <= HEARTH_BENCH_ALL && h->direction == HEARTH_SERVER_RECEIVES &&
	       !h->is_third_party && o->bench_bytes && o->bench_bytes < HEARTH_FILE_MAX_BYTES;
}

/* A LUN is the only source. */
static bool lun_is_valid(const struct hearth_hello *h)
{
	uint8_t lun = h->opt.lun, own = h->direction == HEARTH_SERVER_SENDS
						? HEARTH_LUN_IS_SOURCE
						: HEARTH_LUN_IS_DESTINATION;

	return lun <= HEARTH_LUN_ALL && !(lun && h->opt.bench) &&
	       !(lun & HEARTH_LUN_IS_SOURCE && h->opt.publishes) &&
	       (!(lun & own) || (h->nr_paths == 1 && !h->nr_names));
}

static bool options_are_valid(const struct hearth_hello *h)
{
	const struct hearth_options *o = &h->opt;
	struct hearth_chmod chmod;

	if (hearth_chmod_parse(o->chmod, &chmod) || !o->bytes_per_s ||
	    (o->suffix && (strchr(o->suffix, '/') || strlen(o->suffix) > HEARTH_SUFFIX_MAX)) ||
	    o->seal >= HEARTH_NR_SEALS || o->compress_level > HEARTH_MAX_COMPRESS_LEVEL ||
	    (o->congestion && strlen(o->congestion) > CONGESTION_MAX) ||
	    h->nr_names > HEARTH_MAX_NAMES || o->direct >= HEARTH_NR_DIRECT ||
	    o->numa > HEARTH_NUMA_SHOW || !bench_is_valid(h) || !lun_is_valid(h))
		return false;
	return !(o->flags & ~(uint32_t)HEARTH_ALL_FLAGS) && o->fsync < HEARTH_NR_FSYNC &&
	       o->block_bytes >= HEARTH_BLOCK_MIN_PAYLOAD &&
	       o->block_bytes <= HEARTH_BLOCK_MAX_PAYLOAD && o->timeout_s &&
	       o->timeout_s <= 86400 && o->memory_bytes <= 1ull << 40 && h->nr_streams &&
	       h->nr_streams <= HEARTH_MAX_STREAMS && h->port_low <= h->port_high &&
	       (h->direction == HEARTH_SERVER_SENDS ||
		(h->direction == HEARTH_SERVER_RECEIVES && h->nr_paths == 1));
}

static int get_paths(struct hearth_reader *r, struct hearth_hello *h)
{
	uint64_t nr = hearth_get_varint(r);

	if (r->is_bad || !nr || nr > HEARTH_MAX_PATHS)
		return -EPROTO;
	h->paths = calloc(nr, sizeof(*h->paths));
	if (!h->paths)
		return -ENOMEM;
	while (h->nr_paths < nr) {
		size_t len;
		const char *s = hearth_get_string(r, HEARTH_PATH_MAX - 1, &len);

		if (!s || memchr(s, '\0', len))
			return -EPROTO;
		h->paths[h->nr_paths] = strndup(s, len);
		if (!h->paths[h->nr_paths++])
			return -ENOMEM;
	}
	return 0;
}

int hearth_parse_hello(const struct hearth_frame *f, struct hearth_hello *ret)
{
	struct hearth_reader r = hearth_reader_of(f->body, f->len);
	uint8_t third;
	int err;

	memset(ret, 0, sizeof(*ret));
	if (hearth_get_u32(&r) != HELLO_MAGIC)
		return -EPROTO;
	ret->protocol = hearth_get_u32(&r);
	if (ret->protocol != HEARTH_PROTOCOL)
		return r.is_bad ? -EPROTO : -EPROTONOSUPPORT;
	ret->direction = hearth_get_u8(&r);
	ret->nr_streams = hearth_get_u8(&r);
	ret->port_low = hearth_get_u16(&r);
	ret->port_high = hearth_get_u16(&r);
	ret->session = hearth_get_u64(&r);
	hearth_get_copy(&r, ret->key, sizeof(ret->key));
	third = hearth_get_u8(&r);
	ret->is_third_party = third & 1;
	ret->peer_is_shared = third & 2;
	ret->lifetime_s = hearth_get_u32(&r);
	hearth_get_copy(&r, ret->peer_digest, sizeof(ret->peer_digest));
	ret->peer_port = hearth_get_u16(&r);
	hearth_options_init(&ret->opt);
	err = get_text(&r, &ret->peer_host);
	if (!err)
		err = get_options(&r, &ret->opt);
	if (!err)
		err = get_paths(&r, ret);
	if (!err)
		err = get_rules(&r, &ret->filter);
	ret->nr_names = hearth_get_u32(&r);
	if (!err &&
	    (r.is_bad || hearth_reader_left(&r) || third > 3 || third == 2 ||
	     !ret->lifetime_s != !third || ret->lifetime_s > 86400 || (ret->peer_host && !third) ||
	     !ret->peer_host != !ret->peer_port || !options_are_valid(ret)))
		err = -EPROTO;
	if (err)
		hearth_hello_exit(ret);
	return err;
}

void hearth_hello_exit(struct hearth_hello *h)
{
	for (uint32_t i = 0; i < h->nr_paths; i++)
		free(h->paths[i]);
	free(h->paths);
	hearth_filter_exit(&h->filter);
	hearth_names_exit(&h->names);
	free(h->peer_host);
	h->peer_host = NULL;
	free(h->opt.chmod);
	free(h->opt.suffix);
	free(h->opt.backup_dir);
	free(h->opt.congestion);
	free(h->opt.link_dest);
	h->opt.chmod = NULL;
	h->opt.suffix = NULL;
	h->opt.backup_dir = NULL;
	h->opt.congestion = NULL;
	h->opt.link_dest = NULL;
	OPENSSL_cleanse(h->key, sizeof(h->key));
	h->paths = NULL;
	h->nr_paths = 0;
}

int hearth_send_welcome(struct hearth_control *c, const struct hearth_welcome *welcome)
{
	uint8_t buf[128];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	hearth_put_u32(&w, HELLO_MAGIC);
	hearth_put_u32(&w, HEARTH_PROTOCOL);
	hearth_put_u16(&w, welcome->port);
	hearth_put_string(&w, welcome->address, strlen(welcome->address));
	hearth_put_u8(&w, welcome->is_shared);
	return hearth_control_send(c, HEARTH_FRAME_WELCOME, buf, w.len);
}

int hearth_parse_welcome(const struct hearth_frame *f, struct hearth_welcome *ret)
{
	struct hearth_reader r = hearth_reader_of(f->body, f->len);
	uint32_t magic = hearth_get_u32(&r), protocol = hearth_get_u32(&r);
	const char *address;
	uint8_t shared;
	size_t len;

	ret->port = hearth_get_u16(&r);
	address = hearth_get_string(&r, sizeof(ret->address) - 1, &len);
	shared = hearth_get_u8(&r);
	ret->is_shared = shared;
	if (r.is_bad || shared > 1 || hearth_reader_left(&r) || magic != HELLO_MAGIC ||
	    protocol != HEARTH_PROTOCOL)
		return -EPROTO;
	memcpy(ret->address, address, len);
	ret->address[len] = '\0';
	return 0;
}

int hearth_ticket_init(struct hearth_ticket *t, uint8_t seal)
{
	int ret = hearth_random_bytes(&t->session, sizeof(t->session));

	t->seal = (enum hearth_seal_mode)seal;
	t->congestion = NULL;
	return ret ? ret : hearth_random_bytes(t->key, sizeof(t->key));
}

/* Each text with its length, so that no two lists look the same. */
static void digest_text(EVP_MD_CTX *ctx, const char *text)
{
	uint64_t len = htole64(strlen(text));

	EVP_DigestUpdate(ctx, &len, sizeof(len));
	EVP_DigestUpdate(ctx, text, strlen(text));
}

void hearth_digest_paths(char *const *paths, uint32_t nr, const struct hearth_names *names,
			 uint8_t ret[HEARTH_DIGEST_BYTES])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint64_t count = htole64(nr);

	if (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL))
		abort(); /* no digest must not become one that everybody knows */
	EVP_DigestUpdate(ctx, &count, sizeof(count));
	for (uint32_t i = 0; i < nr; i++)
		digest_text(ctx, paths[i]);
	for (uint32_t i = 0; i < names->nr; i++)
		digest_text(ctx, names->v[i]);
	EVP_DigestFinal_ex(ctx, ret, NULL);
	EVP_MD_CTX_free(ctx);
}

void hearth_ticket_bind(struct hearth_ticket *t, const uint8_t from[HEARTH_DIGEST_BYTES],
			const uint8_t to[HEARTH_DIGEST_BYTES], uint32_t lifetime_s)
{
	uint8_t text[8 + 2 * HEARTH_DIGEST_BYTES + 4], key[HEARTH_KEY_BYTES];
	struct hearth_writer w = hearth_writer_of(text, sizeof(text));
	unsigned int len = sizeof(key);

	hearth_put_bytes(&w, "onecopy", 8);
	hearth_put_bytes(&w, from, HEARTH_DIGEST_BYTES);
	hearth_put_bytes(&w, to, HEARTH_DIGEST_BYTES);
	hearth_put_u32(&w, lifetime_s);
	HMAC(EVP_sha256(), t->key, sizeof(t->key), text, w.len, key, &len);
	memcpy(t->key, key, sizeof(t->key));
	OPENSSL_cleanse(key, sizeof(key));
}

static void mac(const struct hearth_ticket *t, const char side[6], const uint8_t proof[PROOF_BYTES],
		uint8_t ret[HEARTH_MAC_BYTES])
{
	uint8_t text[6 + PROOF_BYTES];
	unsigned int len = HEARTH_MAC_BYTES;

	memcpy(text, side, 6);
	memcpy(text + 6, proof, PROOF_BYTES);
	HMAC(EVP_sha256(), t->key, sizeof(t->key), text, sizeof(text), ret, &len);
}

static void put_proof(uint8_t proof[PROOF_BYTES], uint64_t session, uint32_t stream,
		      const uint8_t *server_nonce, const uint8_t *client_nonce)
{
	struct hearth_writer w = hearth_writer_of(proof, PROOF_BYTES);

	hearth_put_u64(&w, session);
	hearth_put_u32(&w, stream);
	hearth_put_bytes(&w, server_nonce, HEARTH_NONCE_BYTES);
	hearth_put_bytes(&w, client_nonce, HEARTH_NONCE_BYTES);
}

int hearth_prove_as_client(int in_fd, int out_fd, const struct hearth_ticket *t, uint32_t stream,
			   uint8_t ret_seal_key[HEARTH_MAC_BYTES])
{
	uint8_t greeting[4 + HEARTH_NONCE_BYTES], nonce[HEARTH_NONCE_BYTES], proof[PROOF_BYTES];
	uint8_t answer[8 + 4 + HEARTH_NONCE_BYTES + HEARTH_MAC_BYTES], theirs[HEARTH_MAC_BYTES],
		ours[HEARTH_MAC_BYTES];
	struct hearth_writer w = hearth_writer_of(answer, sizeof(answer));
	struct hearth_reader r = hearth_reader_of(greeting, sizeof(greeting));
	int ret = hearth_random_bytes(nonce, sizeof(nonce));

	if (!ret)
		ret = hearth_read_all(in_fd, greeting, sizeof(greeting));
	if (ret)
		return ret;
	if (hearth_get_u32(&r) != STREAM_MAGIC)
		return -EPROTO;
	put_proof(proof, t->session, stream, greeting + 4, nonce);
	mac(t, "client", proof, ours);
	hearth_put_u64(&w, t->session);
	hearth_put_u32(&w, stream);
	hearth_put_bytes(&w, nonce, sizeof(nonce));
	hearth_put_bytes(&w, ours, sizeof(ours));
	ret = hearth_write_all(out_fd, answer, w.len);
	if (!ret)
		ret = hearth_read_all(in_fd, theirs, sizeof(theirs));
	if (ret)
		return ret;
	mac(t, "server", proof, ours);
	mac(t, "sealed", proof, ret_seal_key);
	return CRYPTO_memcmp(ours, theirs, sizeof(ours)) ? -EACCES : 0;
}

int hearth_prove_as_server(int fd, const struct hearth_ticket *t, uint32_t nr_streams,
			   uint32_t *ret_stream, uint8_t ret_seal_key[HEARTH_MAC_BYTES])
{
	uint8_t greeting[4 + HEARTH_NONCE_BYTES], nonce[HEARTH_NONCE_BYTES], proof[PROOF_BYTES];
	uint8_t answer[8 + 4 + HEARTH_NONCE_BYTES + HEARTH_MAC_BYTES], theirs[HEARTH_MAC_BYTES],
		ours[HEARTH_MAC_BYTES];
	struct hearth_writer w = hearth_writer_of(greeting, sizeof(greeting));
	struct hearth_reader r = hearth_reader_of(answer, sizeof(answer));
	uint64_t session;
	uint32_t stream;
	int ret;

	hearth_put_u32(&w, STREAM_MAGIC);
	ret = hearth_random_bytes(greeting + 4, HEARTH_NONCE_BYTES);
	if (!ret)
		ret = hearth_write_all(fd, greeting, sizeof(greeting));
	if (!ret)
		ret = hearth_read_all(fd, answer, sizeof(answer));
	if (ret)
		return ret;
	session = hearth_get_u64(&r);
	stream = hearth_get_u32(&r);
	hearth_get_copy(&r, nonce, sizeof(nonce));
	hearth_get_copy(&r, theirs, sizeof(theirs));
	put_proof(proof, session, stream, greeting + 4, nonce);
	mac(t, "client", proof, ours);
	if (CRYPTO_memcmp(ours, theirs, sizeof(ours)) || session != t->session ||
	    stream >= nr_streams)
		return -EACCES;
	mac(t, "server", proof, ours);
	mac(t, "sealed", proof, ret_seal_key);
	*ret_stream = stream;
	return hearth_write_all(fd, ours, sizeof(ours));
}
