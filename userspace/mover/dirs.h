/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directories of a job, by number, with a bounded set of open descriptors.
 *
 * A directory is opened below its parent's descriptor, one component at a time,
 * so that no path of any length or depth is ever resolved as a whole.
 */
#ifndef HEARTH_DIRS_H
#define HEARTH_DIRS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Directories that are kept open: as many as a part of the process's descriptors, within these. */
#define HEARTH_LEAST_OPEN_DIRS 128
#define HEARTH_MOST_OPEN_DIRS 4096

struct hearth_dir {
	struct hearth_dir *older; /* in the list of idle, open ones */
	struct hearth_dir *newer;
	char *name;
	uint32_t parent;
	int fd;
	int refs;
	bool is_anchor; /* opened by the caller, kept open */
	bool is_bad; /* receiver: could not be made; its entries are passed over */
	bool is_due; /* receiver: gets its attributes at the end */
	bool is_made; /* receiver: was not there before */
	bool is_virtual; /* receiver: would be made, were this no dry run */
	bool is_listed; /* receiver: the index has all that is in it */
	bool is_followed; /* sender: its name may be a symlink */
	bool is_setgid; /* receiver: what is made in it inherits its group */
	bool has_volume; /* sender: the receiver said where it lies; else where its parent does */
	uint8_t volume; /* which of the receiver's devices it lies on; sender: if it has one */
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t mtime_nsec;
	int64_t mtime_sec;
	uint64_t key; /* receiver: what its path hashes to */
	uint64_t device; /* sender: where it lies, */
	uint64_t inode; /* if symlinks are followed */
	uint32_t attrs_len;
	void *attrs; /* receiver: extended attributes to be set at the end */
};

struct hearth_dirs {
	pthread_mutex_t lock;
	struct hearth_dir **v;
	uint32_t nr;
	uint32_t cap;
	uint32_t nr_open;
	uint32_t max_open;
	struct hearth_dir *oldest;
	struct hearth_dir *newest;
};

void hearth_dirs_init(struct hearth_dirs *d);
void hearth_dirs_exit(struct hearth_dirs *d);

/*
 * Both number the new directory with the count of those before it. An anchor takes over @fd; @name
 * is what reports call it. NULL: no memory.
 */
struct hearth_dir *hearth_dirs_add_anchor(struct hearth_dirs *d, int fd, const char *name);
struct hearth_dir *hearth_dirs_add(struct hearth_dirs *d, uint32_t parent, const char *name);

/* The directory's record, which stays where it is; @number must exist. */
struct hearth_dir *hearth_dirs_at(struct hearth_dirs *d, uint32_t number);

/* Sender: the receiver said that the directory lies on this volume. False if there is none such. */
bool hearth_dirs_set_volume(struct hearth_dirs *d, uint64_t number, uint8_t volume);
uint8_t hearth_dirs_volume(struct hearth_dirs *d, uint32_t number);

/* An open descriptor, good until the matching put, or -errno. */
int hearth_dirs_get(struct hearth_dirs *d, uint32_t number);
void hearth_dirs_put(struct hearth_dirs *d, uint32_t number);

/*
 * Write "dir/dir/name", from the anchor's name on for reports, or from below the anchor; the front
 * is cut off if it does not fit.
 */
char *hearth_dirs_path(struct hearth_dirs *d, uint32_t number, const char *name, char *buf,
		       size_t len);
char *hearth_dirs_relative_path(struct hearth_dirs *d, uint32_t number, const char *name, char *buf,
				size_t len);

#endif
