// SPDX-License-Identifier: GPL-2.0-or-later
/* --remove-source-files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine.h"
#include "removal.h"

void hearth_removal_init(struct hearth_removal *r)
{
	memset(r, 0, sizeof(*r));
	pthread_mutex_init(&r->lock, NULL);
}

void hearth_removal_exit(struct hearth_removal *r)
{
	for (size_t i = 0; i < r->nr; i++)
		free(r->v[i].name);
	free(r->v);
	pthread_mutex_destroy(&r->lock);
}

static int append(struct hearth_removal *r, const struct hearth_removable *one)
{
	if (r->nr == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 256;
		struct hearth_removable *grown = realloc(r->v, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		r->v = grown;
		r->cap = cap;
	}
	r->v[r->nr++] = *one;
	return 0;
}

int hearth_removal_add(struct hearth_removal *r, const struct hearth_job *job,
		       const struct hearth_batch *b, const char *name)
{
	const struct hearth_entry *e = &b->entries[b->nr_entries - 1];
	struct hearth_removable one = {
		.batch = b->number,
		.entry = b->nr_entries - 1,
		.size = e->size,
		.mtime_sec = e->mtime_sec,
		.mtime_nsec = e->mtime_nsec,
		.parent = e->parent,
	};
	int ret;

	if (!(job->opt.flags & HEARTH_REMOVE_SOURCE) || job->opt.flags & HEARTH_DRY_RUN ||
	    e->kind == HEARTH_ENTRY_ROOT || e->kind == HEARTH_ENTRY_DIR ||
	    e->kind == HEARTH_ENTRY_PRESENT)
		return 0;
	one.name = strdup(name);
	if (!one.name)
		return -ENOMEM;
	pthread_mutex_lock(&r->lock);
	ret = append(r, &one);
	pthread_mutex_unlock(&r->lock);
	if (ret)
		free(one.name);
	return ret;
}

static bool is_before(const struct hearth_removable *x, uint64_t batch, uint32_t entry)
{
	return x->batch < batch || (x->batch == batch && x->entry < entry);
}

int hearth_removal_keep(struct hearth_removal *r, uint64_t batch, uint32_t entry)
{
	size_t low = 0, high;
	int ret = -EPROTO;

	pthread_mutex_lock(&r->lock);
	high = r->nr;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (is_before(&r->v[mid], batch, entry))
			low = mid + 1;
		else
			high = mid;
	}
	if (low < r->nr && r->v[low].batch == batch && r->v[low].entry == entry) {
		r->v[low].is_kept = true;
		ret = 0;
	}
	pthread_mutex_unlock(&r->lock);
	return ret;
}

static bool is_unchanged(const struct hearth_removable *x, const struct stat *st)
{
	return !S_ISDIR(st->st_mode) && st->st_mtim.tv_sec == x->mtime_sec &&
	       (uint32_t)st->st_mtim.tv_nsec == x->mtime_nsec &&
	       (!S_ISREG(st->st_mode) || !x->size || (uint64_t)st->st_size == x->size);
}

static int remove_one(const struct hearth_removable *x, struct hearth_dirs *dirs)
{
	int dir_fd = hearth_dirs_get(dirs, x->parent), ret;
	struct stat st;

	if (dir_fd < 0)
		return dir_fd;
	ret = hearth_look_up(dir_fd, x->name, &st);
	if (ret > 0 && !is_unchanged(x, &st))
		ret = -ESTALE;
	else if (ret > 0)
		ret = unlinkat(dir_fd, x->name, 0) ? -errno : 0;
	hearth_dirs_put(dirs, x->parent);
	return ret;
}

void hearth_removal_run(struct hearth_removal *r, struct hearth_job *job, struct hearth_dirs *dirs)
{
	for (size_t i = 0; i < r->nr; i++) {
		const struct hearth_removable *x = &r->v[i];
		int err = x->is_kept ? 0 : remove_one(x, dirs);
		char path[HEARTH_PATH_MAX];

		if (!err)
			continue;
		hearth_dirs_path(dirs, x->parent, x->name, path, sizeof(path));
		if (err == -ESTALE)
			hearth_job_note(job, HEARTH_NOTE_WARNING, path,
					"changed since it was copied; not removed");
		else
			hearth_job_note(job, HEARTH_NOTE_ERROR, path, "cannot be removed: %s",
					strerror(-err));
	}
}
