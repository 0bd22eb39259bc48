// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The scan: walks the sources and publishes the index while it goes.
 *
 * Directories are read in the order of their numbers, that is breadth first:
 * the queue of directories still to be read *is* the table of directories.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../common/io.h"
#include "confine.h"
#include "filter.h"
#include "send.h"

/* Publish at least this often, so that the streams have work while the scan goes on. */
#define PUBLISH_BYTES (4u << 20)

struct scan {
	struct hearth_sender *s;
	struct hearth_batch *batch;
	uint64_t nr_batches;
	uint64_t device; /* of the source argument, for --one-file-system */
	bool had_errors;
	uint8_t *encoded;
};

static void report(struct scan *scan, enum hearth_severity severity, uint32_t dir, const char *name,
		   const char *what, const char *why)
{
	char path[HEARTH_PATH_MAX];

	hearth_dirs_path(&scan->s->dirs, dir, name, path, sizeof(path));
	hearth_job_note(scan->s->job, severity, path, "%s%s", what, why);
	scan->had_errors |= severity == HEARTH_NOTE_ERROR;
}

static void report_errno(struct scan *scan, uint32_t dir, const char *name, const char *what,
			 int err)
{
	report(scan, err == -ENOENT ? HEARTH_NOTE_VANISHED : HEARTH_NOTE_ERROR, dir, name, what,
	       strerror(-err));
}

static int publish(struct scan *scan)
{
	struct hearth_sender *s = scan->s;
	struct hearth_batch *b = scan->batch;
	size_t len = hearth_batch_encode(b, scan->encoded);
	struct hearth_work_range all = { .voff = b->voff, .len = b->end - b->voff };
	int err;

	if (!b->nr_entries)
		return 0;
	scan->batch = hearth_batch_alloc(++scan->nr_batches, b->end, b->first_dir + b->nr_dirs);
	if (!scan->batch) {
		scan->batch = b;
		return -ENOMEM;
	}
	b->is_answered = s->is_eager;
	b->left = s->is_eager ? all.len : 0;
	err = hearth_table_add(&s->table, b, HEARTH_MAX_LIVE_ENTRIES);
	if (err) {
		hearth_batch_free(b);
		return err;
	}
	err = hearth_control_send(s->wires->control, HEARTH_FRAME_INDEX, scan->encoded, len);
	if (!err && s->is_eager && all.len)
		err = hearth_work_push(&s->work, all);
	hearth_table_settle(&s->table, b, 0);
	hearth_table_put(&s->table, b);
	return err;
}

static int add(struct scan *scan, const struct hearth_entry *e, const char *name,
	       const char *target)
{
	struct hearth_counters *count = &scan->s->job->count;
	int err = hearth_batch_add(scan->batch, e, name, target);

	if (err == -ENOSPC) {
		err = publish(scan);
		if (!err)
			err = hearth_batch_add(scan->batch, e, name, target);
	}
	if (err)
		return err;
	if (e->kind == HEARTH_ENTRY_FILE) {
		count->files_total++;
		count->bytes_total += e->size;
	}
	return scan->batch->end - scan->batch->voff >= PUBLISH_BYTES ? publish(scan) : 0;
}

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

static struct hearth_entry entry_of(const struct stat *st, uint32_t parent)
{
	return (struct hearth_entry){
		.kind = kind_of(st->st_mode),
		.size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
		.mode = st->st_mode,
		.mtime_sec = st->st_mtim.tv_sec,
		.mtime_nsec = (uint32_t)st->st_mtim.tv_nsec,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev_major = major(st->st_rdev),
		.rdev_minor = minor(st->st_rdev),
		.parent = parent,
		.is_sparse = S_ISREG(st->st_mode) && st->st_blocks < st->st_size / 512,
	};
}

static int add_symlink(struct scan *scan, struct hearth_entry *e, int dir_fd, const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(dir_fd, name, target, sizeof(target) - 1);

	if (len < 0) {
		report_errno(scan, e->parent, name, "cannot be read: ", -errno);
		return 0;
	}
	target[len] = '\0';
	return add(scan, e, name, target);
}

static int add_directory(struct scan *scan, struct hearth_entry *e, const struct stat *st,
			 const char *name)
{
	if (!hearth_dirs_add(&scan->s->dirs, e->parent, name))
		return -ENOMEM;
	scan->s->dirs.v[scan->s->dirs.nr - 1]->is_bad =
		scan->s->job->opt.flags & HEARTH_ONE_FILE_SYSTEM && st->st_dev != scan->device;
	return add(scan, e, name, "");
}

static bool is_left_out(struct scan *scan, uint32_t dir, const char *name, bool is_dir)
{
	const struct hearth_filter *filter = scan->s->job->filter;
	char buf[HEARTH_PATH_MAX];
	const char *path;

	if (!filter || !filter->nr_rules)
		return false;
	path = hearth_dirs_relative_path(&scan->s->dirs, dir, name, buf, sizeof(buf));
	return hearth_filter_excludes(filter, path, is_dir);
}

static int add_name(struct scan *scan, uint32_t dir, int dir_fd, const char *name)
{
	uint32_t flags = scan->s->job->opt.flags;
	struct hearth_entry e;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW)) {
		report_errno(scan, dir, name, "", -errno);
		return 0;
	}
	if (is_left_out(scan, dir, name, S_ISDIR(st.st_mode)))
		return 0;
	e = entry_of(&st, dir);
	switch (e.kind) {
	case HEARTH_ENTRY_FILE:
		return add(scan, &e, name, "");
	case HEARTH_ENTRY_DIR:
		if (flags & HEARTH_RECURSE)
			return add_directory(scan, &e, &st, name);
		report(scan, HEARTH_NOTE_WARNING, dir, name, "is a directory; left out without -r",
		       "");
		return 0;
	case HEARTH_ENTRY_SYMLINK:
		if (flags & HEARTH_LINKS)
			return add_symlink(scan, &e, dir_fd, name);
		report(scan, HEARTH_NOTE_WARNING, dir, name, "is a symlink; left out without -l",
		       "");
		return 0;
	default:
		if (flags & HEARTH_SPECIALS)
			return add(scan, &e, name, "");
		report(scan, HEARTH_NOTE_WARNING, dir, name,
		       "is no regular file; left out without -D", "");
		return 0;
	}
}

static int read_directory(struct scan *scan, uint32_t number)
{
	int dir_fd = hearth_dirs_get(&scan->s->dirs, number);
	int fd = dir_fd < 0 ? dir_fd : hearth_open_beneath(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int ret = 0;

	if (!stream) {
		report_errno(scan, number, "", "cannot be opened: ", fd < 0 ? fd : -ENOMEM);
		hearth_close(&fd);
		if (dir_fd >= 0)
			hearth_dirs_put(&scan->s->dirs, number);
		return 0;
	}
	for (errno = 0; !ret && (entry = readdir(stream)); errno = 0)
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			ret = add_name(scan, number, dir_fd, entry->d_name);
	if (!ret && errno)
		report_errno(scan, number, "", "cannot be read: ", -errno);
	closedir(stream);
	hearth_dirs_put(&scan->s->dirs, number);
	return ret;
}

/*
 * Splits "a/b/c" into the directory to open and the name in it. "c/", "c/." and ".." stand for what
 * is in the directory: the name is empty then.
 */
static void split_source(const char *source, char *dir, size_t size, const char **ret_name)
{
	const char *slash = strrchr(source, '/');
	const char *name = slash ? slash + 1 : source;

	if (!*name || !strcmp(name, ".") || !strcmp(name, "..")) {
		snprintf(dir, size, "%s", source);
		*ret_name = "";
		return;
	}
	if (!slash)
		snprintf(dir, size, ".");
	else
		snprintf(dir, size, "%.*s", slash == source ? 1 : (int)(slash - source), source);
	*ret_name = name;
}

bool hearth_scan_is_single(char *const *sources, uint32_t nr)
{
	struct stat st;

	return nr == 1 && !lstat(sources[0], &st) && !S_ISDIR(st.st_mode);
}

static int add_source(struct scan *scan, const char *source)
{
	struct hearth_dirs *dirs = &scan->s->dirs;
	struct hearth_entry root;
	char dir[PATH_MAX];
	struct stat st;
	const char *name;
	uint32_t number = dirs->nr;
	int fd, ret;

	split_source(source, dir, sizeof(dir), &name);
	if (!*name && !(scan->s->job->opt.flags & HEARTH_RECURSE)) {
		hearth_job_note(scan->s->job, HEARTH_NOTE_WARNING, source,
				"is a directory; left out without -r");
		return 0;
	}
	fd = hearth_open_root(dir);
	if (fd < 0 || fstat(fd, &st)) {
		hearth_job_note(scan->s->job, HEARTH_NOTE_ERROR, source, "cannot be opened: %s",
				strerror(-fd));
		scan->had_errors = true;
		return 0;
	}
	if (!hearth_dirs_add_anchor(dirs, fd, strcmp(dir, ".") ? dir : "")) {
		hearth_close(&fd);
		return -ENOMEM;
	}
	scan->device = st.st_dev;
	root = entry_of(&st, 0);
	root.kind = HEARTH_ENTRY_ROOT;
	root.mode =
		*name ? S_IFDIR
		      : st.st_mode; /* only a directory meant by itself has its attributes copied */
	ret = add(scan, &root, "", "");
	if (ret)
		return ret;
	if (!*name)
		return read_directory(scan, number);
	if (!fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW))
		scan->device = st.st_dev;
	else if (errno == ENOENT)
		return report(scan, HEARTH_NOTE_ERROR, number, name, "no such file or directory",
			      ""),
		       0;
	return add_name(scan, number, fd, name);
}

/* Reads the directories that the sources and the directories before them have brought up. */
static int walk(struct scan *scan, uint32_t first)
{
	struct hearth_dirs *dirs = &scan->s->dirs;
	int ret = 0;

	for (uint32_t i = first; !ret && i < dirs->nr; i++)
		if (!dirs->v[i]->is_anchor && !dirs->v[i]->is_bad)
			ret = read_directory(scan, i);
	return ret;
}

static int publish_end(struct scan *scan)
{
	uint8_t body[9];
	uint64_t nr;
	int ret = publish(scan);

	if (ret)
		return ret;
	nr = htole64(scan->nr_batches);
	memcpy(body, &nr, sizeof(nr));
	body[8] = scan->had_errors;
	scan->s->job->count.is_index_complete = true;
	return hearth_control_send(scan->s->wires->control, HEARTH_FRAME_INDEX_END, body,
				   sizeof(body));
}

int hearth_scan(struct hearth_sender *s, char *const *sources, uint32_t nr)
{
	struct scan scan = { .s = s, .encoded = malloc(HEARTH_INDEX_MAX_BYTES) };
	int ret = 0;

	scan.batch = hearth_batch_alloc(0, 0, 0);
	if (!scan.batch || !scan.encoded)
		ret = -ENOMEM;
	for (uint32_t i = 0; !ret && i < nr; i++) {
		uint32_t first = s->dirs.nr;

		ret = add_source(&scan, sources[i]);
		if (!ret)
			ret = walk(&scan, first);
	}
	if (!ret)
		ret = publish_end(&scan);
	if (ret == -ENOMEM)
		hearth_job_fail(s->job, HEARTH_EXIT_SYSTEM, "no memory for the index");
	else if (ret)
		hearth_job_fail(s->job, HEARTH_EXIT_LOST, "the control connection broke: %s",
				strerror(-ret));
	if (scan.batch)
		hearth_batch_free(scan.batch);
	free(scan.encoded);
	return ret;
}
