/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An EROFS image that comes into being while its tree still comes in.
 *
 *   block 0       1 ...                                                          end
 *   | superblock | content of files | directories | shared | inodes, with what is |
 *   | (last)     | as they come     |             | attrs  | kept inline          |
 *                                                  ^ xattr_blkaddr  ^ meta_blkaddr
 *
 * EROFS counts inodes from meta_blkaddr on, so metadata may lie behind the content.
 * A file therefore has its final blocks as soon as its size is known, and content
 * goes straight there; all that is kept in memory is what becomes metadata. Files
 * lie in one piece and uncompressed (FLAT_PLAIN). Of a file with holes only what
 * is no hole gets blocks, when it comes, and at the end a map of chunks, with no
 * address where a hole is; if it turns out to be in one piece it needs none.
 *
 * The calls, in their order: add everything, map and drop meanwhile, lay out,
 * write, superblock. Nothing here does I/O, takes a lock or knows how much room
 * there is: the caller does, and compares that with hearth_erofs_bytes().
 *
 * Memory: 65 bytes and its name for a file; 117 and its name for a directory; 16 and
 * both names for a further link; targets of symlinks; 12 bytes for every run of
 * blocks of a file with holes; every distinct attribute, and every distinct set of
 * them, once. Ten million files whose names have 25 bytes: 900 MB.
 *
 *   erofs.c        inodes and names            erofs_map.c    files with holes
 *   erofs_attr.c   extended attributes         erofs_dir.c    directories
 *   erofs_write.c  what lies where; writing    erofs_impl.h   what these share
 */
#ifndef HEARTH_EROFS_H
#define HEARTH_EROFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEARTH_EROFS_BLOCK_BYTES 4096u
#define HEARTH_EROFS_BLOCK_SHIFT 12

/* Addresses have 32 bits, and the last one means "none". */
#define HEARTH_EROFS_MAX_BYTES (0xffffffffull << HEARTH_EROFS_BLOCK_SHIFT)

struct hearth_erofs;

/* What there is to say of an inode; of times EROFS has only this one. */
struct hearth_erofs_stat {
	uint64_t size; /* of a file */
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint32_t mode; /* with type */
	uint32_t uid;
	uint32_t gid;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	bool has_holes; /* of a file: gets blocks as they come */
};

/* Blocks of a file with holes: from block @at of the file on they lie at @block. */
struct hearth_erofs_run {
	uint32_t at;
	uint32_t nr;
	uint32_t block;
};

/* NULL: no memory. */
struct hearth_erofs *hearth_erofs_alloc(void);
void hearth_erofs_free(struct hearth_erofs *fs);

/*
 * Adds an inode under its first name; the first of all is the root, which has neither parent nor
 * name. @parent: number of a directory; @target: of a symlink. 0, -ENOMEM, -EFBIG if the file or
 * the tree is too large for EROFS, or -ERANGE if a device's numbers are.
 */
int hearth_erofs_add(struct hearth_erofs *fs, uint32_t parent, const char *name,
		     const struct hearth_erofs_stat *st, const char *target, uint32_t *ret_number);

/* Another name of what is called @target in @target_parent, before or later. 0 or -ENOMEM. */
int hearth_erofs_add_link(struct hearth_erofs *fs, uint32_t parent, const char *name,
			  uint32_t target_parent, const char *target);

/* Why EROFS cannot hold an attribute of that name with a value of that length; NULL: it can. */
const char *hearth_erofs_why_no_attr(const char *name, size_t len, size_t value_len);

/*
 * Gives an inode its extended attributes, in the form of attrs.h; what EROFS cannot hold is passed
 * over. 0, -ENOMEM, or -EPROTO if they are malformed.
 */
int hearth_erofs_set_attrs(struct hearth_erofs *fs, uint32_t number, const void *attrs, size_t len);

/* Where the content of a file begins, unless it has holes. */
bool hearth_erofs_has_holes(const struct hearth_erofs *fs, uint32_t number);
uint64_t hearth_erofs_offset(const struct hearth_erofs *fs, uint32_t number);

/*
 * Where block @at of a file with holes lies, and how many after it, at most @nr. They may be given
 * just now: then what is new may begin earlier and end later than what was asked for, and holds
 * nothing sensible yet. 0, -ENOMEM or -EFBIG.
 */
int hearth_erofs_map(struct hearth_erofs *fs, uint32_t number, uint32_t at, uint32_t nr,
		     struct hearth_erofs_run *ret, bool *ret_is_new);

/* The inode could not be read: it and all of its names are left out. */
void hearth_erofs_drop(struct hearth_erofs *fs, uint32_t number);

/* How long the image will be at least; once laid out, exactly. */
uint64_t hearth_erofs_bytes(const struct hearth_erofs *fs);

/* Hears of a name that is left out: -ENOENT: a link without its file; -EEXIST: it is there twice.
 */
typedef void hearth_erofs_problem(void *ctx, uint32_t dir, const char *name, int err);

/* Decides where everything lies; nothing can be added any more. 0, -ENOMEM or -EFBIG. */
int hearth_erofs_lay_out(struct hearth_erofs *fs, hearth_erofs_problem *problem, void *ctx);

/* Takes what belongs at @offset, in whole blocks; 0 or -errno, which ends the writing. */
typedef int hearth_erofs_sink(void *ctx, const void *data, size_t len, uint64_t offset);

/* Writes all metadata, in ascending order. 0, -ENOMEM, or what @sink returned. */
int hearth_erofs_write(struct hearth_erofs *fs, hearth_erofs_sink *sink, void *ctx);

/* The first block, which makes an image of it all. */
void hearth_erofs_superblock(const struct hearth_erofs *fs, const uint8_t uuid[16],
			     uint64_t build_sec, uint8_t ret[HEARTH_EROFS_BLOCK_BYTES]);

#endif
