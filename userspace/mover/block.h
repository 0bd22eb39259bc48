/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks: the self-describing pieces of a transfer.
 *
 * The index lays every file of a job end to end in one large virtual file. A
 * block carries parts of that virtual file, as a table of segments; it does not
 * matter on which stream it travels or when, compared with other blocks. One
 * segment may span thousands of small files, or be a part of a large one.
 *
 *   header | segment table | payload of the data segments | trailer
 *
 *   header   u32 magic, u8 version, u8 flags, u16 nr_segments,
 *            u32 payload_bytes, u32 packed_bytes, u64 sequence, u64 session
 *   segment  u64 offset in the virtual file, u64 length (top byte: kind)
 *   trailer  XXH3-128 of the payload, seeded with XXH3-64 of header and table;
 *            without a checksum zeros, or ones if the payload is void: it could
 *            not be read as it went out, and the receiver is to ask again
 *
 * A *hole* segment stands for zeros and a *fault* segment for bytes that could
 * not be read; neither has payload. The payload of a *sum* segment is the XXH3-128
 * of bytes that the receiver may have already; if it does not, it answers NAK and
 * gets them as data. All integers are little-endian.
 *
 * A stream may carry the payload packed by zstd; packed_bytes is its length then.
 * Flag and length are taken out again on arrival: the checksum is that of the
 * block as it was before.
 */
#ifndef HEARTH_BLOCK_H
#define HEARTH_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEARTH_BLOCK_MAGIC 0x4b4c4248u /* "HBLK" */
#define HEARTH_BLOCK_VERSION 1
#define HEARTH_BLOCK_HEADER_BYTES 32
#define HEARTH_BLOCK_SEGMENT_BYTES 16
#define HEARTH_BLOCK_TRAILER_BYTES 16
#define HEARTH_BLOCK_MAX_SEGMENTS 1024
#define HEARTH_BLOCK_MIN_PAYLOAD 4096u
#define HEARTH_BLOCK_MAX_PAYLOAD (16u << 20)
#define HEARTH_BLOCK_HEAD_BYTES \
	(HEARTH_BLOCK_HEADER_BYTES + HEARTH_BLOCK_MAX_SEGMENTS * HEARTH_BLOCK_SEGMENT_BYTES)
#define HEARTH_SEGMENT_MAX_BYTES (1ull << 56)

/* The trailer holds a checksum (not with --integrity=link). */
#define HEARTH_BLOCK_HASHED 0x01
#define HEARTH_BLOCK_PACKED 0x02

enum hearth_segment_kind {
	HEARTH_SEGMENT_DATA,
	HEARTH_SEGMENT_HOLE,
	HEARTH_SEGMENT_FAULT,
	HEARTH_SEGMENT_SUM, /* of one file */
};

#define HEARTH_SEGMENT_SUM_BYTES 16

struct hearth_segment {
	uint64_t voff;
	uint64_t len;
	enum hearth_segment_kind kind;
};

/* Bytes of the payload that belong to a segment. */
static inline uint64_t hearth_segment_payload(const struct hearth_segment *s)
{
	if (s->kind == HEARTH_SEGMENT_SUM)
		return HEARTH_SEGMENT_SUM_BYTES;
	return s->kind == HEARTH_SEGMENT_DATA ? s->len : 0;
}

struct hearth_berth;
struct hearth_pool;
struct hearth_pool_chunk;

struct hearth_block {
	struct hearth_pool *pool;
	struct hearth_pool_chunk *chunk; /* whose mapping it lies in */
	struct hearth_block *next;
	uint8_t *head; /* header and table as on the wire */
	uint8_t *data;
	struct hearth_berth *berth; /* that @data is in, instead of @own_data; or NULL */
	uint8_t *own_data;
	uint32_t data_bytes; /* room for payload */
	uint32_t len; /* payload present */
	uint32_t nr_segs;
	uint32_t packed; /* length of the payload on the wire if it is packed, else 0 */
	bool is_hashed;
	bool is_damaged; /* it could not be unpacked */
	uint8_t volume; /* sender: where the receiver writes it, by the receiver's number */
	uint64_t seq;
	uint64_t session;
	int payload_fd; /* for sendfile(): the payload is here, in @data only if hashed; or -1 */
	uint64_t payload_offset;
	uint8_t trailer[HEARTH_BLOCK_TRAILER_BYTES];
	struct hearth_segment segs[HEARTH_BLOCK_MAX_SEGMENTS];
};

void hearth_block_reset(struct hearth_block *b);

/* Appends a segment, or extends the last one if it continues it. False if the table is full. */
bool hearth_block_add(struct hearth_block *b, enum hearth_segment_kind kind, uint64_t voff,
		      uint64_t len);

static inline bool hearth_block_is_full(const struct hearth_block *b)
{
	return b->data_bytes - b->len < HEARTH_BLOCK_MIN_PAYLOAD || b->payload_fd >= 0 ||
	       b->nr_segs == HEARTH_BLOCK_MAX_SEGMENTS;
}

/* Writes header, table and trailer for what the block holds. */
void hearth_block_seal(struct hearth_block *b, bool is_hashed);

/* Marks the header of a sealed block as packed, or takes the mark away. */
void hearth_block_mark_packed(struct hearth_block *b, uint32_t packed);

/* Takes back what the trailer of a sealed block says of its payload. */
void hearth_block_make_void(struct hearth_block *b);

/* Bytes of header and table on the wire. */
size_t hearth_block_head_bytes(const struct hearth_block *b);

/*
 * Parse what came from a peer, with every bound checked; -EPROTO if it is no block of this session.
 *
 */
int hearth_block_parse_header(struct hearth_block *b, uint64_t session);
int hearth_block_parse_table(struct hearth_block *b);

/* 0, or -EBADMSG if the content is not what the trailer says, or void. */
int hearth_block_verify(const struct hearth_block *b);

#endif
