// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Unit tests of EROFS images: what the library lays out is read back by a naive reader.
 *
 * With the name of a file, writes a small image with one of everything to it instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../userspace/common/bytes.h"
#include "erofs.h"
#include "erofs_format.h"

#define BLOCK HEARTH_EROFS_BLOCK_BYTES

/* An image in memory; what was never written has this value. */
#define UNWRITTEN 0xa5

struct image {
	uint8_t *data;
	size_t len;
	uint64_t end; /* of what was written last */
	int fails_after;
};

static int take(void *ctx, const void *data, size_t len, uint64_t offset)
{
	struct image *image = ctx;

	if (image->fails_after && !--image->fails_after)
		return -EIO;
	assert_int_equal(len % BLOCK, 0);
	assert_int_equal(offset % BLOCK, 0);
	assert_true(offset >= image->end);
	if (offset + len > image->len) {
		image->data = realloc(image->data, offset + len);
		memset(image->data + image->len, UNWRITTEN, offset + len - image->len);
		image->len = offset + len;
	}
	memcpy(image->data + offset, data, len);
	image->end = offset + len;
	return 0;
}

static char problems[4096];

static void hear(void *ctx, uint32_t dir, const char *name, int err)
{
	size_t len = strlen(problems);

	(void)ctx;
	snprintf(problems + len, sizeof(problems) - len, "%u/%s:%d ", dir, name, err);
}

/* Content that tells where it belongs. */
static void fill(struct image *image, uint64_t offset, uint64_t len, uint8_t first)
{
	uint64_t whole = (len + BLOCK - 1) / BLOCK * BLOCK;
	uint8_t *data = calloc(1, whole + 1);

	for (uint64_t i = 0; i < len; i++)
		data[i] = (uint8_t)(first + i * 7 + i / BLOCK);
	image->end = 0;
	if (whole)
		take(image, data, whole, offset);
	free(data);
}

static void finish(struct hearth_erofs *fs, struct image *image)
{
	uint8_t block[BLOCK];

	problems[0] = '\0';
	assert_int_equal(hearth_erofs_lay_out(fs, hear, NULL), 0);
	image->end = 0;
	assert_int_equal(hearth_erofs_write(fs, take, image), 0);
	assert_int_equal(image->end, hearth_erofs_bytes(fs));
	image->end = 0;
	hearth_erofs_superblock(fs, (const uint8_t *)"0123456789abcdef", 1700000000, block);
	take(image, block, sizeof(block), 0);
}

/* The naive reader. */
struct node {
	uint64_t at; /* in the image */
	uint64_t size;
	uint64_t mtime;
	uint32_t nsec, uid, gid, nlink, address;
	uint32_t attr_bytes;
	uint16_t mode;
	uint8_t layout;
};

static uint64_t get(const struct image *image, uint64_t at, unsigned int bytes)
{
	uint64_t v = 0;

	assert_true(at + bytes <= image->len);
	for (unsigned int i = bytes; i--;)
		v = v << 8 | image->data[at + i];
	return v;
}

static uint64_t base(const struct image *image, unsigned int field)
{
	return get(image, EROFS_SUPER_OFFSET + field, 4) * BLOCK;
}

static struct node node_at(const struct image *image, uint64_t nid)
{
	struct node n = { .at = base(image, 40) + nid * EROFS_SLOT_BYTES };
	unsigned int format = (unsigned int)get(image, n.at, 2), icount;

	assert_int_equal(format & 1, EROFS_INODE_EXTENDED);
	n.layout = (uint8_t)(format >> 1);
	icount = (unsigned int)get(image, n.at + 2, 2);
	n.attr_bytes = icount ? 12 + 4 * (icount - 1) : 0;
	n.mode = (uint16_t)get(image, n.at + 4, 2);
	n.size = get(image, n.at + 8, 8);
	n.address = (uint32_t)get(image, n.at + 16, 4);
	n.uid = (uint32_t)get(image, n.at + 24, 4);
	n.gid = (uint32_t)get(image, n.at + 28, 4);
	n.mtime = get(image, n.at + 32, 8);
	n.nsec = (uint32_t)get(image, n.at + 40, 4);
	n.nlink = (uint32_t)get(image, n.at + 44, 4);
	return n;
}

/* Where block @i of the content lies; 0: it is a hole. */
static uint64_t where(const struct image *image, const struct node *n, uint64_t i)
{
	uint64_t behind = n->at + EROFS_INODE_BYTES + n->attr_bytes, chunk;
	unsigned int shift = n->address & 31;
	uint32_t block;

	if (n->layout == EROFS_FLAT_PLAIN)
		return (n->address + i) * BLOCK;
	if (n->layout == EROFS_FLAT_INLINE) {
		if (i < n->size / BLOCK)
			return (n->address + i) * BLOCK;
		assert_true(behind % BLOCK + n->size % BLOCK <= BLOCK);
		return behind;
	}
	assert_int_equal(n->layout, EROFS_CHUNK_BASED);
	chunk = i >> shift;
	block = (uint32_t)get(image, behind + 4 * chunk, 4);
	return block == EROFS_NO_BLOCK ? 0 : (block + (i - (chunk << shift))) * (uint64_t)BLOCK;
}

static uint8_t *content(const struct image *image, const struct node *n)
{
	uint8_t *data = calloc(1, n->size + 1);

	for (uint64_t i = 0; i * BLOCK < n->size; i++) {
		uint64_t at = where(image, n, i), left = n->size - i * BLOCK;

		left = left < BLOCK ? left : BLOCK;
		if (!at)
			continue;
		assert_true(at + left <= image->len);
		memcpy(data + i * BLOCK, image->data + at, left);
	}
	return data;
}

/* Looks a name up the slow way, and checks on the way that names ascend. 0: there is none. */
static uint64_t look_up(const struct image *image, uint64_t dir, const char *name)
{
	struct node n = node_at(image, dir);
	uint8_t *data = content(image, &n);
	char last[256] = "";
	uint64_t found = 0;

	assert_true(S_ISDIR(n.mode));
	for (uint64_t at = 0; at < n.size; at += BLOCK) {
		uint64_t left = n.size - at < BLOCK ? n.size - at : BLOCK;
		unsigned int first = data[at + 8] | data[at + 9] << 8, nr = first / 12;

		assert_int_equal(first % 12, 0);
		for (unsigned int i = 0; i < nr; i++) {
			const uint8_t *e = data + at + 12 * i;
			unsigned int from = e[8] | e[9] << 8;
			unsigned int to = i + 1 < nr ? (unsigned int)(e[20] | e[21] << 8)
						     : (unsigned int)left;
			char text[256];

			assert_true(from < to && to <= left);
			snprintf(text, sizeof(text), "%.*s", (int)(to - from), data + at + from);
			assert_true(strcmp(last, text) < 0);
			strcpy(last, text);
			if (!strcmp(text, name))
				found = (uint64_t)e[0] | (uint64_t)e[1] << 8 |
					(uint64_t)e[2] << 16 | (uint64_t)e[3] << 24 |
					(uint64_t)e[4] << 32;
		}
	}
	free(data);
	return found;
}

static uint64_t root_of(const struct image *image)
{
	return get(image, EROFS_SUPER_OFFSET + 14, 2);
}

static struct node named(const struct image *image, uint64_t dir, const char *name)
{
	uint64_t nid = look_up(image, dir, name);

	assert_int_not_equal(nid, 0);
	return node_at(image, nid);
}

static bool entry_is(const struct image *image, uint64_t at, unsigned int prefix, const char *name,
		     const void *value, size_t len)
{
	return get(image, at, 1) == strlen(name) && get(image, at + 1, 1) == prefix &&
	       get(image, at + 2, 2) == len &&
	       !memcmp(image->data + at + 4, name, strlen(name)) &&
	       !memcmp(image->data + at + 4 + strlen(name), value, len);
}

/* 2: it is shared; 1: it lies behind the inode; 0: it is not there. */
static int has_attr(const struct image *image, const struct node *n, unsigned int prefix,
		    const char *name, const void *value, size_t len)
{
	uint64_t at = n->at + EROFS_INODE_BYTES, end = at + n->attr_bytes;
	unsigned int nr_shared;

	if (at == end)
		return 0;
	nr_shared = (unsigned int)get(image, at + 4, 1);
	at += 12;
	for (unsigned int i = 0; i < nr_shared; i++, at += 4)
		if (entry_is(image, base(image, 44) + 4 * get(image, at, 4), prefix, name, value,
			     len))
			return 2;
	while (at < end) {
		if (entry_is(image, at, prefix, name, value, len))
			return 1;
		at += (4 + get(image, at, 1) + get(image, at + 2, 2) + 3) / 4 * 4;
	}
	assert_int_equal(at, end);
	return 0;
}

static void assert_content(const struct image *image, const struct node *n, uint8_t first)
{
	uint8_t *data = content(image, n);

	for (uint64_t i = 0; i < n->size; i++)
		assert_int_equal(data[i], (uint8_t)(first + i * 7 + i / BLOCK));
	free(data);
}

static size_t put_attr(uint8_t *buf, size_t len, const char *name, const void *value,
		       size_t value_len)
{
	struct hearth_writer w = hearth_writer_of(buf + len, 90000 - len);

	hearth_put_string(&w, name, strlen(name));
	hearth_put_string(&w, value, value_len);
	assert_false(w.is_bad);
	return len + w.len;
}

static const struct hearth_erofs_stat a_dir = { .mode = S_IFDIR | 0755, .mtime_sec = 1 };

static uint32_t add_root(struct hearth_erofs *fs)
{
	uint32_t number = 1;

	assert_int_equal(hearth_erofs_add(fs, 0, "", &a_dir, "", &number), 0);
	assert_int_equal(number, 0);
	return number;
}

static uint32_t add(struct hearth_erofs *fs, uint32_t parent, const char *name, uint32_t mode,
		    uint64_t size, const char *target)
{
	struct hearth_erofs_stat st = { .mode = mode, .size = size, .mtime_sec = 2 };
	uint32_t number = 0;

	assert_int_equal(hearth_erofs_add(fs, parent, name, &st, target, &number), 0);
	return number;
}

static uint32_t add_file(struct hearth_erofs *fs, struct image *image, uint32_t parent,
			 const char *name, uint64_t size, uint8_t first)
{
	uint32_t number = add(fs, parent, name, S_IFREG | 0644, size, "");

	if (size)
		fill(image, hearth_erofs_offset(fs, number), size, first);
	return number;
}

/* One of everything. */
static struct hearth_erofs *sample(struct image *image, char *big)
{
	struct hearth_erofs *fs = hearth_erofs_alloc();
	struct hearth_erofs_stat dev = { .mode = S_IFBLK | 0600, .rdev_major = 259,
					 .rdev_minor = 70000 };
	struct hearth_erofs_stat odd = { .mode = S_IFREG | 06755, .mtime_sec = -5,
					 .mtime_nsec = 999999999, .uid = 4000000000u,
					 .gid = 70000, .size = 3 };
	uint8_t attrs[90000];
	uint32_t root = add_root(fs), dir, sub, number;
	size_t len;

	dir = add(fs, root, "dir", S_IFDIR | 01777, 0, "");
	add_file(fs, image, root, "one", 1, 1);
	number = add_file(fs, image, root, "block", BLOCK, 2);
	add_file(fs, image, root, "blocks", 3 * BLOCK + 5, 3);
	len = put_attr(attrs, 0, "user.same", "value", 5);
	assert_int_equal(hearth_erofs_set_attrs(fs, number, attrs, len), 0);
	assert_int_equal(hearth_erofs_set_attrs(fs, dir, attrs, len), 0);
	len = put_attr(attrs, 0, "user.big", big, 60000);
	len = put_attr(attrs, len, "system.posix_acl_access", "acl!", 4);
	len = put_attr(attrs, len, "security.capability", "", 0);
	len = put_attr(attrs, len, "system.nfs4_acl", "x", 1);
	len = put_attr(attrs, len, "trusted.t", "tt", 2);
	assert_int_equal(hearth_erofs_set_attrs(fs, add_file(fs, image, dir, "empty", 0, 0), attrs,
						len), 0);
	sub = add(fs, dir, "sub", S_IFDIR | 0700, 0, "");
	add(fs, sub, "short", S_IFLNK | 0777, 0, "../one");
	memset(big, 'x', 4090);
	big[4090] = '\0';
	add(fs, sub, "long", S_IFLNK | 0777, 0, big);
	add(fs, sub, "!before the dots", S_IFIFO | 0600, 0, "");
	add(fs, sub, "\377odd\n", S_IFSOCK | 0600, 0, "");
	assert_int_equal(hearth_erofs_add(fs, sub, "device", &dev, "", &number), 0);
	assert_int_equal(hearth_erofs_add(fs, sub, "attributes", &odd, "", &number), 0);
	fill(image, hearth_erofs_offset(fs, number), 3, 9);
	assert_int_equal(hearth_erofs_add_link(fs, root, "later", sub, "attributes"), 0);
	assert_int_equal(hearth_erofs_add_link(fs, sub, "earlier", root, "one"), 0);
	return fs;
}

static void a_tree_is_read_back(void **state)
{
	struct image image = { 0 };
	char *big = malloc(60000);
	struct hearth_erofs *fs;
	uint64_t root, dir, sub;
	struct node n;
	uint8_t *data;

	(void)state;
	memset(big, 'b', 60000);
	fs = sample(&image, big);
	finish(fs, &image);
	memset(big, 'b', 60000);
	assert_string_equal(problems, "");
	root = root_of(&image);
	n = node_at(&image, root);
	assert_int_equal(n.nlink, 3);
	assert_int_equal(n.mode, S_IFDIR | 0755);
	assert_int_equal(look_up(&image, root, ".."), root);
	dir = look_up(&image, root, "dir");
	sub = look_up(&image, dir, "sub");
	assert_int_equal(look_up(&image, sub, ".."), dir);
	assert_int_equal(look_up(&image, root, "later"), look_up(&image, sub, "attributes"));
	assert_int_equal(look_up(&image, sub, "earlier"), look_up(&image, root, "one"));
	n = named(&image, root, "one");
	assert_int_equal(n.nlink, 2);
	assert_content(&image, &n, 1);
	n = named(&image, root, "blocks");
	assert_int_equal(n.layout, EROFS_FLAT_PLAIN);
	assert_content(&image, &n, 3);
	n = named(&image, sub, "attributes");
	assert_content(&image, &n, 9);
	assert_true((int64_t)n.mtime == -5 && n.nsec == 999999999 && n.uid == 4000000000u);
	assert_true(n.gid == 70000 && n.mode == (S_IFREG | 06755) && n.nlink == 2);
	n = named(&image, sub, "device");
	assert_int_equal(n.address, (70000 & 0xff) | 259 << 8 | (70000 & ~0xff) << 12);
	n = named(&image, sub, "short");
	data = content(&image, &n);
	assert_string_equal((char *)data, "../one");
	free(data);
	n = named(&image, sub, "long");
	data = content(&image, &n);
	assert_int_equal(strspn((char *)data, "x"), 4090);
	free(data);
	assert_true(S_ISFIFO(named(&image, sub, "!before the dots").mode));
	assert_true(S_ISSOCK(named(&image, sub, "\377odd\n").mode));
	n = named(&image, root, "block");
	assert_int_equal(has_attr(&image, &n, EROFS_ATTR_USER, "same", "value", 5), 2);
	n = node_at(&image, dir);
	assert_int_equal(has_attr(&image, &n, EROFS_ATTR_USER, "same", "value", 5), 2);
	n = named(&image, dir, "empty");
	assert_int_equal(has_attr(&image, &n, EROFS_ATTR_USER, "big", big, 60000), 1);
	assert_int_equal(has_attr(&image, &n, EROFS_ATTR_ACL_ACCESS, "", "acl!", 4), 1);
	assert_int_equal(has_attr(&image, &n, EROFS_ATTR_SECURITY, "capability", "", 0), 1);
	assert_int_equal(has_attr(&image, &n, EROFS_ATTR_TRUSTED, "t", "tt", 2), 1);
	assert_int_equal(has_attr(&image, &n, EROFS_ATTR_USER, "same", "value", 5), 0);
	hearth_erofs_free(fs);
	free(image.data);
	free(big);
}

/* Every file of many sizes of names is found, whatever the order in which they came. */
static void large_directories_are_sorted(void **state)
{
	static const unsigned int sizes[] = { 1, 80, 81, 82, 83, 84, 200, 3000 };
	char name[256];

	(void)state;
	srand(3);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
		struct hearth_erofs *fs = hearth_erofs_alloc();
		struct image image = { 0 };
		uint32_t root = add_root(fs), dir = add(fs, root, "d", S_IFDIR | 0755, 0, "");

		for (unsigned int i = 0; i < sizes[s]; i++) {
			unsigned int scattered = i * 7919u % sizes[s];

			snprintf(name, sizeof(name), "%0*u", 1 + rand() % 200, scattered);
			snprintf(name + strlen(name), 20, "_%u", scattered);
			add(fs, dir, name, S_IFREG | 0600, scattered, "");
		}
		finish(fs, &image);
		assert_string_equal(problems, "");
		srand(3);
		for (unsigned int i = 0; i < sizes[s] && sizes[s] < 1000; i++)
			look_up(&image, look_up(&image, root_of(&image), "d"), "missing");
		assert_int_equal(look_up(&image, look_up(&image, root_of(&image), "d"), "no"), 0);
		hearth_erofs_free(fs);
		free(image.data);
	}
}

/* Maps, given in random order, against what was stored where. */
static void files_with_holes_have_maps(void **state)
{
	(void)state;
	srand(5);
	for (unsigned int round = 0; round < 200; round++) {
		struct hearth_erofs *fs = hearth_erofs_alloc();
		struct hearth_erofs_stat st = { .mode = S_IFREG | 0644, .has_holes = true };
		struct image image = { 0 };
		uint32_t total = 1 + (uint32_t)rand() % 64, number, root = add_root(fs);
		uint8_t stored[64] = { 0 };
		struct node n;

		st.size = (uint64_t)total * BLOCK - (uint64_t)rand() % BLOCK;
		assert_int_equal(hearth_erofs_add(fs, root, "f", &st, "", &number), 0);
		for (unsigned int i = 0; i < round % 9; i++) {
			uint32_t at = (uint32_t)rand() % total, nr = 1 + (uint32_t)rand() % 9;

			while (nr && at < total) {
				struct hearth_erofs_run run;
				bool is_new;

				nr = nr < total - at ? nr : total - at;
				assert_int_equal(hearth_erofs_map(fs, number, at, nr, &run,
								  &is_new), 0);
				assert_true(run.nr && run.at == at);
				for (uint32_t b = 0; b < run.nr; b++) {
					assert_int_equal(is_new, !stored[at + b]);
					stored[at + b] = (uint8_t)(at + b + 1);
					fill(&image, (run.block + b) * (uint64_t)BLOCK, BLOCK,
					     stored[at + b]);
				}
				at += run.nr;
				nr -= run.nr;
			}
		}
		finish(fs, &image);
		n = named(&image, root_of(&image), "f");
		for (uint32_t b = 0; b < total; b++) {
			uint64_t at = where(&image, &n, b);

			assert_int_equal(at ? image.data[at] : 0, stored[b]);
		}
		hearth_erofs_free(fs);
		free(image.data);
	}
}

static void maps_of_huge_files_stay_small(void **state)
{
	struct hearth_erofs *fs = hearth_erofs_alloc();
	struct hearth_erofs_stat st = { .mode = S_IFREG, .has_holes = true, .size = 15ull << 40 };
	struct hearth_erofs_run run;
	uint32_t root = add_root(fs), number;
	struct image image = { 0 };
	bool is_new;
	struct node n;

	(void)state;
	assert_int_equal(hearth_erofs_add(fs, root, "f", &st, "", &number), 0);
	assert_int_equal(hearth_erofs_map(fs, number, 77777, 1, &run, &is_new), 0);
	assert_true(is_new && run.at <= 77777 && run.at + run.nr > 77777 && run.nr == 256);
	fill(&image, run.block * (uint64_t)BLOCK, run.nr * (uint64_t)BLOCK, 1);
	finish(fs, &image);
	n = named(&image, root_of(&image), "f");
	assert_int_equal(n.size, 15ull << 40);
	assert_int_equal(where(&image, &n, 77777), (run.block + 77777 - run.at) * (uint64_t)BLOCK);
	assert_int_equal(where(&image, &n, (15ull << 28) - 1), 0);
	assert_true(image.len < 70u << 20);
	hearth_erofs_free(fs);
	free(image.data);
}

static void what_is_in_one_piece_needs_no_map(void **state)
{
	struct hearth_erofs *fs = hearth_erofs_alloc();
	struct hearth_erofs_stat st = { .mode = S_IFREG, .has_holes = true, .size = 3 * BLOCK - 7 };
	struct hearth_erofs_run run;
	struct image image = { 0 };
	uint32_t root = add_root(fs), number;
	bool is_new;
	struct node n;

	(void)state;
	assert_int_equal(hearth_erofs_add(fs, root, "f", &st, "", &number), 0);
	assert_int_equal(hearth_erofs_map(fs, number, 0, 2, &run, &is_new), 0);
	assert_int_equal(hearth_erofs_map(fs, number, 2, 1, &run, &is_new), 0);
	fill(&image, (run.block - 2) * (uint64_t)BLOCK, st.size, 4);
	finish(fs, &image);
	n = named(&image, root_of(&image), "f");
	assert_int_equal(n.layout, EROFS_FLAT_PLAIN);
	assert_content(&image, &n, 4);
	assert_int_equal(get(&image, EROFS_SUPER_OFFSET + 80, 4), 0);
	hearth_erofs_free(fs);
	free(image.data);
}

static void what_was_dropped_is_not_there(void **state)
{
	struct hearth_erofs *fs = hearth_erofs_alloc();
	struct image image = { 0 };
	uint32_t root = add_root(fs), lost = add_file(fs, &image, root, "lost", 5, 1);

	(void)state;
	add_file(fs, &image, root, "kept", 5, 2);
	assert_int_equal(hearth_erofs_add_link(fs, root, "of lost", root, "lost"), 0);
	assert_int_equal(hearth_erofs_add_link(fs, root, "of nothing", root, "nothing"), 0);
	assert_int_equal(hearth_erofs_add_link(fs, root, "kept", root, "kept"), 0);
	hearth_erofs_drop(fs, lost);
	finish(fs, &image);
	assert_string_equal(problems, "0/kept:-17 0/of lost:-2 0/of nothing:-2 ");
	assert_int_equal(look_up(&image, root_of(&image), "lost"), 0);
	assert_int_equal(look_up(&image, root_of(&image), "of lost"), 0);
	assert_int_equal(named(&image, root_of(&image), "kept").nlink, 1);
	assert_int_equal(get(&image, EROFS_SUPER_OFFSET + 16, 8), 2);
	hearth_erofs_free(fs);
	free(image.data);
}

static void a_file_can_have_more_than_65535_links(void **state)
{
	struct hearth_erofs *fs = hearth_erofs_alloc();
	struct image image = { 0 };
	uint32_t root = add_root(fs);
	char name[32];

	(void)state;
	add_file(fs, &image, root, "f", 5, 1);
	for (int i = 0; i < 70000; i++) {
		snprintf(name, sizeof(name), "link %d", i);
		assert_int_equal(hearth_erofs_add_link(fs, root, name, root, "f"), 0);
	}
	finish(fs, &image);
	assert_int_equal(named(&image, root_of(&image), "link 69999").nlink, 70001);
	hearth_erofs_free(fs);
	free(image.data);
}

/* Attributes of all lengths, shared and not, on inodes with something inline behind them. */
static void attributes_of_all_lengths_are_found(void **state)
{
	struct hearth_erofs *fs = hearth_erofs_alloc();
	struct image image = { 0 };
	uint32_t root = add_root(fs), number;
	uint8_t attrs[90000];
	char name[32], value[8192];
	size_t len;
	struct node n;

	(void)state;
	memset(value, 'v', sizeof(value));
	value[sizeof(value) - 1] = '\0';
	for (unsigned int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "l%u", i);
		number = add(fs, root, name, S_IFLNK | 0777, 0, value + sizeof(value) - 1 - i * 13);
		len = put_attr(attrs, 0, "user.all have it", value, 100);
		len = put_attr(attrs, len, "user.own", value, i * 17);
		assert_int_equal(hearth_erofs_set_attrs(fs, number, attrs, len), 0);
	}
	finish(fs, &image);
	for (unsigned int i = 1; i < 300; i++) {
		uint8_t *data;

		snprintf(name, sizeof(name), "l%u", i);
		n = named(&image, root_of(&image), name);
		assert_int_equal(has_attr(&image, &n, 1, "all have it", value, 100), 2);
		assert_int_equal(has_attr(&image, &n, 1, "own", value, i * 17), 1);
		data = content(&image, &n);
		assert_int_equal(strspn((char *)data, "v"), i * 13);
		free(data);
	}
	hearth_erofs_free(fs);
	free(image.data);
}

static void more_attributes_than_can_be_shared(void **state)
{
	struct hearth_erofs *fs = hearth_erofs_alloc();
	struct image image = { 0 };
	uint32_t root = add_root(fs);
	uint8_t attrs[90000];
	char name[32];
	size_t len = 0;
	struct node n;

	(void)state;
	for (unsigned int i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "user.%u", i);
		len = put_attr(attrs, len, name, name, strlen(name));
	}
	hearth_erofs_set_attrs(fs, add_file(fs, &image, root, "a", 1, 1), attrs, len);
	hearth_erofs_set_attrs(fs, add_file(fs, &image, root, "b", 1, 2), attrs, len);
	finish(fs, &image);
	n = named(&image, root_of(&image), "b");
	for (unsigned int i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "user.%u", i);
		assert_int_equal(has_attr(&image, &n, 1, name + 5, name, strlen(name)),
				 i < 255 ? 2 : 1);
	}
	assert_int_equal(hearth_erofs_set_attrs(fs, root, attrs, 5), -EPROTO);
	hearth_erofs_free(fs);
	free(image.data);
}

static void what_does_not_fit_is_refused(void **state)
{
	struct hearth_erofs *fs = hearth_erofs_alloc();
	struct hearth_erofs_stat st = { .mode = S_IFCHR, .rdev_major = 4096 };
	uint32_t root = add_root(fs), number;

	(void)state;
	assert_int_equal(hearth_erofs_add(fs, root, "c", &st, "", &number), -ERANGE);
	st = (struct hearth_erofs_stat){ .mode = S_IFREG, .size = HEARTH_EROFS_MAX_BYTES + 1 };
	assert_int_equal(hearth_erofs_add(fs, root, "f", &st, "", &number), -EFBIG);
	st.size = 9ull << 40;
	assert_int_equal(hearth_erofs_add(fs, root, "f", &st, "", &number), 0);
	assert_true(hearth_erofs_bytes(fs) < HEARTH_EROFS_MAX_BYTES);
	assert_int_equal(hearth_erofs_add(fs, root, "g", &st, "", &number), 0);
	assert_true(hearth_erofs_bytes(fs) > HEARTH_EROFS_MAX_BYTES);
	assert_int_equal(hearth_erofs_lay_out(fs, hear, NULL), -EFBIG);
	assert_string_equal(hearth_erofs_why_no_attr("btrfs.compression", 17, 1),
			    "EROFS has no place for attributes of that name space");
	assert_non_null(hearth_erofs_why_no_attr("user.", 5, 1));
	assert_non_null(hearth_erofs_why_no_attr("user.a", 6, 65536));
	assert_null(hearth_erofs_why_no_attr("user.a", 6, 65535));
	hearth_erofs_free(fs);
}

static void an_error_of_the_disk_ends_the_writing(void **state)
{
	struct hearth_erofs *fs = hearth_erofs_alloc();
	struct image image = { .fails_after = 1 };
	uint32_t root = add_root(fs);

	(void)state;
	add(fs, root, "d", S_IFDIR | 0755, 0, "");
	assert_int_equal(hearth_erofs_lay_out(fs, hear, NULL), 0);
	assert_int_equal(hearth_erofs_write(fs, take, &image), -EIO);
	hearth_erofs_free(fs);
	free(image.data);
}

static int write_sample(const char *path)
{
	char *big = calloc(1, 60000);
	struct image image = { 0 };
	struct hearth_erofs *fs = sample(&image, big);
	FILE *f = fopen(path, "w");

	finish(fs, &image);
	if (!f || fwrite(image.data, 1, image.len, f) != image.len || fclose(f))
		return 1;
	hearth_erofs_free(fs);
	free(image.data);
	free(big);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tree_is_read_back),
		cmocka_unit_test(large_directories_are_sorted),
		cmocka_unit_test(files_with_holes_have_maps),
		cmocka_unit_test(maps_of_huge_files_stay_small),
		cmocka_unit_test(what_is_in_one_piece_needs_no_map),
		cmocka_unit_test(what_was_dropped_is_not_there),
		cmocka_unit_test(a_file_can_have_more_than_65535_links),
		cmocka_unit_test(attributes_of_all_lengths_are_found),
		cmocka_unit_test(more_attributes_than_can_be_shared),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(an_error_of_the_disk_ends_the_writing),
	};

	return argc > 1 ? write_sample(argv[1]) : cmocka_run_group_tests(tests, NULL, NULL);
}
