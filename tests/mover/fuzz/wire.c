// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target: everything that is parsed from a data connection, a queue pair
 * or the control channel. The first byte chooses the parser, the rest is its input.
 * Beside memory safety it checks that what was accepted is within the limits
 * that the engine relies on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "names.h"
#include "pool.h"
#include "rdma_wire.h"
#include "session.h"
#include "work.h"

#define BLOCK_BYTES 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
	if (!condition)
		abort();
}

static void fuzz_block(const uint8_t *data, size_t size)
{
	static struct hearth_pool pool;
	struct hearth_block *b;
	uint64_t payload = 0;

	if (!pool.block_bytes)
		require(!hearth_pool_init(&pool, BLOCK_BYTES, 4 * BLOCK_BYTES, -1));
	if (size < HEARTH_BLOCK_HEADER_BYTES || size > HEARTH_BLOCK_HEAD_BYTES)
		return;
	b = hearth_pool_get(&pool);
	memset(b->head, 0, HEARTH_BLOCK_HEAD_BYTES);
	memcpy(b->head, data, size);
	memset(&b->session, 0, sizeof(b->session));
	if (!hearth_block_parse_header(b, 0) && !hearth_block_parse_table(b)) {
		require(b->nr_segs && b->nr_segs <= HEARTH_BLOCK_MAX_SEGMENTS &&
			b->len <= BLOCK_BYTES);
		for (uint32_t i = 0; i < b->nr_segs; i++) {
			require(b->segs[i].len && b->segs[i].voff + b->segs[i].len <= INT64_MAX);
			payload += hearth_segment_payload(&b->segs[i]);
		}
		require(payload == b->len);
		hearth_block_verify(b);
	}
	hearth_pool_put(b);
}

static void fuzz_hello(const struct hearth_frame *f)
{
	struct hearth_hello h;

	if (hearth_parse_hello(f, &h))
		return;
	require(h.nr_streams && h.nr_streams <= HEARTH_MAX_STREAMS && h.nr_paths);
	require(h.opt.block_bytes <= HEARTH_BLOCK_MAX_PAYLOAD && h.opt.timeout_s);
	hearth_filter_excludes(&h.filter, h.paths[0], false);
	hearth_hello_exit(&h);
}

static void fuzz_want(const struct hearth_frame *f)
{
	struct hearth_ranges r = { 0 };
	uint64_t batch, sum = 0;

	if (!hearth_parse_want(f, &batch, &r)) {
		for (size_t i = 0; i < r.nr; i++) {
			require(r.v[i].start < r.v[i].end && r.v[i].end <= INT64_MAX);
			require(!i || r.v[i - 1].end < r.v[i].start);
			sum += r.v[i].end - r.v[i].start;
		}
		require(sum == r.covered);
	}
	hearth_ranges_exit(&r);
}

static void fuzz_names(const struct hearth_frame *f)
{
	struct hearth_names names = { 0 };

	if (!hearth_names_parse(f, &names))
		for (uint32_t i = 0; i < names.nr; i++)
			require(names.v[i][0] && strlen(names.v[i]) < HEARTH_PATH_MAX);
	hearth_names_exit(&names);
}

static void fuzz_path(const struct hearth_frame *f)
{
	struct hearth_path path;

	if (hearth_parse_path(f, &path))
		return;
	require(path.nr_limits <= HEARTH_MAX_LIMITS);
	for (uint32_t i = 0; i < path.nr_limits; i++)
		require(strlen(path.limits[i].name) < sizeof(path.limits[i].name) &&
			strlen(path.limits[i].end) < sizeof(path.limits[i].end));
}

static void fuzz_rdma_message(const uint8_t *data, size_t size)
{
	struct hearth_rdma_msg m;

	if (hearth_rdma_decode(data, size, &m))
		return;
	require(m.type > 0 && m.type < HEARTH_RDMA_NR_TYPES && m.nr_ids <= HEARTH_RDMA_MAX_IDS);
	require(!m.head || (m.head >= data && m.head + m.head_len <= data + size));
}

/* Nobody who does not know the key gets in. */
static void fuzz_rdma_request(const uint8_t *data, size_t size)
{
	static const struct hearth_ticket ticket = { .key = { 1 } };
	static const uint8_t nonce[HEARTH_RDMA_NONCE_BYTES];
	struct hearth_rdma_proof proof = { 0 };

	require(hearth_rdma_check_request(data, size, &ticket, nonce, &proof));
	require(hearth_rdma_check_answer(data, size, &proof, &ticket, nonce));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hearth_frame f = { .body = data + 1, .len = (uint32_t)size - 1 };
	uint64_t seqs[HEARTH_MAX_ACKS];
	static struct hearth_note note;
	struct hearth_welcome welcome;
	enum hearth_exit code;
	char text[512];
	uint32_t nr, entry;
	uint64_t batch, u64;
	uint8_t u8;

	if (!size)
		return 0;
	switch (data[0] % 16) {
	case 0:
		fuzz_block(data + 1, size - 1);
		break;
	case 1:
		fuzz_hello(&f);
		break;
	case 2:
		fuzz_want(&f);
		break;
	case 3:
		hearth_parse_note(&f, &note);
		break;
	case 4:
		hearth_parse_welcome(&f, &welcome);
		break;
	case 5:
		if (!hearth_parse_seqs(&f, seqs, &nr))
			require(nr <= HEARTH_MAX_ACKS);
		break;
	case 6:
		hearth_parse_fail(&f, &code, text, sizeof(text));
		break;
	case 8:
		if (!hearth_parse_keep(&f, &batch, &entry))
			require(entry < HEARTH_INDEX_MAX_ENTRIES);
		break;
	case 9:
		fuzz_names(&f);
		break;
	case 10:
		hearth_parse_u64(&f, &u64);
		break;
	case 11:
		fuzz_path(&f);
		break;
	case 12:
		fuzz_rdma_message(data + 1, size - 1);
		break;
	case 13:
		fuzz_rdma_request(data + 1, size - 1);
		break;
	case 14:
		if (!hearth_parse_volume(&f, &u64, &u8))
			require(u8 < HEARTH_MAX_DEVICES);
		break;
	default:
		hearth_parse_u8(&f, &u8);
	}
	return 0;
}
