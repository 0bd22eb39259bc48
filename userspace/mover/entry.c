// SPDX-License-Identifier: GPL-2.0-or-later
/* One name of the source: what the index says of it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../common/io.h"
#include "attrs.h"
#include "confine.h"
#include "filter.h"
#include "scan.h"
#include "sum.h"

static uint8_t kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return HEARTH_ENTRY_FILE;
	case S_IFDIR:
		return HEARTH_ENTRY_DIR;
	case S_IFLNK:
		return HEARTH_ENTRY_SYMLINK;
	default:
		return HEARTH_ENTRY_SPECIAL;
	}
}

struct hearth_entry hearth_scan_entry(struct hearth_scan *scan, const struct stat *st,
				      uint32_t parent)
{
	const struct hearth_options *opt = &scan->s->job->opt;
	bool is_sparse = S_ISREG(st->st_mode) && st->st_blocks < st->st_size / 512;

	return (struct hearth_entry){
		.kind = kind_of(st->st_mode),
		.size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
		.mode = hearth_chmod_apply(&scan->chmod, st->st_mode),
		.mtime_sec = st->st_mtim.tv_sec,
		.mtime_nsec = (uint32_t)st->st_mtim.tv_nsec,
		.uid = opt->uid == UINT32_MAX ? st->st_uid : opt->uid,
		.gid = opt->gid == UINT32_MAX ? st->st_gid : opt->gid,
		.rdev_major = major(st->st_rdev),
		.rdev_minor = minor(st->st_rdev),
		.parent = parent,
		.device = hearth_devices_find(&scan->s->devices, st->st_dev),
		.is_sparse = is_sparse,
		.extras = is_sparse && opt->publishes ? HEARTH_EXTRA_SPARSE : 0,
	};
}

int hearth_scan_look_inside(struct hearth_scan *scan, struct hearth_entry *e, int fd)
{
	uint32_t flags = scan->s->job->opt.flags;

	if (flags & (HEARTH_ACLS | HEARTH_XATTRS)) {
		ssize_t len = hearth_attrs_read(fd, flags, scan->attrs, HEARTH_ATTRS_MAX);

		if (len < 0)
			return (int)len;
		e->attrs_len = (uint32_t)len;
		e->extras |= len ? HEARTH_EXTRA_ATTRS : 0;
	}
	if (e->kind == HEARTH_ENTRY_FILE && flags & HEARTH_CHECKSUM && e->size) {
		e->extras |= HEARTH_EXTRA_SUM;
		return hearth_sum_file(fd, e->size, e->sum);
	}
	return 0;
}

static int open_to_look(int dir_fd, const char *name, const struct hearth_entry *e)
{
	int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;

	return e->is_followed ? hearth_open_followed(dir_fd, name, flags)
			      : hearth_open_beneath(dir_fd, name, flags, 0);
}

/* False if the entry cannot be read that far, and is left out. */
static bool look_inside(struct hearth_scan *scan, struct hearth_entry *e, int dir_fd,
			const char *name)
{
	int fd, ret;

	if (!(scan->s->job->opt.flags & (HEARTH_ACLS | HEARTH_XATTRS | HEARTH_CHECKSUM)))
		return true;
	fd = open_to_look(dir_fd, name, e);
	ret = fd < 0 ? fd : hearth_scan_look_inside(scan, e, fd);
	hearth_close(&fd);
	if (ret == -E2BIG)
		hearth_scan_report(scan, HEARTH_NOTE_ERROR, e->parent, name,
				   "has more extended attributes than fit: 96 KiB", "");
	else if (ret == -ENODATA)
		hearth_scan_report(scan, HEARTH_NOTE_ERROR, e->parent, name,
				   "shrank while it was read; copy it again", "");
	else if (ret)
		hearth_scan_report_errno(scan, e->parent, name, "cannot be read: ", ret);
	return !ret;
}

static int add_symlink(struct hearth_scan *scan, struct hearth_entry *e, int dir_fd,
		       const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	if (len < 0) {
		hearth_scan_report_errno(scan, e->parent, name, "cannot be read: ", -errno);
		return 0;
	}
	target[len] = '\0';
	return hearth_scan_add(scan, e, name, target);
}

/* With --copy-links a directory may lead back to one that it is in. */
static bool is_loop(const struct hearth_scan *scan, uint32_t dir, const struct stat *st)
{
	struct hearth_dirs *dirs = &scan->s->dirs;

	if (!(scan->s->job->opt.flags & HEARTH_COPY_LINKS))
		return false;
	for (;;) {
		const struct hearth_dir *d = hearth_dirs_at(dirs, dir);

		if (d->device == st->st_dev && d->inode == st->st_ino)
			return true;
		if (d->is_anchor)
			return false;
		dir = d->parent;
	}
}

static int add_directory(struct hearth_scan *scan, struct hearth_entry *e, const struct stat *st,
			 int dir_fd, const char *name, bool is_passage)
{
	struct hearth_dir *dir;

	if (is_loop(scan, e->parent, st)) {
		hearth_scan_report(scan, HEARTH_NOTE_ERROR, e->parent, name,
				   "leads back to a directory that it is in", "");
		return 0;
	}
	if (!look_inside(scan, e, dir_fd, name))
		return 0;
	dir = hearth_dirs_add(&scan->s->dirs, e->parent, name);
	if (!dir)
		return -ENOMEM;
	dir->device = st->st_dev;
	dir->inode = st->st_ino;
	dir->is_followed = e->is_followed;
	dir->is_bad = is_passage || (scan->s->job->opt.flags & HEARTH_ONE_FILE_SYSTEM &&
				     st->st_dev != scan->device);
	e->extras |= dir->is_bad ? 0 : HEARTH_EXTRA_LISTED;
	return hearth_scan_add(scan, e, name, "");
}

int hearth_scan_passage(struct hearth_scan *scan, uint32_t dir, int dir_fd, const char *name)
{
	struct hearth_entry e;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	e = hearth_scan_entry(scan, &st, dir);
	return add_directory(scan, &e, &st, dir_fd, name, true);
}

static struct hearth_first_name *find_first(const struct hearth_scan *scan, dev_t device,
					    ino_t inode)
{
	size_t at = (inode * 0x9e3779b97f4a7c15ull >> 20 ^ device) & (scan->cap_firsts - 1);

	while (scan->firsts[at].name &&
	       (scan->firsts[at].inode != inode || scan->firsts[at].device != device))
		at = (at + 1) & (scan->cap_firsts - 1);
	return &scan->firsts[at];
}

static int grow_firsts(struct hearth_scan *scan)
{
	struct hearth_first_name *old = scan->firsts;
	size_t old_cap = scan->cap_firsts;

	scan->cap_firsts = old_cap ? 2 * old_cap : 256;
	scan->firsts = calloc(scan->cap_firsts, sizeof(*scan->firsts));
	if (!scan->firsts) {
		scan->firsts = old;
		scan->cap_firsts = old_cap;
		return -ENOMEM;
	}
	for (size_t i = 0; i < old_cap; i++)
		if (old[i].name)
			*find_first(scan, old[i].device, old[i].inode) = old[i];
	free(old);
	return 0;
}

void hearth_scan_firsts_exit(struct hearth_scan *scan)
{
	for (size_t i = 0; i < scan->cap_firsts; i++)
		free(scan->firsts[i].name);
	free(scan->firsts);
}

/* A further name of a file is a link to its first; the first is remembered. */
static int add_linked_file(struct hearth_scan *scan, struct hearth_entry *e, const struct stat *st,
			   const char *name)
{
	struct hearth_first_name *first;

	if (2 * scan->nr_firsts >= scan->cap_firsts && grow_firsts(scan))
		return -ENOMEM;
	first = find_first(scan, st->st_dev, st->st_ino);
	if (first->name) {
		e->kind = HEARTH_ENTRY_LINK;
		e->size = 0;
		e->extras = 0;
		e->attrs_len = 0;
		e->link_parent = first->parent;
		return hearth_scan_add(scan, e, name, first->name);
	}
	*first = (struct hearth_first_name){ st->st_dev, st->st_ino, e->parent, strdup(name) };
	if (!first->name)
		return -ENOMEM;
	scan->nr_firsts++;
	return hearth_scan_add(scan, e, name, "");
}

static int add_file(struct hearth_scan *scan, struct hearth_entry *e, const struct stat *st,
		    int dir_fd, const char *name)
{
	if (!look_inside(scan, e, dir_fd, name))
		return 0;
	if (scan->s->job->opt.flags & HEARTH_HARD_LINKS && st->st_nlink > 1)
		return add_linked_file(scan, e, st, name);
	return hearth_scan_add(scan, e, name, "");
}

static bool is_left_out(struct hearth_scan *scan, uint32_t dir, const char *name, bool is_dir)
{
	const struct hearth_filter *filter = scan->s->job->filter;
	char buf[HEARTH_PATH_MAX];
	const char *path;

	if (!filter || !filter->nr_rules)
		return false;
	path = hearth_dirs_relative_path(&scan->s->dirs, dir, name, buf, sizeof(buf));
	return hearth_filter_excludes(filter, path, is_dir);
}

static void warn(struct hearth_scan *scan, uint32_t dir, const char *name, const char *what)
{
	hearth_scan_report(scan, HEARTH_NOTE_WARNING, dir, name, what, "");
}

/* What the options do not cover is named, and --delete leaves it alone. */
static int leave_out(struct hearth_scan *scan, struct hearth_entry *e, const char *name,
		     const char *what)
{
	warn(scan, e->parent, name, what);
	if (!(scan->s->job->opt.flags & HEARTH_DELETE))
		return 0;
	e->kind = HEARTH_ENTRY_PRESENT;
	return hearth_scan_add(scan, e, name, "");
}

/* Into a LUN goes what is on a block device, not the device; nothing is left out without a word. */
static int add_for_lun(struct hearth_scan *scan, struct hearth_entry *e, const struct stat *st,
		       int dir_fd, const char *name)
{
	int ret;

	if (e->kind == HEARTH_ENTRY_FILE)
		return add_file(scan, e, st, dir_fd, name);
	if (!S_ISBLK(st->st_mode)) {
		hearth_scan_report(scan, HEARTH_NOTE_ERROR, e->parent, name,
				   "only a file, block device, pipe or LUN can go into a LUN", "");
		return 0;
	}
	ret = hearth_scan_size_device(dir_fd, name, e->is_followed, &e->size);
	if (ret) {
		hearth_scan_report_errno(scan, e->parent, name, "cannot be read: ", ret);
		return 0;
	}
	e->kind = HEARTH_ENTRY_FILE;
	e->mode = S_IFREG | 0600;
	e->device = hearth_devices_find(&scan->s->devices, st->st_rdev);
	return hearth_scan_add(scan, e, name, "");
}

static int add_by_kind(struct hearth_scan *scan, struct hearth_entry *e, const struct stat *st,
		       int dir_fd, const char *name)
{
	const struct hearth_options *opt = &scan->s->job->opt;
	uint32_t flags = opt->flags;

	if (opt->lun & HEARTH_LUN_IS_DESTINATION && !opt->publishes)
		return add_for_lun(scan, e, st, dir_fd, name);
	switch (e->kind) {
	case HEARTH_ENTRY_FILE:
		return add_file(scan, e, st, dir_fd, name);
	case HEARTH_ENTRY_DIR:
		if (flags & HEARTH_RECURSE)
			return add_directory(scan, e, st, dir_fd, name, false);
		if (scan->s->job->only)
			return add_directory(scan, e, st, dir_fd, name, true);
		warn(scan, e->parent, name, "is a directory; left out without -r");
		return 0;
	case HEARTH_ENTRY_SYMLINK:
		if (flags & HEARTH_LINKS)
			return add_symlink(scan, e, dir_fd, name);
		return leave_out(scan, e, name, "is a symlink; left out without -l");
	default:
		if (flags & HEARTH_SPECIALS)
			return hearth_scan_add(scan, e, name, "");
		return leave_out(scan, e, name, "is no regular file; left out without -D");
	}
}

int hearth_scan_name(struct hearth_scan *scan, uint32_t dir, int dir_fd, const char *name)
{
	bool is_followed = false;
	struct hearth_entry e;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW)) {
		/* What was named has to be there; what a directory listed may be gone by now. */
		if (hearth_scan_is_named(scan, dir, name))
			hearth_scan_report(scan, HEARTH_NOTE_ERROR, dir, name, strerror(errno), "");
		else
			hearth_scan_report_errno(scan, dir, name, "", -errno);
		return 0;
	}
	if (S_ISLNK(st.st_mode) && scan->s->job->opt.flags & HEARTH_COPY_LINKS) {
		is_followed = true;
		if (fstatat(dir_fd, name, &st, 0)) {
			hearth_scan_report(scan, HEARTH_NOTE_ERROR, dir, name,
					   "is a symlink that cannot be followed: ",
					   strerror(errno));
			return 0;
		}
	}
	if (is_left_out(scan, dir, name, S_ISDIR(st.st_mode)))
		return 0;
	e = hearth_scan_entry(scan, &st, dir);
	e.is_followed = is_followed;
	return add_by_kind(scan, &e, &st, dir_fd, name);
}
