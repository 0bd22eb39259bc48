/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside an EROFS image that comes into being.
 *
 * Arrays of records that refer to each other by number, and one arena for what
 * has no fixed length. The names of a directory are a chain through the array of
 * names, in the order in which they came until it is sorted. "." and ".." are names
 * like all others, so an inode has as many links as there are names of it.
 */
#ifndef HEARTH_EROFS_IMPL_H
#define HEARTH_EROFS_IMPL_H

#include "erofs.h"
#include "erofs_format.h"

#define EROFS_NONE UINT32_MAX

/* Inodes begin at multiples of this, so that none lies across blocks. */
#define EROFS_INODE_ALIGN EROFS_INODE_BYTES

/* What is kept with the inode instead of in a block of its own is at most this long. */
#define EROFS_INLINE_MAX (HEARTH_EROFS_BLOCK_BYTES - 2 * EROFS_INODE_ALIGN)

/* 48 bytes: there may be ten million of them. */
struct hearth_erofs_inode {
	uint64_t size;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint32_t uid;
	uint32_t gid;
	uint32_t at; /* a file's first block; or number of its map, of a target, of a directory */
	uint32_t nlink;
	uint32_t attrs; /* number of the set, or EROFS_NONE */
	uint32_t place; /* in units of EROFS_INODE_ALIGN */
	uint16_t mode;
	uint8_t layout;
	bool has_map : 1;
	bool is_dropped : 1;
};

struct hearth_erofs_name {
	const uint8_t *text; /* preceded by its length */
	uint32_t next;
	uint32_t inode; /* EROFS_NONE: of a link that is still to be found */
};

struct hearth_erofs_directory {
	uint32_t inode;
	uint32_t first; /* name */
	uint32_t nr;
	uint32_t block; /* of what does not lie with the inode */
};

struct hearth_erofs_link {
	const uint8_t *target;
	uint32_t parent; /* the directory's inode */
	uint32_t name; /* that is to become another one of it */
};

struct hearth_erofs_target {
	const char *text;
	uint32_t block; /* of one that is too long for its inode */
};

struct hearth_erofs_map {
	struct hearth_erofs_run *v; /* ascending, apart or not contiguous */
	uint32_t nr;
	uint32_t cap;
	uint8_t shift; /* so many blocks are given at once */
	uint8_t chunk_shift; /* once laid out: of the map that is written */
};

struct hearth_erofs_attr {
	const uint8_t *text; /* name and value */
	uint32_t refs; /* inodes that have it */
	uint32_t id; /* if it is shared */
	uint16_t value_len;
	uint8_t name_len;
	uint8_t prefix;
};

struct hearth_erofs_attr_set {
	uint32_t first; /* among the members */
	uint32_t nr;
	uint32_t refs;
	uint32_t bytes; /* behind the inode, once laid out */
};

/* Open addressing; holds numbers of records, EROFS_NONE where there is none. */
struct hearth_erofs_hash {
	uint32_t *v;
	size_t cap;
	size_t nr;
};

struct hearth_erofs_attrs {
	struct hearth_erofs_attr *v;
	size_t nr;
	size_t cap;
	struct hearth_erofs_attr_set *sets;
	size_t nr_sets;
	size_t cap_sets;
	uint32_t *members;
	size_t nr_members;
	size_t cap_members;
	struct hearth_erofs_hash by_text;
	struct hearth_erofs_hash by_members;
	uint64_t shared_bytes;
};

struct hearth_erofs_arena {
	uint8_t **chunks;
	size_t nr;
	size_t cap;
	size_t used; /* of the last one */
	size_t size;
};

struct hearth_erofs {
	struct hearth_erofs_arena arena;
	struct hearth_erofs_inode *inodes;
	size_t nr_inodes;
	size_t cap_inodes;
	struct hearth_erofs_name *names;
	size_t nr_names;
	size_t cap_names;
	struct hearth_erofs_directory *dirs;
	size_t nr_dirs;
	size_t cap_dirs;
	struct hearth_erofs_link *links;
	size_t nr_links;
	size_t cap_links;
	struct hearth_erofs_target *targets;
	size_t nr_targets;
	size_t cap_targets;
	struct hearth_erofs_map *maps;
	size_t nr_maps;
	size_t cap_maps;
	struct hearth_erofs_attrs attrs;

	uint64_t next_block;
	uint64_t meta_bytes; /* that are needed at least */

	/* laid out */
	bool is_laid_out;
	bool has_chunks;
	uint64_t first_extra; /* block */
	uint64_t attr_block;
	uint64_t meta_block;
	uint64_t meta_end; /* in bytes from there */
	uint64_t nr_written; /* inodes */
};

/* Room for one more in an array of records. 0 or -ENOMEM. */
int hearth_erofs_grow(void *array, size_t nr, size_t *cap, size_t size);

/* @len bytes that stay where they are; NULL: no memory. */
void *hearth_erofs_keep(struct hearth_erofs_arena *a, const void *data, size_t len);

static inline uint64_t hearth_erofs_blocks_of(uint64_t bytes)
{
	return (bytes + HEARTH_EROFS_BLOCK_BYTES - 1) >> HEARTH_EROFS_BLOCK_SHIFT;
}

static inline uint64_t hearth_erofs_round_up(uint64_t v, uint64_t unit)
{
	return (v + unit - 1) / unit * unit;
}

/* How long what lies in the last block of it is. */
static inline uint32_t hearth_erofs_tail(uint64_t size)
{
	return (uint32_t)(size % HEARTH_EROFS_BLOCK_BYTES);
}

/* True if the inode is in the image. */
static inline bool hearth_erofs_is_kept(const struct hearth_erofs_inode *i)
{
	return !i->is_dropped && i->nlink;
}

/* How directories call it. */
static inline uint64_t hearth_erofs_nid(const struct hearth_erofs_inode *i)
{
	return (uint64_t)i->place * EROFS_INODE_ALIGN / EROFS_SLOT_BYTES;
}

/* Collects what lies one after the other, and hands it on in large, whole blocks. */
struct hearth_erofs_out {
	hearth_erofs_sink *sink;
	void *ctx;
	uint8_t *buf;
	size_t len;
	uint64_t offset;
	int err; /* once there was one nothing is written any more */
};

void hearth_erofs_out_put(struct hearth_erofs_out *out, const void *data, size_t len);
void hearth_erofs_out_fill(struct hearth_erofs_out *out, size_t len);
void hearth_erofs_out_fill_to(struct hearth_erofs_out *out, uint64_t offset);

/* erofs_map.c */
int hearth_erofs_map_alloc(struct hearth_erofs *fs, uint64_t size, uint32_t *ret_number);
void hearth_erofs_map_lay_out(struct hearth_erofs *fs, struct hearth_erofs_inode *inode);
uint64_t hearth_erofs_map_bytes(const struct hearth_erofs *fs, const struct hearth_erofs_inode *i);
void hearth_erofs_map_put(const struct hearth_erofs *fs, const struct hearth_erofs_inode *inode,
			  struct hearth_erofs_out *out);

/* erofs_attr.c */
void hearth_erofs_attrs_exit(struct hearth_erofs_attrs *a);
void hearth_erofs_attrs_lay_out(struct hearth_erofs *fs);
uint32_t hearth_erofs_attrs_bytes(const struct hearth_erofs *fs,
				  const struct hearth_erofs_inode *inode);
void hearth_erofs_attrs_put_shared(const struct hearth_erofs *fs, struct hearth_erofs_out *out);
void hearth_erofs_attrs_put(const struct hearth_erofs *fs, const struct hearth_erofs_inode *inode,
			    struct hearth_erofs_out *out);

/* erofs_dir.c: sorts all directories and finds the files of links; then what is left has sizes. */
int hearth_erofs_dirs_sort(struct hearth_erofs *fs, hearth_erofs_problem *problem, void *ctx);
void hearth_erofs_dirs_measure(struct hearth_erofs *fs, hearth_erofs_problem *problem, void *ctx);
/* Blocks of a directory from @from, a multiple of a block, up to @to. */
void hearth_erofs_dir_put(const struct hearth_erofs *fs, const struct hearth_erofs_directory *dir,
			  uint64_t from, uint64_t to, struct hearth_erofs_out *out);

#endif
