// SPDX-License-Identifier: GPL-2.0-or-later
/* What is at the destination against what the index says. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "../common/io.h"
#include "attrs.h"
#include "recv.h"
#include "sum.h"

bool hearth_compare_is_newer(const struct hearth_entry *e, const struct stat *st)
{
	return st->st_mtim.tv_sec > e->mtime_sec || (st->st_mtim.tv_sec == e->mtime_sec &&
						     (uint32_t)st->st_mtim.tv_nsec > e->mtime_nsec);
}

static bool has_same_time(const struct hearth_entry *e, const struct stat *st)
{
	return st->st_mtim.tv_sec == e->mtime_sec && (uint32_t)st->st_mtim.tv_nsec == e->mtime_nsec;
}

static bool has_same_content(int dir_fd, const char *name, const struct hearth_entry *e)
{
	int fd = hearth_open_beneath(dir_fd, name, O_RDONLY | O_NONBLOCK, 0);
	uint8_t sum[HEARTH_SUM_BYTES];
	bool is_same =
		fd >= 0 && !hearth_sum_file(fd, e->size, sum) && !memcmp(sum, e->sum, sizeof(sum));

	hearth_close(&fd);
	return is_same;
}

bool hearth_compare_is_same(const struct hearth_receiver *r, int dir_fd, const char *name,
			    const struct hearth_entry *e, const struct stat *st)
{
	uint32_t flags = r->job->opt.flags;

	if (e->extras & HEARTH_EXTRA_STREAM ||
	    !S_ISREG(st->st_mode) || (uint64_t)st->st_size != e->size)
		return false;
	if (flags & HEARTH_CHECKSUM)
		return !e->size ||
		       (e->extras & HEARTH_EXTRA_SUM && has_same_content(dir_fd, name, e));
	if (flags & HEARTH_SIZE_ONLY)
		return true;
	return !(flags & HEARTH_IGNORE_TIMES) && has_same_time(e, st);
}

static bool has_same_attrs(const struct hearth_receiver *r, int fd, const struct hearth_batch *b,
			   const struct hearth_entry *e)
{
	uint8_t *buf = malloc(HEARTH_ATTRS_MAX);
	ssize_t len =
		buf ? hearth_attrs_read(fd, r->job->opt.flags, buf, HEARTH_ATTRS_MAX) : -ENOMEM;
	bool is_same = buf && len == (ssize_t)e->attrs_len &&
		       (!len || !memcmp(buf, hearth_entry_attrs(b, e), (size_t)len));

	free(buf);
	return is_same;
}

/* @fd is -1 for what is not opened, symlinks and nodes: it has no extended attributes here. */
bool hearth_compare_attributes(const struct hearth_receiver *r, int fd,
			       const struct hearth_batch *b, const struct hearth_entry *e,
			       const struct stat *st)
{
	uint32_t flags = r->job->opt.flags;
	bool has_mode = e->kind != HEARTH_ENTRY_SYMLINK;

	if (has_mode && flags & HEARTH_PERMS && (st->st_mode & 07777) != (e->mode & 07777))
		return false;
	if (flags & HEARTH_OWNER && !r->euid && st->st_uid != e->uid)
		return false;
	if (flags & HEARTH_GROUP && !r->euid && st->st_gid != e->gid)
		return false;
	if (flags & HEARTH_TIMES && !has_same_time(e, st))
		return false;
	return fd < 0 || !(flags & (HEARTH_ACLS | HEARTH_XATTRS)) || has_same_attrs(r, fd, b, e);
}
