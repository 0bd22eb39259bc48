// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Extended attributes in an EROFS image.
 *
 * Trees tend to have few of them, many times: every distinct attribute is kept once,
 * and so is every distinct set of them, of which an inode only has the number. What
 * several inodes have is written to the shared area, what one has behind that one.
 */
#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "../common/bytes.h"
#include "erofs_impl.h"

static const struct prefix {
	const char *text;
	uint8_t number;
	bool is_whole; /* nothing follows */
} prefixes[] = {
	{ "user.", EROFS_ATTR_USER, false },
	{ "trusted.", EROFS_ATTR_TRUSTED, false },
	{ "security.", EROFS_ATTR_SECURITY, false },
	{ "system.posix_acl_access", EROFS_ATTR_ACL_ACCESS, true },
	{ "system.posix_acl_default", EROFS_ATTR_ACL_DEFAULT, true },
};

static const struct prefix *prefix_of(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		size_t prefix_len = strlen(prefixes[i].text);

		if (prefixes[i].is_whole ? len == prefix_len : len > prefix_len)
			if (!memcmp(name, prefixes[i].text, prefix_len))
				return &prefixes[i];
	}
	return NULL;
}

const char *hearth_erofs_why_no_attr(const char *name, size_t len, size_t value_len)
{
	if (!prefix_of(name, len))
		return "EROFS has no place for attributes of that name space";
	if (value_len > EROFS_ATTR_VALUE_MAX)
		return "a value in EROFS has 65535 bytes at most";
	return NULL;
}

void hearth_erofs_attrs_exit(struct hearth_erofs_attrs *a)
{
	free(a->v);
	free(a->sets);
	free(a->members);
	free(a->by_text.v);
	free(a->by_members.v);
}

static uint64_t hash_attr(const struct hearth_erofs_attrs *a, uint32_t number)
{
	const struct hearth_erofs_attr *attr = &a->v[number];

	return XXH3_64bits_withSeed(attr->text, (size_t)attr->name_len + attr->value_len,
				    attr->prefix);
}

static uint64_t hash_set(const struct hearth_erofs_attrs *a, uint32_t number)
{
	const struct hearth_erofs_attr_set *set = &a->sets[number];

	return XXH3_64bits(a->members + set->first, set->nr * sizeof(*a->members));
}

typedef uint64_t hash_of(const struct hearth_erofs_attrs *a, uint32_t number);
typedef bool is_same(const struct hearth_erofs_attrs *a, uint32_t one, uint32_t other);

static void put_in(struct hearth_erofs_hash *h, uint64_t hash, uint32_t number)
{
	size_t at = hash & (h->cap - 1);

	while (h->v[at] != EROFS_NONE)
		at = (at + 1) & (h->cap - 1);
	h->v[at] = number;
	h->nr++;
}

static int grow_hash(struct hearth_erofs_hash *h, const struct hearth_erofs_attrs *a, hash_of *hash)
{
	struct hearth_erofs_hash grown = { .cap = h->cap ? 2 * h->cap : 64 };

	if (2 * h->nr < h->cap)
		return 0;
	grown.v = malloc(grown.cap * sizeof(*grown.v));
	if (!grown.v)
		return -ENOMEM;
	memset(grown.v, 0xff, grown.cap * sizeof(*grown.v));
	for (size_t i = 0; i < h->cap; i++)
		if (h->v[i] != EROFS_NONE)
			put_in(&grown, hash(a, h->v[i]), h->v[i]);
	free(h->v);
	*h = grown;
	return 0;
}

/*
 * The record that is the same as the last one, @number, which is not in the table yet: an older
 * one, or that one, which goes in.
 */
static int find_or_put(struct hearth_erofs_hash *h, const struct hearth_erofs_attrs *a,
		       uint32_t number, hash_of *hash, is_same *same, uint32_t *ret)
{
	uint64_t value = hash(a, number);
	int err = grow_hash(h, a, hash);
	size_t at;

	if (err)
		return err;
	for (at = value & (h->cap - 1); h->v[at] != EROFS_NONE; at = (at + 1) & (h->cap - 1))
		if (same(a, h->v[at], number)) {
			*ret = h->v[at];
			return 0;
		}
	put_in(h, value, number);
	*ret = number;
	return 0;
}

static bool is_same_attr(const struct hearth_erofs_attrs *a, uint32_t one, uint32_t other)
{
	const struct hearth_erofs_attr *x = &a->v[one], *y = &a->v[other];

	return x->prefix == y->prefix && x->name_len == y->name_len &&
	       x->value_len == y->value_len &&
	       !memcmp(x->text, y->text, (size_t)x->name_len + x->value_len);
}

static bool is_same_set(const struct hearth_erofs_attrs *a, uint32_t one, uint32_t other)
{
	const struct hearth_erofs_attr_set *x = &a->sets[one], *y = &a->sets[other];

	return x->nr == y->nr && !memcmp(a->members + x->first, a->members + y->first,
					 x->nr * sizeof(*a->members));
}

/* The attribute's text lies in @a from the arena only if there was none like it. */
static int intern(struct hearth_erofs *fs, const struct hearth_erofs_attr *attr, uint32_t *ret)
{
	struct hearth_erofs_attrs *a = &fs->attrs;
	uint32_t number = (uint32_t)a->nr;
	int err = hearth_erofs_grow(&a->v, a->nr, &a->cap, sizeof(*a->v));

	if (err)
		return err;
	a->v[a->nr] = *attr;
	err = find_or_put(&a->by_text, a, number, hash_attr, is_same_attr, ret);
	if (err || *ret != number)
		return err;
	a->v[number].text = hearth_erofs_keep(&fs->arena, attr->text,
					      (size_t)attr->name_len + attr->value_len);
	a->nr++;
	return a->v[number].text ? 0 : -ENOMEM;
}

static int add_member(struct hearth_erofs_attrs *a, uint32_t attr)
{
	int err = hearth_erofs_grow(&a->members, a->nr_members, &a->cap_members,
				    sizeof(*a->members));

	if (!err)
		a->members[a->nr_members++] = attr;
	return err;
}

static uint32_t entry_bytes(const struct hearth_erofs_attr *attr)
{
	uint32_t bytes = EROFS_ATTR_ENTRY_BYTES + attr->name_len + attr->value_len;

	return (uint32_t)hearth_erofs_round_up(bytes, EROFS_ATTR_ENTRY_BYTES);
}

/* One attribute becomes a member of the set that is last. */
static int add_attr(struct hearth_erofs *fs, const char *name, size_t name_len, const char *value,
		    size_t value_len)
{
	const struct prefix *prefix = prefix_of(name, name_len);
	uint8_t buf[EROFS_ATTR_NAME_MAX + EROFS_ATTR_VALUE_MAX];
	struct hearth_erofs_attr attr = { .text = buf };
	uint32_t number;
	int err;

	if (hearth_erofs_why_no_attr(name, name_len, value_len))
		return 0;
	attr.prefix = prefix->number;
	attr.name_len = (uint8_t)(name_len - strlen(prefix->text));
	attr.value_len = (uint16_t)value_len;
	memcpy(buf, name + strlen(prefix->text), attr.name_len);
	memcpy(buf + attr.name_len, value, value_len);
	err = intern(fs, &attr, &number);
	return err ? err : add_member(&fs->attrs, number);
}

/* Until all are laid out nobody knows which are shared: none of them would have to fit. */
static bool fits(const struct hearth_erofs_attrs *a, size_t first)
{
	uint64_t bytes = 0;

	for (size_t i = first; i < a->nr_members; i++)
		bytes += entry_bytes(&a->v[a->members[i]]);
	return bytes / EROFS_ATTR_ENTRY_BYTES < EROFS_ATTR_MAX_UNITS;
}

static int set_of_members(struct hearth_erofs_attrs *a, size_t first, uint32_t *ret)
{
	uint32_t number = (uint32_t)a->nr_sets;
	int err = hearth_erofs_grow(&a->sets, a->nr_sets, &a->cap_sets, sizeof(*a->sets));

	if (err)
		return err;
	a->sets[number] = (struct hearth_erofs_attr_set){ .first = (uint32_t)first,
							  .nr = (uint32_t)(a->nr_members - first) };
	err = find_or_put(&a->by_members, a, number, hash_set, is_same_set, ret);
	if (err)
		return err;
	if (*ret == number)
		a->nr_sets++;
	else
		a->nr_members = first;
	return 0;
}

int hearth_erofs_set_attrs(struct hearth_erofs *fs, uint32_t number, const void *attrs, size_t len)
{
	struct hearth_reader r = hearth_reader_of(attrs, len);
	struct hearth_erofs_attrs *a = &fs->attrs;
	size_t first = a->nr_members, name_len, value_len;
	uint32_t set;
	int err = 0;

	while (!err && hearth_reader_left(&r)) {
		const char *name = hearth_get_string(&r, XATTR_NAME_MAX, &name_len);
		const char *value = hearth_get_string(&r, XATTR_SIZE_MAX, &value_len);

		err = value ? add_attr(fs, name, name_len, value, value_len) : -EPROTO;
	}
	if (!err && !fits(a, first))
		err = -E2BIG;
	if (err || a->nr_members == first) {
		a->nr_members = first;
		return err;
	}
	err = set_of_members(a, first, &set);
	if (err)
		return err;
	fs->inodes[number].attrs = set;
	fs->meta_bytes += EROFS_ATTR_HEADER_BYTES;
	return 0;
}

static bool is_shared(const struct hearth_erofs_attr *attr)
{
	return attr->refs > 1;
}

/* How many of the set's are shared, as far as an inode can say so; the others lie behind it. */
static uint32_t measure(const struct hearth_erofs_attrs *a, const struct hearth_erofs_attr_set *set,
			uint32_t *ret_bytes)
{
	uint32_t nr = 0, bytes = EROFS_ATTR_HEADER_BYTES;

	for (uint32_t i = 0; i < set->nr; i++) {
		const struct hearth_erofs_attr *attr = &a->v[a->members[set->first + i]];

		if (is_shared(attr) && nr < EROFS_ATTR_MAX_SHARED) {
			bytes += sizeof(uint32_t);
			nr++;
		} else {
			bytes += entry_bytes(attr);
		}
	}
	*ret_bytes = bytes;
	return nr;
}

void hearth_erofs_attrs_lay_out(struct hearth_erofs *fs)
{
	struct hearth_erofs_attrs *a = &fs->attrs;

	for (size_t i = 0; i < fs->nr_inodes; i++)
		if (hearth_erofs_is_kept(&fs->inodes[i]) && fs->inodes[i].attrs != EROFS_NONE)
			a->sets[fs->inodes[i].attrs].refs++;
	for (size_t i = 0; i < a->nr_sets; i++)
		for (uint32_t j = 0; j < a->sets[i].nr; j++)
			a->v[a->members[a->sets[i].first + j]].refs += a->sets[i].refs;
	for (size_t i = 0; i < a->nr; i++) {
		if (!is_shared(&a->v[i]))
			continue;
		a->v[i].id = (uint32_t)(a->shared_bytes / sizeof(uint32_t));
		a->shared_bytes += entry_bytes(&a->v[i]);
	}
	for (size_t i = 0; i < a->nr_sets; i++)
		measure(a, &a->sets[i], &a->sets[i].bytes);
}

uint32_t hearth_erofs_attrs_bytes(const struct hearth_erofs *fs,
				  const struct hearth_erofs_inode *inode)
{
	return inode->attrs == EROFS_NONE ? 0 : fs->attrs.sets[inode->attrs].bytes;
}

static void put_entry(struct hearth_erofs_out *out, const struct hearth_erofs_attr *attr)
{
	const uint8_t head[] = { attr->name_len, attr->prefix, (uint8_t)attr->value_len,
				 (uint8_t)(attr->value_len >> 8) };
	uint32_t len = (uint32_t)attr->name_len + attr->value_len;

	hearth_erofs_out_put(out, head, sizeof(head));
	hearth_erofs_out_put(out, attr->text, len);
	hearth_erofs_out_fill(out, entry_bytes(attr) - EROFS_ATTR_ENTRY_BYTES - len);
}

void hearth_erofs_attrs_put_shared(const struct hearth_erofs *fs, struct hearth_erofs_out *out)
{
	for (size_t i = 0; i < fs->attrs.nr; i++)
		if (is_shared(&fs->attrs.v[i]))
			put_entry(out, &fs->attrs.v[i]);
}

void hearth_erofs_attrs_put(const struct hearth_erofs *fs, const struct hearth_erofs_inode *inode,
			    struct hearth_erofs_out *out)
{
	const struct hearth_erofs_attrs *a = &fs->attrs;
	const struct hearth_erofs_attr_set *set;
	uint8_t head[EROFS_ATTR_HEADER_BYTES] = { 0 };
	uint32_t bytes, nr, seen = 0;

	if (inode->attrs == EROFS_NONE)
		return;
	set = &a->sets[inode->attrs];
	nr = measure(a, set, &bytes);
	head[4] = (uint8_t)nr;
	hearth_erofs_out_put(out, head, sizeof(head));
	for (uint32_t i = 0; i < set->nr && seen < nr; i++) {
		const struct hearth_erofs_attr *attr = &a->v[a->members[set->first + i]];
		uint32_t id = htole32(attr->id);

		if (!is_shared(attr))
			continue;
		hearth_erofs_out_put(out, &id, sizeof(id));
		seen++;
	}
	seen = 0;
	for (uint32_t i = 0; i < set->nr; i++) {
		const struct hearth_erofs_attr *attr = &a->v[a->members[set->first + i]];

		if (!is_shared(attr) || seen++ >= nr)
			put_entry(out, attr);
	}
}
