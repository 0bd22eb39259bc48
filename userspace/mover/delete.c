// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * --delete: removes what the source does not have.
 *
 * It runs after everything is stored, and only if the index was complete and
 * without errors and no source was empty: an unmounted disk looks like an empty
 * directory. Which names the source has is known by the hashes of their paths.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../common/io.h"
#include "backup.h"
#include "filter.h"
#include "recv.h"

#define MAX_DEPTH 1000

struct deletion {
	struct hearth_receiver *r;
	struct hearth_seen swept; /* directories that are done: two sources may share one */
	uint64_t nr_kept;
};

void hearth_delete_saw(struct hearth_receiver *r, const struct hearth_entry *e, const char *name)
{
	bool is_source_itself;

	if (!(r->job->opt.flags & HEARTH_DELETE))
		return;
	if (e->kind == HEARTH_ENTRY_ROOT) {
		r->has_empty_source |= r->is_source_empty;
		r->is_source_empty = true;
		r->source_root = r->dirs.nr;
		return;
	}
	is_source_itself = e->parent == r->source_root && e->kind == HEARTH_ENTRY_DIR &&
			   !hearth_dirs_at(&r->dirs, e->parent)->is_listed;
	if (!is_source_itself)
		r->is_source_empty = false;
	/* Without memory for the name there is no telling what the source has. */
	if (hearth_seen_add(&r->seen,
			    hearth_seen_key(hearth_dirs_at(&r->dirs, e->parent)->key, name)))
		r->had_scan_errors = true;
}

static bool ends_with(const char *name, const char *suffix)
{
	size_t len = strlen(name), tail = strlen(suffix);

	return len > tail && !strcmp(name + len - tail, suffix);
}

/* Part of a file that is still to be finished, by the same command run again. */
static bool is_unfinished(struct deletion *d, uint64_t dir_key, const char *name)
{
	static const char *const suffixes[] = { ".hearth", ".hearth-journal" };

	for (size_t i = 0; *name == '.' && i < 2; i++) {
		char base[HEARTH_NAME_MAX + 1];

		if (!ends_with(name, suffixes[i]))
			continue;
		snprintf(base, sizeof(base), "%.*s", (int)(strlen(name) - 1 - strlen(suffixes[i])),
			 name + 1);
		if (strchr(base, '~') ||
		    hearth_seen_has(&d->r->seen, hearth_seen_key(dir_key, base)))
			return true;
	}
	return false;
}

static bool is_protected(struct deletion *d, const char *path, const char *name,
			 const struct stat *st)
{
	const struct hearth_job *job = d->r->job;

	if (hearth_backup_is_one(d->r, name, st))
		return true;
	return !(job->opt.flags & HEARTH_DELETE_EXCLUDED) && job->filter &&
	       hearth_filter_excludes(job->filter, path, S_ISDIR(st->st_mode));
}

static void note_failure(struct deletion *d, const char *path, const char *what, int err)
{
	hearth_job_note(d->r->job, HEARTH_NOTE_ERROR, path, "%s: %s", what, strerror(-err));
}

static int unlink_one(struct deletion *d, int dir_fd, const char *name, const char *path,
		      bool is_dir)
{
	if (d->r->is_dry)
		return 0;
	if (is_dir || !(d->r->job->opt.flags & HEARTH_BACKUP))
		return unlinkat(dir_fd, name, is_dir ? AT_REMOVEDIR : 0) ? -errno : 0;
	return hearth_backup_keep(d->r, dir_fd, name, path, true);
}

/* True if it is gone, or would be in a dry run. */
static bool delete_one(struct deletion *d, int dir_fd, const char *name, const char *path,
		       bool is_dir)
{
	struct hearth_receiver *r = d->r;
	int err;

	if (r->job->count.files_deleted >= r->job->opt.max_delete) {
		d->nr_kept++;
		return false;
	}
	err = unlink_one(d, dir_fd, name, path, is_dir);
	if (err) {
		note_failure(d, path, "cannot be deleted", err);
		return false;
	}
	r->job->count.files_deleted++;
	hearth_item_deleted(r, path, is_dir);
	return true;
}

static bool delete_tree(struct deletion *d, int dir_fd, const char *name, char *path, int depth);

/* What is in a directory that is to go; true if nothing of it is left. */
static bool delete_content(struct deletion *d, int dir_fd, const char *name, char *path, int depth)
{
	int fd = depth > MAX_DEPTH ? -ELOOP
				   : hearth_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	bool is_empty = true;
	struct dirent *entry;
	size_t len = strlen(path);

	if (!stream) {
		note_failure(d, path, "cannot be deleted", fd < 0 ? fd : -errno);
		hearth_close(&fd);
		return false;
	}
	for (errno = 0; (entry = readdir(stream)); errno = 0) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (len + 1 + strlen(entry->d_name) >= HEARTH_PATH_MAX) {
			is_empty = false;
			continue;
		}
		path[len] = '/';
		strcpy(path + len + 1, entry->d_name);
		is_empty &= delete_tree(d, fd, entry->d_name, path, depth + 1);
		path[len] = '\0';
	}
	if (errno) {
		note_failure(d, path, "cannot be deleted", -errno);
		is_empty = false;
	}
	closedir(stream);
	return is_empty;
}

static bool delete_tree(struct deletion *d, int dir_fd, const char *name, char *path, int depth)
{
	struct stat st;
	int found = hearth_look_up(dir_fd, name, &st);
	bool is_dir;

	if (found < 0)
		note_failure(d, path, "cannot be deleted", found);
	if (found <= 0)
		return !found;
	is_dir = S_ISDIR(st.st_mode);
	if (is_protected(d, path, name, &st))
		return false;
	if (is_dir && !delete_content(d, dir_fd, name, path, depth))
		return false;
	return delete_one(d, dir_fd, name, path, is_dir);
}

static void sweep(struct deletion *d, uint32_t number)
{
	struct hearth_dirs *dirs = &d->r->dirs;
	const struct hearth_dir *dir = hearth_dirs_at(dirs, number);
	int dir_fd = hearth_dirs_get(dirs, number);
	int fd = dir_fd < 0 ? dir_fd : hearth_open_beneath(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	int err = stream ? 0 : -errno;
	char path[HEARTH_PATH_MAX];
	struct dirent *entry;

	if (fd < 0)
		err = fd;
	for (errno = 0; stream && (entry = readdir(stream)); errno = 0) {
		const char *name = entry->d_name;

		if (!strcmp(name, ".") || !strcmp(name, "..") ||
		    hearth_seen_has(&d->r->seen, hearth_seen_key(dir->key, name)) ||
		    is_unfinished(d, dir->key, name))
			continue;
		hearth_dirs_relative_path(dirs, number, name, path, sizeof(path));
		delete_tree(d, dir_fd, name, path, 0);
	}
	if (stream && errno)
		err = -errno;
	if (err)
		note_failure(d, hearth_dirs_relative_path(dirs, number, "", path, sizeof(path)),
			     "what the source does not have cannot be looked for in it", err);
	if (stream)
		closedir(stream);
	else
		hearth_close(&fd);
	if (dir_fd >= 0)
		hearth_dirs_put(dirs, number);
}

static const char *why_not(const struct hearth_receiver *r)
{
	if (r->had_scan_errors)
		return "nothing is deleted, because not all of the source could be read";
	if (r->has_empty_source && !(r->job->opt.flags & HEARTH_FORCE))
		return "nothing is deleted: a source is empty: is it mounted? else give --force";
	return NULL;
}

void hearth_delete_extraneous(struct hearth_receiver *r)
{
	struct deletion d = { .r = r };
	const char *reason = why_not(r);

	if (r->is_root_virtual || r->rename_to)
		return;
	if (reason) {
		hearth_job_note(r->job, HEARTH_NOTE_KEPT, "", "%s", reason);
		return;
	}
	for (uint32_t i = 0; i < r->dirs.nr && !r->is_cancelled; i++) {
		const struct hearth_dir *dir = hearth_dirs_at(&r->dirs, i);

		if (!dir->is_listed || dir->is_bad || dir->is_virtual || dir->is_made ||
		    hearth_seen_has(&d.swept, dir->key))
			continue;
		if (!hearth_seen_add(&d.swept, dir->key))
			sweep(&d, i);
	}
	if (d.nr_kept)
		hearth_job_note(r->job, HEARTH_NOTE_KEPT, "",
				"--max-delete=%llu: %llu more that the source does not have are kept",
				(unsigned long long)r->job->opt.max_delete,
				(unsigned long long)d.nr_kept);
	hearth_seen_exit(&d.swept);
}
