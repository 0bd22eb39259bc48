// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Blocks that describe themselves.
 *
 *   u8 magic[8] "HRTHPUT1", u64 offset in the LUN, u64 bytes of content, u64 tag,
 *   u8 zero[16], XXH3-128 (canonical form) of those 48 bytes and the content; content; zeroes
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "../common/bytes.h"
#include "lib.h"

#define MAGIC "HRTHPUT1"
#define HEAD_BYTES 64u
#define SUMMED_BYTES 48u

/* One that is being put is damaged for as long as that takes. */
#define TRIES 4

static void sum(const uint8_t head[HEAD_BYTES], const uint8_t *content, size_t len,
		uint8_t ret[sizeof(XXH128_canonical_t)])
{
	XXH3_state_t *state = XXH3_createState();
	XXH128_canonical_t canonical;

	if (!state)
		abort(); /* it is small, and without it nothing can be told */
	XXH3_128bits_reset(state);
	XXH3_128bits_update(state, head, SUMMED_BYTES);
	XXH3_128bits_update(state, content, len);
	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
	memcpy(ret, &canonical, sizeof(canonical));
	XXH3_freeState(state);
}

size_t hearth_put_size(const struct hearth_session *s, size_t len)
{
	size_t block = s->lun.block_bytes;

	return (HEAD_BYTES + len + block - 1) / block * block;
}

ssize_t hearth_put(struct hearth_session *s, uint64_t tag, const void *buf, size_t len,
		   uint64_t offset)
{
	struct hearth_writer w;
	uint8_t *block;
	size_t bytes;
	ssize_t ret;

	if (len > HEARTH_PUT_MAX_BYTES)
		return hearth_lib_fail(s, -EINVAL, "%zu bytes: a block has at most %u", len,
				       HEARTH_PUT_MAX_BYTES);
	bytes = hearth_put_size(s, len);
	block = calloc(1, bytes);
	if (!block)
		return hearth_lib_fail(s, -ENOMEM, "out of memory");
	w = hearth_writer_of(block, HEAD_BYTES);
	hearth_put_bytes(&w, MAGIC, 8);
	hearth_put_u64(&w, offset);
	hearth_put_u64(&w, len);
	hearth_put_u64(&w, tag);
	if (len)
		memcpy(block + HEAD_BYTES, buf, len);
	sum(block, block + HEAD_BYTES, len, block + SUMMED_BYTES);
	ret = hearth_write(s, block, bytes, offset);
	free(block);
	return ret;
}

/* Of a head: the content's length, -ENODATA or -EMSGSIZE. */
static int64_t judge_head(struct hearth_session *s, const uint8_t head[HEAD_BYTES], size_t size,
			  uint64_t offset, uint64_t *ret_tag)
{
	struct hearth_reader r = hearth_reader_of(head + 8, HEAD_BYTES - 8);
	uint64_t at = hearth_get_u64(&r), len = hearth_get_u64(&r);

	*ret_tag = hearth_get_u64(&r);
	if (memcmp(head, MAGIC, 8) || at != offset || len > HEARTH_PUT_MAX_BYTES)
		return hearth_lib_fail(s, -ENODATA, "there is no block at %llu",
				       (unsigned long long)offset);
	if (len > size)
		return hearth_lib_fail(s, -EMSGSIZE,
				       "the block at %llu has %llu bytes, the buffer %zu",
				       (unsigned long long)offset, (unsigned long long)len, size);
	return (int64_t)len;
}

static ssize_t get_once(struct hearth_session *s, uint64_t *ret_tag, void *buf, size_t size,
			uint64_t offset)
{
	uint8_t head[HEAD_BYTES], found[sizeof(XXH128_canonical_t)];
	ssize_t got = hearth_read(s, head, sizeof(head), offset);
	int64_t len;

	if (got < 0)
		return got;
	memset(head + got, 0, sizeof(head) - (size_t)got);
	len = judge_head(s, head, size, offset, ret_tag);
	if (len < 0)
		return (ssize_t)len;
	got = hearth_read(s, buf, (size_t)len, offset + HEAD_BYTES);
	if (got < 0)
		return got;
	sum(head, buf, (size_t)got, found);
	if (got != len || memcmp(found, head + SUMMED_BYTES, sizeof(found)))
		return hearth_lib_fail(s, -EBADMSG, "the block at %llu is damaged",
				       (unsigned long long)offset);
	return got;
}

ssize_t hearth_get(struct hearth_session *s, uint64_t *ret_tag, void *buf, size_t size,
		   uint64_t offset)
{
	ssize_t ret = -EBADMSG;
	uint64_t tag = 0;

	for (int i = 0; i < TRIES && ret == -EBADMSG; i++)
		ret = get_once(s, &tag, buf, size, offset);
	if (ret >= 0 && ret_tag)
		*ret_tag = tag;
	return ret;
}
