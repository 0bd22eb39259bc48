// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the receiver does with the index as it comes in: makes directories,
 * symlinks, nodes and empty files at once, and decides which files it wants.
 *
 * A destination that is new or empty wants everything; then the job is *eager*
 * and the sender does not wait to be asked.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/io.h"
#include "recv.h"

static int fail_destination(struct hearth_receiver *r, const char *path, int err)
{
	hearth_job_fail(r->job, HEARTH_EXIT_PLACE, "%s: cannot be used as destination: %s", path,
			strerror(-err));
	return err;
}

static bool is_empty(int dir_fd)
{
	int fd = hearth_open_beneath(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	int nr = 0;

	if (!stream)
		return false;
	while (nr <= 2 && readdir(stream))
		nr++;
	closedir(stream);
	return nr <= 2;
}

static int open_directory(struct hearth_receiver *r, const char *path)
{
	bool is_made = !mkdir(path, 0777);

	if (!is_made && errno != EEXIST)
		return fail_destination(r, path, -errno);
	r->root_fd = hearth_open_root(path);
	if (r->root_fd < 0)
		return fail_destination(r, path, r->root_fd);
	r->is_eager = is_made || is_empty(r->root_fd);
	return 0;
}

/* The destination is the name that the one file is to have. */
static int open_parent(struct hearth_receiver *r, const char *path)
{
	char copy[PATH_MAX];
	const char *slash = strrchr(path, '/');

	r->rename_to = strdup(slash ? slash + 1 : path);
	if (!r->rename_to)
		return -ENOMEM;
	if (strlen(path) >= sizeof(copy) ||
	    !hearth_name_is_valid(r->rename_to, strlen(r->rename_to)))
		return fail_destination(r, path, -EINVAL);
	snprintf(copy, sizeof(copy), "%s", path);
	r->root_fd = hearth_open_root(dirname(copy));
	return r->root_fd < 0 ? fail_destination(r, path, r->root_fd) : 0;
}

int hearth_plan_destination(struct hearth_receiver *r, bool is_single)
{
	const char *path = *r->destination ? r->destination : ".";
	size_t len = strlen(path);
	struct stat st;
	bool exists = !stat(path, &st);

	if (is_single && path[len - 1] != '/' && !(exists && S_ISDIR(st.st_mode)))
		return open_parent(r, path);
	if (exists && !S_ISDIR(st.st_mode))
		return fail_destination(r, path, -ENOTDIR);
	return open_directory(r, path);
}

static int refuse(struct hearth_receiver *r, const struct hearth_batch *b,
		  const struct hearth_entry *e, const char *what, int err)
{
	hearth_receiver_note(r, HEARTH_NOTE_ERROR, b, e, what, err);
	return 0;
}

static void remember_attributes(struct hearth_dir *dir, const struct hearth_entry *e)
{
	dir->is_due = true;
	dir->mode = e->mode;
	dir->uid = e->uid;
	dir->gid = e->gid;
	dir->mtime_sec = e->mtime_sec;
	dir->mtime_nsec = e->mtime_nsec;
}

static int plan_root(struct hearth_receiver *r, const struct hearth_entry *e)
{
	int fd = fcntl(r->root_fd, F_DUPFD_CLOEXEC, 0);
	struct hearth_dir *dir;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		close(fd);
		return -errno;
	}
	dir = hearth_dirs_add_anchor(&r->dirs, fd, r->rename_to ? "" : r->destination);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	dir->is_setgid = st.st_mode & S_ISGID;
	if (e->mode & 07777 && r->job->opt.flags & (HEARTH_PERMS | HEARTH_TIMES))
		remember_attributes(dir, e);
	return 0;
}

static int plan_directory(struct hearth_receiver *r, const struct hearth_batch *b,
			  const struct hearth_entry *e)
{
	const char *name = hearth_entry_name(b, e);
	struct hearth_dir *dir = hearth_dirs_add(&r->dirs, e->parent, name);
	struct hearth_dir *parent = hearth_dirs_at(&r->dirs, e->parent);
	struct stat st = { 0 };
	int dir_fd;

	if (!dir)
		return -ENOMEM;
	dir->is_bad = parent->is_bad;
	dir->is_setgid = parent->is_setgid;
	if (dir->is_bad)
		return 0;
	dir_fd = hearth_dirs_get(&r->dirs, e->parent);
	dir->is_bad = true;
	if (dir_fd < 0)
		return refuse(r, b, e, "its directory cannot be opened", dir_fd);
	if (!mkdirat(dir_fd, name, 0700)) {
		dir->is_bad = false;
		remember_attributes(dir, e);
	} else if (errno != EEXIST) {
		refuse(r, b, e, "cannot be made", -errno);
	} else if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode)) {
		refuse(r, b, e,
		       "something else of that name is in the way of a directory; remove it", 0);
	} else {
		dir->is_bad = false;
		dir->is_setgid = st.st_mode & S_ISGID;
		if (r->job->opt.flags & (HEARTH_PERMS | HEARTH_TIMES))
			remember_attributes(dir, e);
	}
	hearth_dirs_put(&r->dirs, e->parent);
	return 0;
}

static bool looks_same(const struct hearth_receiver *r, const struct hearth_entry *e,
		       const struct stat *st)
{
	uint32_t flags = r->job->opt.flags;

	if (flags & HEARTH_IGNORE_TIMES || !S_ISREG(st->st_mode) ||
	    (uint64_t)st->st_size != e->size)
		return false;
	return flags & HEARTH_SIZE_ONLY || (st->st_mtim.tv_sec == e->mtime_sec &&
					    (uint32_t)st->st_mtim.tv_nsec == e->mtime_nsec);
}

static bool is_newer(const struct hearth_entry *e, const struct stat *st)
{
	return st->st_mtim.tv_sec > e->mtime_sec || (st->st_mtim.tv_sec == e->mtime_sec &&
						     (uint32_t)st->st_mtim.tv_nsec > e->mtime_nsec);
}

/* True if the file is left as it is, because of what is there or is not. */
static bool is_left_alone(const struct hearth_receiver *r, const struct hearth_entry *e,
			  const struct stat *st)
{
	uint32_t flags = r->job->opt.flags;

	if (!st)
		return flags & HEARTH_EXISTING;
	return flags & HEARTH_IGNORE_EXISTING || (flags & HEARTH_UPDATE && is_newer(e, st)) ||
	       looks_same(r, e, st);
}

/* The content is the same; mode and owner may still differ. */
static void update_attributes(struct hearth_receiver *r, int dir_fd, const char *name,
			      const struct hearth_batch *b, const struct hearth_entry *e,
			      const struct stat *st)
{
	uint32_t flags = r->job->opt.flags;
	bool differs = (flags & HEARTH_PERMS && (st->st_mode & 07777) != (e->mode & 07777)) ||
		       (flags & HEARTH_OWNER && !r->euid && st->st_uid != e->uid) ||
		       (flags & HEARTH_GROUP && st->st_gid != e->gid && !r->euid);
	int fd, ret;

	if (!differs)
		return;
	fd = hearth_open_beneath(dir_fd, name, O_RDONLY | O_NONBLOCK, 0);
	ret = fd < 0 ? fd : hearth_place_attributes(r, fd, e, false);
	if (ret)
		hearth_receiver_note(r, HEARTH_NOTE_ERROR, b, e, "its attributes cannot be set",
				     ret);
	hearth_close(&fd);
}

/* Adds what is missing of the file to @wanted. */
static int want_file(struct hearth_receiver *r, int dir_fd, const char *name,
		     const struct hearth_entry *e, struct hearth_ranges *wanted)
{
	struct hearth_ranges stored = { 0 };
	struct hearth_range gap;
	uint64_t at = 0;
	int ret = 0;

	hearth_part_find_stored(r, dir_fd, name, e, &stored);
	/* Stored to the last byte but not yet in place: the last byte brings the rest about. */
	if (stored.covered == e->size)
		ret = hearth_ranges_add(wanted, e->voff + e->size - 1, e->voff + e->size);
	while (!ret && hearth_ranges_next_gap(&stored, at, e->size, &gap)) {
		ret = hearth_ranges_add(wanted, e->voff + gap.start, e->voff + gap.end);
		at = gap.end;
	}
	r->job->count.bytes_resumed += stored.covered;
	hearth_ranges_exit(&stored);
	return ret;
}

static int plan_empty_file(struct hearth_receiver *r, struct hearth_batch *b,
			   struct hearth_entry *e)
{
	int ret = hearth_place_whole(r, b, e, "");

	atomic_store(&e->state, HEARTH_FILE_DONE);
	if (ret)
		return refuse(r, b, e, "cannot be written", ret);
	r->job->count.files_stored++;
	return 0;
}

static int plan_file(struct hearth_receiver *r, int dir_fd, struct hearth_batch *b,
		     struct hearth_entry *e, struct hearth_ranges *wanted)
{
	const char *name = hearth_receiver_name(r, b, e);
	struct stat st;
	bool exists = !r->is_eager && !fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW);

	r->job->count.files_total++;
	r->job->count.bytes_total += e->size;
	atomic_store(&e->state, HEARTH_FILE_DONE);
	if (exists && S_ISDIR(st.st_mode))
		return refuse(r, b, e, "a directory of that name is in its way; remove it", 0);
	if (is_left_alone(r, e, exists ? &st : NULL)) {
		r->job->count.files_skipped++;
		r->job->count.bytes_skipped += e->size;
		if (exists && looks_same(r, e, &st))
			update_attributes(r, dir_fd, name, b, e, &st);
		return 0;
	}
	if (!e->size)
		return plan_empty_file(r, b, e);
	atomic_store(&e->state, HEARTH_FILE_WANTED);
	b->left++;
	if (r->is_eager)
		return 0;
	return want_file(r, dir_fd, name, e, wanted);
}

static int plan_other(struct hearth_receiver *r, int dir_fd, struct hearth_batch *b,
		      struct hearth_entry *e)
{
	const char *name = hearth_receiver_name(r, b, e);
	struct stat st;
	int ret;

	if (!fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW)) {
		if (S_ISDIR(st.st_mode))
			return refuse(r, b, e, "a directory of that name is in its way; remove it",
				      0);
		if (r->job->opt.flags & HEARTH_IGNORE_EXISTING)
			return 0;
	} else if (r->job->opt.flags & HEARTH_EXISTING) {
		return 0;
	}
	if (e->kind == HEARTH_ENTRY_SYMLINK)
		ret = hearth_place_symlink(r, dir_fd, name, hearth_entry_target(b, e), e);
	else
		ret = hearth_place_special(r, dir_fd, name, e);
	return ret ? refuse(r, b, e, "cannot be made", ret) : 0;
}

static int plan_in_directory(struct hearth_receiver *r, struct hearth_batch *b,
			     struct hearth_entry *e, struct hearth_ranges *wanted)
{
	int dir_fd, ret;

	atomic_store(&e->state, HEARTH_FILE_DONE);
	if (hearth_dirs_at(&r->dirs, e->parent)->is_bad)
		return 0;
	dir_fd = hearth_dirs_get(&r->dirs, e->parent);
	if (dir_fd < 0)
		return refuse(r, b, e, "its directory cannot be opened", dir_fd);
	ret = e->kind == HEARTH_ENTRY_FILE ? plan_file(r, dir_fd, b, e, wanted)
					   : plan_other(r, dir_fd, b, e);
	hearth_dirs_put(&r->dirs, e->parent);
	return ret;
}

/* A sender may bring up only what it was asked for. */
static bool is_expected(struct hearth_receiver *r, const struct hearth_batch *b,
			const struct hearth_entry *e)
{
	if (!r->nr_expected || e->kind == HEARTH_ENTRY_ROOT ||
	    !hearth_dirs_at(&r->dirs, e->parent)->is_anchor)
		return true;
	for (uint32_t i = 0; i < r->nr_expected; i++)
		if (!strcmp(r->expected[i], hearth_entry_name(b, e)))
			return true;
	hearth_job_fail(r->job, HEARTH_EXIT_PROTOCOL,
			"the sender offers a file that was not asked for");
	return false;
}

static int plan_entry(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
		      struct hearth_ranges *wanted)
{
	if (!is_expected(r, b, e))
		return -ECANCELED;
	/* A single name at the destination stands for a single entry. */
	if (r->rename_to &&
	    (e->kind == HEARTH_ENTRY_DIR || (e->kind == HEARTH_ENTRY_ROOT && r->dirs.nr)))
		return -EPROTO;
	switch (e->kind) {
	case HEARTH_ENTRY_ROOT:
		return plan_root(r, e);
	case HEARTH_ENTRY_DIR:
		return plan_directory(r, b, e);
	default:
		return plan_in_directory(r, b, e, wanted);
	}
}

int hearth_plan_batch(struct hearth_receiver *r, struct hearth_batch *b)
{
	struct hearth_ranges wanted = { 0 };
	int ret = 0;

	b->left = 0;
	for (uint32_t i = 0; i < b->nr_entries && !ret; i++)
		ret = plan_entry(r, b, &b->entries[i], &wanted);
	pthread_mutex_lock(&r->lock);
	r->nr_left += b->left;
	pthread_mutex_unlock(&r->lock);
	b->is_answered = true;
	if (!ret)
		ret = hearth_table_add(&r->table, b, UINT64_MAX);
	if (ret) {
		hearth_batch_free(b);
	} else {
		hearth_table_settle(&r->table, b, 0);
		if (!r->is_eager)
			ret = hearth_control_send_want(r->wires->control, b->number, &wanted);
		hearth_table_put(&r->table, b);
	}
	hearth_ranges_exit(&wanted);
	return ret;
}
