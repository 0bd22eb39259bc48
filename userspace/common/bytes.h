/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounds-checked little-endian reading and writing.
 *
 * A reader or writer that runs over its end goes *bad* and stays bad: gets
 * return zero, puts write nothing. So a parser reads a whole message and asks
 * once, at the end, whether all of it was there.
 */
#ifndef HEARTH_BYTES_H
#define HEARTH_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct hearth_reader {
	const uint8_t *pos;
	const uint8_t *end;
	bool is_bad;
};

struct hearth_writer {
	uint8_t *buf;
	size_t len;
	size_t cap;
	bool is_bad;
};

static inline struct hearth_reader hearth_reader_of(const void *buf, size_t len)
{
	return (struct hearth_reader){ .pos = buf, .end = (const uint8_t *)buf + len };
}

static inline struct hearth_writer hearth_writer_of(void *buf, size_t cap)
{
	return (struct hearth_writer){ .buf = buf, .cap = cap };
}

static inline size_t hearth_reader_left(const struct hearth_reader *r)
{
	return (size_t)(r->end - r->pos);
}

/* The next @len bytes in place, or NULL and the reader is bad. */
static inline const void *hearth_get_bytes(struct hearth_reader *r, size_t len)
{
	const uint8_t *p = r->pos;

	if (r->is_bad || hearth_reader_left(r) < len) {
		r->is_bad = true;
		return NULL;
	}
	r->pos += len;
	return p;
}

static inline void hearth_get_copy(struct hearth_reader *r, void *to, size_t len)
{
	const void *p = hearth_get_bytes(r, len);

	if (p)
		memcpy(to, p, len);
	else
		memset(to, 0, len);
}

static inline void hearth_put_bytes(struct hearth_writer *w, const void *from, size_t len)
{
	if (w->is_bad || w->cap - w->len < len) {
		w->is_bad = true;
		return;
	}
	if (len)
		memcpy(w->buf + w->len, from, len);
	w->len += len;
}

#define HEARTH_DEFINE_INT(name, type, to_le, from_le)                       \
	static inline type hearth_get_##name(struct hearth_reader *r)       \
	{                                                                   \
		type le;                                                    \
									    \
		hearth_get_copy(r, &le, sizeof(le));                        \
		return from_le(le);                                         \
	}                                                                   \
	static inline void hearth_put_##name(struct hearth_writer *w, type v) \
	{                                                                   \
		type le = to_le(v);                                         \
									    \
		hearth_put_bytes(w, &le, sizeof(le));                       \
	}

#define HEARTH_AS_IS(v) (v)

HEARTH_DEFINE_INT(u8, uint8_t, HEARTH_AS_IS, HEARTH_AS_IS)
HEARTH_DEFINE_INT(u16, uint16_t, htole16, le16toh)
HEARTH_DEFINE_INT(u32, uint32_t, htole32, le32toh)
HEARTH_DEFINE_INT(u64, uint64_t, htole64, le64toh)

/*
 * Variable-length integers, seven bits a byte, low bits first. Encodings longer than needed and
 * values beyond 64 bits are bad.
 */
static inline void hearth_put_varint(struct hearth_writer *w, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		hearth_put_u8(w, (uint8_t)(v | 0x80));
	hearth_put_u8(w, (uint8_t)v);
}

static inline uint64_t hearth_get_varint(struct hearth_reader *r)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t byte = hearth_get_u8(r);

		if (shift == 63 && byte > 1)
			break;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			if (!byte && shift)
				break;
			return r->is_bad ? 0 : v;
		}
	}
	r->is_bad = true;
	return 0;
}

/* A byte string preceded by its length; the length is capped by @max. */
static inline void hearth_put_string(struct hearth_writer *w, const void *s, size_t len)
{
	hearth_put_varint(w, len);
	hearth_put_bytes(w, s, len);
}

static inline const char *hearth_get_string(struct hearth_reader *r, size_t max, size_t *ret_len)
{
	uint64_t len = hearth_get_varint(r);

	if (len > max)
		r->is_bad = true;
	*ret_len = r->is_bad ? 0 : (size_t)len;
	return hearth_get_bytes(r, *ret_len);
}

#endif
