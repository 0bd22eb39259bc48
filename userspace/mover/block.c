// SPDX-License-Identifier: GPL-2.0-or-later
/* Blocks: building, sealing, parsing and verifying. */
#include <errno.h>
#include <string.h>
#include <xxh_x86dispatch.h>

#include "../common/bytes.h"
#include "../common/io.h"
#include "block.h"

#define KIND_SHIFT 56

/* Where the header has its flags and the packed length. */
#define FLAGS_AT 5
#define PACKED_AT 12

void hearth_block_reset(struct hearth_block *b)
{
	b->len = 0;
	b->nr_segs = 0;
	b->packed = 0;
	b->is_damaged = false;
	hearth_close(&b->payload_fd);
}

bool hearth_block_add(struct hearth_block *b, enum hearth_segment_kind kind, uint64_t voff,
		      uint64_t len)
{
	struct hearth_segment *last = b->nr_segs ? &b->segs[b->nr_segs - 1] : NULL;

	if (last && last->kind == kind && kind != HEARTH_SEGMENT_SUM &&
	    last->voff + last->len == voff) {
		last->len += len;
		return true;
	}
	if (b->nr_segs == HEARTH_BLOCK_MAX_SEGMENTS)
		return false;
	b->segs[b->nr_segs++] = (struct hearth_segment){ .voff = voff, .len = len, .kind = kind };
	return true;
}

size_t hearth_block_head_bytes(const struct hearth_block *b)
{
	return HEARTH_BLOCK_HEADER_BYTES + (size_t)b->nr_segs * HEARTH_BLOCK_SEGMENT_BYTES;
}

static XXH128_hash_t block_hash(const struct hearth_block *b)
{
	uint64_t seed = XXH3_64bits(b->head, hearth_block_head_bytes(b));

	return XXH3_128bits_withSeed(b->data, b->len, seed);
}

void hearth_block_seal(struct hearth_block *b, bool is_hashed)
{
	struct hearth_writer w = hearth_writer_of(b->head, HEARTH_BLOCK_HEAD_BYTES);
	XXH128_canonical_t sum = { { 0 } };

	hearth_put_u32(&w, HEARTH_BLOCK_MAGIC);
	hearth_put_u8(&w, HEARTH_BLOCK_VERSION);
	hearth_put_u8(&w, is_hashed ? HEARTH_BLOCK_HASHED : 0);
	hearth_put_u16(&w, (uint16_t)b->nr_segs);
	hearth_put_u32(&w, b->len);
	hearth_put_u32(&w, 0);
	hearth_put_u64(&w, b->seq);
	hearth_put_u64(&w, b->session);
	for (uint32_t i = 0; i < b->nr_segs; i++) {
		hearth_put_u64(&w, b->segs[i].voff);
		hearth_put_u64(&w, b->segs[i].len | (uint64_t)b->segs[i].kind << KIND_SHIFT);
	}
	b->is_hashed = is_hashed;
	if (is_hashed)
		XXH128_canonicalFromHash(&sum, block_hash(b));
	memcpy(b->trailer, sum.digest, sizeof(b->trailer));
}

void hearth_block_mark_packed(struct hearth_block *b, uint32_t packed)
{
	struct hearth_writer w = hearth_writer_of(b->head + PACKED_AT, 4);

	hearth_put_u32(&w, packed);
	b->head[FLAGS_AT] &= (uint8_t)~HEARTH_BLOCK_PACKED;
	if (packed)
		b->head[FLAGS_AT] |= HEARTH_BLOCK_PACKED;
	b->packed = packed;
}

void hearth_block_make_void(struct hearth_block *b)
{
	memset(b->trailer, 0xff, sizeof(b->trailer));
}

int hearth_block_parse_header(struct hearth_block *b, uint64_t session)
{
	struct hearth_reader r = hearth_reader_of(b->head, HEARTH_BLOCK_HEADER_BYTES);
	uint32_t magic = hearth_get_u32(&r);
	uint8_t version = hearth_get_u8(&r);
	uint8_t flags = hearth_get_u8(&r);
	uint16_t nr_segs = hearth_get_u16(&r);
	uint32_t len = hearth_get_u32(&r);
	uint32_t packed = hearth_get_u32(&r);

	b->seq = hearth_get_u64(&r);
	b->session = hearth_get_u64(&r);
	if (magic != HEARTH_BLOCK_MAGIC || version != HEARTH_BLOCK_VERSION || b->session != session)
		return -EPROTO;
	if (flags & ~(HEARTH_BLOCK_HASHED | HEARTH_BLOCK_PACKED) || !nr_segs ||
	    nr_segs > HEARTH_BLOCK_MAX_SEGMENTS || len > b->data_bytes)
		return -EPROTO;
	if (flags & HEARTH_BLOCK_PACKED ? !packed || packed >= len : packed)
		return -EPROTO;
	b->is_hashed = flags & HEARTH_BLOCK_HASHED;
	b->is_damaged = false;
	b->packed = packed;
	b->nr_segs = nr_segs;
	b->len = len;
	return 0;
}

int hearth_block_parse_table(struct hearth_block *b)
{
	struct hearth_reader r = hearth_reader_of(b->head + HEARTH_BLOCK_HEADER_BYTES,
						  (size_t)b->nr_segs * HEARTH_BLOCK_SEGMENT_BYTES);
	uint64_t payload = 0;

	for (uint32_t i = 0; i < b->nr_segs; i++) {
		struct hearth_segment *s = &b->segs[i];
		uint64_t word;

		s->voff = hearth_get_u64(&r);
		word = hearth_get_u64(&r);
		s->len = word & (HEARTH_SEGMENT_MAX_BYTES - 1);
		s->kind = (enum hearth_segment_kind)(word >> KIND_SHIFT);
		if (s->kind > HEARTH_SEGMENT_SUM || !s->len || s->voff > INT64_MAX - s->len)
			return -EPROTO;
		if (s->kind == HEARTH_SEGMENT_SUM && s->len > HEARTH_BLOCK_MAX_PAYLOAD)
			return -EPROTO;
		payload += hearth_segment_payload(s);
		if (payload > b->len)
			return -EPROTO;
	}
	return payload == b->len ? 0 : -EPROTO;
}

int hearth_block_verify(const struct hearth_block *b)
{
	XXH128_canonical_t sum = { { 0 } };

	if (b->is_damaged)
		return -EBADMSG;
	if (b->is_hashed)
		XXH128_canonicalFromHash(&sum, block_hash(b));
	return memcmp(sum.digest, b->trailer, sizeof(b->trailer)) ? -EBADMSG : 0;
}
