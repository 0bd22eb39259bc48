/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index: every file of a job and where it lies in one large virtual file.
 *
 * The index travels in batches, while the scan still runs. Directories and
 * roots are numbered in the order in which they appear; every other entry names
 * its parent by that number and has a single path component as its name, so
 * nothing that a peer sends can contain a path. Files of a batch lie end to end
 * in the virtual file, from the batch's own first offset on.
 */
#ifndef HEARTH_INDEX_H
#define HEARTH_INDEX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEARTH_INDEX_MAX_ENTRIES 1024
#define HEARTH_INDEX_MAX_BYTES (256u << 10)
#define HEARTH_NAME_MAX 255
#define HEARTH_TARGET_MAX 4095
#define HEARTH_FILE_MAX_BYTES (1ull << 55)

enum hearth_entry_kind {
	HEARTH_ENTRY_ROOT, /* one source argument; maps to the destination's root */
	HEARTH_ENTRY_DIR,
	HEARTH_ENTRY_FILE,
	HEARTH_ENTRY_SYMLINK,
	HEARTH_ENTRY_SPECIAL, /* device, FIFO or socket */
	HEARTH_ENTRY_LINK, /* another name of a file that was announced before */
	HEARTH_ENTRY_PRESENT, /* is there, is not copied, and so is not deleted either */
	HEARTH_NR_ENTRY_KINDS,
};

/* What an entry says beside; on the wire in the upper half of its first byte. */
enum hearth_entry_extra {
	HEARTH_EXTRA_LISTED = 1 << 0, /* of roots and directories: all that is in it follows */
	HEARTH_EXTRA_SPARSE = 1 << 0, /* of files, with --publish: has holes */
	HEARTH_EXTRA_ATTRS = 1 << 1, /* has extended attributes */
	HEARTH_EXTRA_SUM = 1 << 2, /* of files: has a checksum of its content */
	HEARTH_EXTRA_STREAM = 1 << 3, /* of files: a pipe, whose size is not known yet */
};

#define HEARTH_ATTRS_MAX (96u << 10)
#define HEARTH_SUM_BYTES 16

/* What became of a file. */
enum hearth_entry_state {
	HEARTH_FILE_WANTED,
	HEARTH_FILE_PARTIAL, /* some of it is stored */
	HEARTH_FILE_DONE, /* stored, skipped or given up */
};

struct hearth_entry {
	uint64_t voff; /* where a file's content starts in the virtual file */
	uint64_t size;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint32_t mode; /* with type */
	uint32_t uid;
	uint32_t gid;
	uint32_t parent; /* number of the directory it is in */
	uint32_t dir_no; /* of roots and directories: their own number */
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t name; /* offset in the batch's strings, as is the symlink's target */
	uint32_t target; /* of a symlink, or the linked file's own name */
	uint32_t link_parent; /* of a link: number of the directory of that name */
	uint32_t attrs; /* extended attributes, in the batch's strings as well */
	uint32_t attrs_len;
	uint8_t sum[HEARTH_SUM_BYTES];
	uint8_t kind;
	uint8_t extras; /* enum hearth_entry_extra */
	uint8_t device; /* local to the sender: number of the one that it lies on, */
	bool is_sparse; /* too, */
	bool keeps_mode; /* local to the receiver: of a file that was there, without --perms */
	uint32_t inode; /* with --publish */
	bool is_doubtful; /* and: the sender was asked for sums of some of it */
	bool is_followed; /* to the sender: a symlink that stands for what it points to */
	atomic_uchar state;
	atomic_bool is_faulty;
};

struct hearth_batch {
	uint64_t number;
	uint64_t voff; /* of the first file */
	uint64_t end;
	uint32_t first_dir; /* number of the first root or directory in it */
	uint32_t nr_dirs;
	uint32_t nr_entries;
	uint32_t nr_strings;
	uint8_t device; /* sender: where its files lie */
	int refs; /* under the table's lock */
	uint64_t left; /* sender: bytes to be acknowledged; receiver: files to be stored */
	bool is_answered; /* sender: the receiver said what it wants of it */
	struct hearth_entry *entries;
	char *strings;
};

static inline const char *hearth_entry_name(const struct hearth_batch *b,
					    const struct hearth_entry *e)
{
	return b->strings + e->name;
}

static inline const char *hearth_entry_target(const struct hearth_batch *b,
					      const struct hearth_entry *e)
{
	return b->strings + e->target;
}

static inline const void *hearth_entry_attrs(const struct hearth_batch *b,
					     const struct hearth_entry *e)
{
	return b->strings + e->attrs;
}

/* A single path component that stays where it is: not empty, ".", "..", and without "/" or NUL. */
bool hearth_name_is_valid(const char *name, size_t len);

/* An empty batch that follows the given position; NULL: no memory. */
struct hearth_batch *hearth_batch_alloc(uint64_t number, uint64_t voff, uint32_t first_dir);
void hearth_batch_free(struct hearth_batch *b);

/*
 * Appends an entry; @e's voff, dir_no, name and target are filled in, and attrs from the
 * @e->attrs_len bytes at @attrs. Returns -ENOSPC if the batch is full, -ERANGE if the virtual file
 * would become too large.
 */
int hearth_batch_add(struct hearth_batch *b, const struct hearth_entry *e, const char *name,
		     const char *target, const void *attrs);

/* Encodes into @buf of HEARTH_INDEX_MAX_BYTES; returns the length. */
size_t hearth_batch_encode(const struct hearth_batch *b, void *buf);

/*
 * Decodes what a peer sent; it must follow on @number, @voff and @first_dir. 0, -EPROTO or -ENOMEM.
 */
int hearth_batch_decode(const void *buf, size_t len, uint64_t number, uint64_t voff,
			uint32_t first_dir, struct hearth_batch **ret);

/* The first file of which the byte at @voff is a part. */
struct hearth_entry *hearth_batch_find(struct hearth_batch *b, uint64_t voff);

#endif
