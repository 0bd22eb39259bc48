/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --direct: large files past the page cache, which has other use for its room.
 *
 * A disk is only fast if several requests wait for it, so whatever goes past the
 * cache has storage threads of its own (engine.h); an end on a disk has. "auto"
 * means: large files on real disks, and at the source only if they are not in the
 * cache already. Pieces that do not begin and end
 * where the disk's blocks do go through the cache, as does all where a file
 * system refuses; "yes" says so, once.
 */
#ifndef HEARTH_DIRECT_H
#define HEARTH_DIRECT_H

#include <hearth/mover.h>
#include <stddef.h>

#define HEARTH_DIRECT_ALIGN 4096u

/* Requests that a disk has to choose from, at least. */
#define HEARTH_DIRECT_DEPTH 4

/* True if files of this size may go past the cache at an end whose stages are @is_split. */
bool hearth_direct_is_meant(const struct hearth_job *job, bool is_split, uint64_t size);

/* Makes a file that is open for reading direct, if it should and can be. */
bool hearth_direct_begin_read(struct hearth_job *job, bool is_split, int fd, uint64_t size);

/* Whether the file is where --direct wants such files to be past the cache. */
bool hearth_direct_is_on_disk(const struct hearth_job *job, int fd);

/* Says once a job, if it was asked for and cannot be had. */
void hearth_direct_refused(struct hearth_job *job, const char *name, int err);

/*
 * Like hearth_pread_full(), on a descriptor that was made direct. Reads on to the next boundary if
 * @room allows.
 */
ssize_t hearth_direct_read(int fd, void *buf, size_t len, size_t room, uint64_t offset);

/* Writes what is aligned to @direct_fd and the rest to @fd. 0 or -errno. */
int hearth_direct_write(int direct_fd, int fd, const void *data, size_t len, uint64_t offset);

#endif
