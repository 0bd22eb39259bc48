// SPDX-License-Identifier: GPL-2.0-or-later
/* The index: building, encoding, decoding and searching batches. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/bytes.h"
#include "index.h"

/* An encoded entry is at most this long beside its strings: ten varints. */
#define ENTRY_MAX_BYTES 100
#define EXTRAS_SHIFT 4
#define STRINGS_BYTES (HEARTH_INDEX_MAX_BYTES - HEARTH_INDEX_MAX_ENTRIES * ENTRY_MAX_BYTES - 64)

bool hearth_name_is_valid(const char *name, size_t len)
{
	if (!len || len > HEARTH_NAME_MAX || memchr(name, '/', len) || memchr(name, '\0', len))
		return false;
	return !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));
}

struct hearth_batch *hearth_batch_alloc(uint64_t number, uint64_t voff, uint32_t first_dir)
{
	struct hearth_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->entries = malloc(HEARTH_INDEX_MAX_ENTRIES * sizeof(*b->entries));
	b->strings = malloc(STRINGS_BYTES);
	if (!b->entries || !b->strings) {
		hearth_batch_free(b);
		return NULL;
	}
	b->number = number;
	b->voff = voff;
	b->end = voff;
	b->first_dir = first_dir;
	return b;
}

void hearth_batch_free(struct hearth_batch *b)
{
	free(b->entries);
	free(b->strings);
	free(b);
}

static uint32_t add_string(struct hearth_batch *b, const char *s, size_t len)
{
	uint32_t at = b->nr_strings;

	if (len)
		memcpy(b->strings + at, s, len);
	b->strings[at + len] = '\0';
	b->nr_strings += (uint32_t)len + 1;
	return at;
}

static bool has_number(const struct hearth_entry *e)
{
	return e->kind == HEARTH_ENTRY_ROOT || e->kind == HEARTH_ENTRY_DIR;
}

static bool has_target(const struct hearth_entry *e)
{
	return e->kind == HEARTH_ENTRY_SYMLINK || e->kind == HEARTH_ENTRY_LINK;
}

static int add_entry(struct hearth_batch *b, const struct hearth_entry *from, const char *name,
		     size_t name_len, const char *target, size_t target_len, const void *attrs)
{
	struct hearth_entry *e;

	if (b->nr_entries == HEARTH_INDEX_MAX_ENTRIES ||
	    STRINGS_BYTES - b->nr_strings < name_len + target_len + from->attrs_len + 3)
		return -ENOSPC;
	if (from->size > HEARTH_FILE_MAX_BYTES || b->end > INT64_MAX - HEARTH_FILE_MAX_BYTES)
		return -ERANGE;
	e = &b->entries[b->nr_entries++];
	*e = *from;
	e->voff = b->end;
	if (e->kind != HEARTH_ENTRY_FILE)
		e->size = 0;
	b->end += e->size;
	if (has_number(e))
		e->dir_no = b->first_dir + b->nr_dirs++;
	e->name = add_string(b, name, name_len);
	e->target = add_string(b, target, target_len);
	e->attrs = add_string(b, attrs, e->attrs_len);
	return 0;
}

int hearth_batch_add(struct hearth_batch *b, const struct hearth_entry *e, const char *name,
		     const char *target, const void *attrs)
{
	return add_entry(b, e, name, strlen(name), target, strlen(target), attrs);
}

static uint64_t zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static void encode_entry(struct hearth_writer *w, const struct hearth_batch *b,
			 const struct hearth_entry *e)
{
	const char *name = hearth_entry_name(b, e), *target = hearth_entry_target(b, e);

	hearth_put_u8(w, (uint8_t)(e->kind | e->extras << EXTRAS_SHIFT));
	hearth_put_varint(w, e->parent);
	hearth_put_string(w, name, strlen(name));
	hearth_put_varint(w, e->mode);
	hearth_put_varint(w, zigzag(e->mtime_sec));
	hearth_put_varint(w, e->mtime_nsec);
	hearth_put_varint(w, e->uid);
	hearth_put_varint(w, e->gid);
	if (e->kind == HEARTH_ENTRY_FILE)
		hearth_put_varint(w, e->size);
	if (e->kind == HEARTH_ENTRY_LINK)
		hearth_put_varint(w, e->link_parent);
	if (has_target(e))
		hearth_put_string(w, target, strlen(target));
	if (e->kind == HEARTH_ENTRY_SPECIAL) {
		hearth_put_varint(w, e->rdev_major);
		hearth_put_varint(w, e->rdev_minor);
	}
	if (e->extras & HEARTH_EXTRA_ATTRS)
		hearth_put_string(w, hearth_entry_attrs(b, e), e->attrs_len);
	if (e->extras & HEARTH_EXTRA_SUM)
		hearth_put_bytes(w, e->sum, sizeof(e->sum));
}

size_t hearth_batch_encode(const struct hearth_batch *b, void *buf)
{
	struct hearth_writer w = hearth_writer_of(buf, HEARTH_INDEX_MAX_BYTES);

	hearth_put_varint(&w, b->number);
	hearth_put_varint(&w, b->voff);
	hearth_put_varint(&w, b->nr_entries);
	for (uint32_t i = 0; i < b->nr_entries; i++)
		encode_entry(&w, b, &b->entries[i]);
	return w.len;
}

static uint32_t get_u32_varint(struct hearth_reader *r)
{
	uint64_t v = hearth_get_varint(r);

	if (v > UINT32_MAX)
		r->is_bad = true;
	return (uint32_t)v;
}

static bool mode_fits_kind(uint32_t mode, uint8_t kind)
{
	if (mode & ~(uint32_t)(S_IFMT | 07777))
		return false;
	switch (kind) {
	case HEARTH_ENTRY_ROOT:
	case HEARTH_ENTRY_DIR:
		return S_ISDIR(mode);
	case HEARTH_ENTRY_FILE:
	case HEARTH_ENTRY_LINK:
		return S_ISREG(mode);
	case HEARTH_ENTRY_SYMLINK:
		return S_ISLNK(mode);
	case HEARTH_ENTRY_PRESENT:
		return true;
	default:
		return S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) || S_ISSOCK(mode);
	}
}

/*
 * Roots stand in no directory and have no name; everything else is in a directory that was
 * announced before.
 */
static bool place_is_valid(const struct hearth_batch *b, const struct hearth_entry *e,
			   const char *name, size_t len)
{
	if (e->kind == HEARTH_ENTRY_ROOT)
		return !e->parent && !len;
	return e->parent < b->first_dir + b->nr_dirs && hearth_name_is_valid(name, len);
}

static bool extras_fit_kind(const struct hearth_entry *e)
{
	uint8_t allowed = HEARTH_EXTRA_ATTRS;

	if (has_number(e))
		allowed |= HEARTH_EXTRA_LISTED;
	else if (e->kind == HEARTH_ENTRY_FILE)
		allowed |= HEARTH_EXTRA_SUM | HEARTH_EXTRA_STREAM | HEARTH_EXTRA_SPARSE;
	else
		allowed = 0;
	if (e->extras & HEARTH_EXTRA_STREAM && e->size != HEARTH_FILE_MAX_BYTES)
		return false;
	return !(e->extras & ~allowed);
}

/* A symlink may point anywhere; a link names a file in a directory that was announced before. */
static bool target_is_valid(const struct hearth_batch *b, const struct hearth_entry *e,
			    const char *target, size_t len)
{
	if (e->kind == HEARTH_ENTRY_LINK)
		return e->link_parent < b->first_dir + b->nr_dirs &&
		       hearth_name_is_valid(target, len);
	return len && !memchr(target, '\0', len);
}

static void decode_numbers(struct hearth_reader *r, struct hearth_entry *e)
{
	e->mode = get_u32_varint(r);
	e->mtime_sec = unzigzag(hearth_get_varint(r));
	e->mtime_nsec = get_u32_varint(r);
	e->uid = get_u32_varint(r);
	e->gid = get_u32_varint(r);
	if (e->kind == HEARTH_ENTRY_FILE)
		e->size = hearth_get_varint(r);
	if (e->kind == HEARTH_ENTRY_LINK)
		e->link_parent = get_u32_varint(r);
}

static int decode_entry(struct hearth_reader *r, struct hearth_batch *b)
{
	uint8_t first = hearth_get_u8(r);
	struct hearth_entry e = { .kind = first & ((1 << EXTRAS_SHIFT) - 1),
				  .extras = first >> EXTRAS_SHIFT };
	const char *name, *target = "", *attrs = "";
	size_t name_len, target_len = 0, attrs_len = 0;

	e.parent = get_u32_varint(r);
	name = hearth_get_string(r, HEARTH_NAME_MAX, &name_len);
	decode_numbers(r, &e);
	if (has_target(&e)) {
		target = hearth_get_string(r, HEARTH_TARGET_MAX, &target_len);
		if (r->is_bad || !target_is_valid(b, &e, target, target_len))
			return -EPROTO;
	}
	if (e.kind == HEARTH_ENTRY_SPECIAL) {
		e.rdev_major = get_u32_varint(r);
		e.rdev_minor = get_u32_varint(r);
	}
	if (e.extras & HEARTH_EXTRA_ATTRS)
		attrs = hearth_get_string(r, HEARTH_ATTRS_MAX, &attrs_len);
	if (e.extras & HEARTH_EXTRA_SUM)
		hearth_get_copy(r, e.sum, sizeof(e.sum));
	e.attrs_len = (uint32_t)attrs_len;
	if (r->is_bad || e.kind >= HEARTH_NR_ENTRY_KINDS || e.mtime_nsec >= 1000000000 ||
	    !mode_fits_kind(e.mode, e.kind) || !extras_fit_kind(&e) ||
	    !place_is_valid(b, &e, name, name_len))
		return -EPROTO;
	return add_entry(b, &e, name, name_len, target, target_len, attrs) ? -EPROTO : 0;
}

int hearth_batch_decode(const void *buf, size_t len, uint64_t number, uint64_t voff,
			uint32_t first_dir, struct hearth_batch **ret)
{
	struct hearth_reader r = hearth_reader_of(buf, len);
	struct hearth_batch *b;
	uint64_t nr;
	int err = 0;

	if (hearth_get_varint(&r) != number || hearth_get_varint(&r) != voff)
		return -EPROTO;
	nr = hearth_get_varint(&r);
	if (r.is_bad || nr > HEARTH_INDEX_MAX_ENTRIES)
		return -EPROTO;
	b = hearth_batch_alloc(number, voff, first_dir);
	if (!b)
		return -ENOMEM;
	for (uint64_t i = 0; i < nr && !err; i++)
		err = decode_entry(&r, b);
	if (!err && hearth_reader_left(&r))
		err = -EPROTO;
	if (err)
		hearth_batch_free(b);
	else
		*ret = b;
	return err;
}

/* Entries ascend by voff; empty ones share the offset of the file that follows them. */
struct hearth_entry *hearth_batch_find(struct hearth_batch *b, uint64_t voff)
{
	uint32_t low = 0, high = b->nr_entries;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (b->entries[mid].voff + b->entries[mid].size <= voff)
			low = mid + 1;
		else
			high = mid;
	}
	return &b->entries[low];
}
