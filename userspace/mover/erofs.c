// SPDX-License-Identifier: GPL-2.0-or-later
/* An EROFS image: its inodes and their names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "erofs_impl.h"

#define ARENA_CHUNK_BYTES (1u << 20)
#define FIRST_RECORDS 64

/* Kernels keep device numbers in 12 and 20 bits. */
#define MAX_MAJOR 0xfffu
#define MAX_MINOR 0xfffffu

int hearth_erofs_grow(void *array, size_t nr, size_t *cap, size_t size)
{
	size_t wanted = *cap ? 2 * *cap : FIRST_RECORDS;
	void *grown;

	if (nr < *cap)
		return 0;
	grown = realloc(*(void **)array, wanted * size);
	if (!grown)
		return -ENOMEM;
	*(void **)array = grown;
	*cap = wanted;
	return 0;
}

void *hearth_erofs_keep(struct hearth_erofs_arena *a, const void *data, size_t len)
{
	size_t size = len > ARENA_CHUNK_BYTES ? len : ARENA_CHUNK_BYTES;
	uint8_t *at;

	if (!a->nr || a->size - a->used < len) {
		if (hearth_erofs_grow(&a->chunks, a->nr, &a->cap, sizeof(*a->chunks)))
			return NULL;
		at = malloc(size);
		if (!at)
			return NULL;
		a->chunks[a->nr++] = at;
		a->size = size;
		a->used = 0;
	}
	at = a->chunks[a->nr - 1] + a->used;
	if (len)
		memcpy(at, data, len);
	a->used += len;
	return at;
}

struct hearth_erofs *hearth_erofs_alloc(void)
{
	struct hearth_erofs *fs = calloc(1, sizeof(*fs));

	if (fs)
		fs->next_block = 1; /* behind the superblock */
	return fs;
}

void hearth_erofs_free(struct hearth_erofs *fs)
{
	if (!fs)
		return;
	for (size_t i = 0; i < fs->nr_maps; i++)
		free(fs->maps[i].v);
	for (size_t i = 0; i < fs->arena.nr; i++)
		free(fs->arena.chunks[i]);
	hearth_erofs_attrs_exit(&fs->attrs);
	free(fs->arena.chunks);
	free(fs->inodes);
	free(fs->names);
	free(fs->dirs);
	free(fs->links);
	free(fs->targets);
	free(fs->maps);
	free(fs);
}

/* Text as names are kept: preceded by its length. */
static const uint8_t *keep_name(struct hearth_erofs *fs, const char *name)
{
	size_t len = strlen(name);
	uint8_t buf[1 + UINT8_MAX];

	if (len > UINT8_MAX)
		return NULL;
	buf[0] = (uint8_t)len;
	memcpy(buf + 1, name, len);
	return hearth_erofs_keep(&fs->arena, buf, len + 1);
}

static int add_name(struct hearth_erofs *fs, uint32_t parent, const uint8_t *text, uint32_t inode)
{
	struct hearth_erofs_directory *dir = &fs->dirs[fs->inodes[parent].at];

	if (fs->nr_names >= EROFS_NONE)
		return -EFBIG;
	if (hearth_erofs_grow(&fs->names, fs->nr_names, &fs->cap_names, sizeof(*fs->names)))
		return -ENOMEM;
	fs->names[fs->nr_names] = (struct hearth_erofs_name){ text, dir->first, inode };
	dir->first = (uint32_t)fs->nr_names++;
	dir->nr++;
	fs->meta_bytes += EROFS_DIRENT_BYTES + *text;
	return 0;
}

static int add_directory(struct hearth_erofs *fs, uint32_t number, uint32_t parent)
{
	static const uint8_t self[] = { 1, '.' }, up[] = { 2, '.', '.' };
	int ret = hearth_erofs_grow(&fs->dirs, fs->nr_dirs, &fs->cap_dirs, sizeof(*fs->dirs));

	if (ret)
		return ret;
	fs->inodes[number].at = (uint32_t)fs->nr_dirs;
	fs->dirs[fs->nr_dirs++] =
		(struct hearth_erofs_directory){ .inode = number, .first = EROFS_NONE };
	ret = add_name(fs, number, self, number);
	return ret ? ret : add_name(fs, number, up, parent);
}

static int add_target(struct hearth_erofs *fs, struct hearth_erofs_inode *inode, const char *target)
{
	struct hearth_erofs_target kept = { 0 };

	if (hearth_erofs_grow(&fs->targets, fs->nr_targets, &fs->cap_targets, sizeof(*fs->targets)))
		return -ENOMEM;
	inode->size = strlen(target);
	kept.text = hearth_erofs_keep(&fs->arena, target, inode->size);
	if (!kept.text)
		return -ENOMEM;
	inode->at = (uint32_t)fs->nr_targets;
	fs->targets[fs->nr_targets++] = kept;
	fs->meta_bytes += inode->size;
	return 0;
}

static int add_device(struct hearth_erofs_inode *inode, const struct hearth_erofs_stat *st)
{
	if (st->rdev_major > MAX_MAJOR || st->rdev_minor > MAX_MINOR)
		return -ERANGE;
	inode->at = (st->rdev_minor & 0xff) | st->rdev_major << 8 | (st->rdev_minor & ~0xffu) << 12;
	return 0;
}

static int add_content(struct hearth_erofs *fs, struct hearth_erofs_inode *inode,
		       const struct hearth_erofs_stat *st)
{
	uint64_t blocks = hearth_erofs_blocks_of(st->size);

	if (st->size > HEARTH_EROFS_MAX_BYTES)
		return -EFBIG;
	inode->size = st->size;
	if (!st->size)
		return 0;
	if (st->has_holes) {
		inode->has_map = true;
		return hearth_erofs_map_alloc(fs, st->size, &inode->at);
	}
	/* Beyond what addresses can say it is only counted: the caller sees that it is too much. */
	inode->at = (uint32_t)fs->next_block;
	fs->next_block += blocks;
	return 0;
}

static int fill_inode(struct hearth_erofs *fs, struct hearth_erofs_inode *inode,
		      const struct hearth_erofs_stat *st, const char *target)
{
	*inode = (struct hearth_erofs_inode){ .mtime_sec = st->mtime_sec,
					      .mtime_nsec = st->mtime_nsec,
					      .uid = st->uid,
					      .gid = st->gid,
					      .mode = (uint16_t)st->mode,
					      .attrs = EROFS_NONE };
	switch (st->mode & S_IFMT) {
	case S_IFREG:
		return add_content(fs, inode, st);
	case S_IFLNK:
		return add_target(fs, inode, target);
	case S_IFCHR:
	case S_IFBLK:
		return add_device(inode, st);
	default:
		return 0;
	}
}

int hearth_erofs_add(struct hearth_erofs *fs, uint32_t parent, const char *name,
		     const struct hearth_erofs_stat *st, const char *target, uint32_t *ret_number)
{
	uint32_t number = (uint32_t)fs->nr_inodes;
	const uint8_t *text = number ? keep_name(fs, name) : NULL;
	int ret;

	if (fs->nr_inodes >= EROFS_NONE)
		return -EFBIG;
	if ((number && !text) ||
	    hearth_erofs_grow(&fs->inodes, fs->nr_inodes, &fs->cap_inodes, sizeof(*fs->inodes)))
		return -ENOMEM;
	ret = fill_inode(fs, &fs->inodes[number], st, target);
	if (ret)
		return ret;
	fs->nr_inodes++;
	fs->meta_bytes += EROFS_INODE_BYTES;
	*ret_number = number;
	if (S_ISDIR(st->mode))
		ret = add_directory(fs, number, number ? parent : number);
	if (!ret && number)
		ret = add_name(fs, parent, text, number);
	return ret;
}

int hearth_erofs_add_link(struct hearth_erofs *fs, uint32_t parent, const char *name,
			  uint32_t target_parent, const char *target)
{
	struct hearth_erofs_link link = { .target = keep_name(fs, target),
					  .parent = target_parent,
					  .name = (uint32_t)fs->nr_names };
	const uint8_t *text = keep_name(fs, name);
	int ret;

	if (!text || !link.target ||
	    hearth_erofs_grow(&fs->links, fs->nr_links, &fs->cap_links, sizeof(*fs->links)))
		return -ENOMEM;
	ret = add_name(fs, parent, text, EROFS_NONE);
	if (!ret)
		fs->links[fs->nr_links++] = link;
	return ret;
}

bool hearth_erofs_has_holes(const struct hearth_erofs *fs, uint32_t number)
{
	return fs->inodes[number].has_map;
}

uint64_t hearth_erofs_offset(const struct hearth_erofs *fs, uint32_t number)
{
	return (uint64_t)fs->inodes[number].at << HEARTH_EROFS_BLOCK_SHIFT;
}

void hearth_erofs_drop(struct hearth_erofs *fs, uint32_t number)
{
	fs->inodes[number].is_dropped = true;
}

uint64_t hearth_erofs_bytes(const struct hearth_erofs *fs)
{
	uint64_t blocks = fs->is_laid_out
				  ? fs->meta_block + hearth_erofs_blocks_of(fs->meta_end)
				  : fs->next_block + hearth_erofs_blocks_of(fs->meta_bytes);

	return blocks << HEARTH_EROFS_BLOCK_SHIFT;
}
