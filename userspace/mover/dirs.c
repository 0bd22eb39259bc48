// SPDX-License-Identifier: GPL-2.0-or-later
/* The directories of a job, by number, with a bounded set of open descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "../common/io.h"
#include "confine.h"
#include "dirs.h"

/* Partial files, streams and the other end of a local copy need descriptors, too. */
#define PARTS_OF_LIMIT 8

/*
 * The scan is far ahead of the threads that read, and the plan of those that write: a directory
 * that was closed between is opened twice.
 */
static uint32_t choose_max_open(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) ||
	    limit.rlim_cur < PARTS_OF_LIMIT * HEARTH_LEAST_OPEN_DIRS)
		return HEARTH_LEAST_OPEN_DIRS;
	if (limit.rlim_cur > PARTS_OF_LIMIT * HEARTH_MOST_OPEN_DIRS)
		return HEARTH_MOST_OPEN_DIRS;
	return (uint32_t)limit.rlim_cur / PARTS_OF_LIMIT;
}

void hearth_dirs_init(struct hearth_dirs *d)
{
	memset(d, 0, sizeof(*d));
	d->max_open = choose_max_open();
	pthread_mutex_init(&d->lock, NULL);
}

void hearth_dirs_exit(struct hearth_dirs *d)
{
	for (uint32_t i = 0; i < d->nr; i++) {
		hearth_close(&d->v[i]->fd);
		free(d->v[i]->name);
		free(d->v[i]->attrs);
		free(d->v[i]);
	}
	free(d->v);
	pthread_mutex_destroy(&d->lock);
}

static int make_room(struct hearth_dirs *d)
{
	uint32_t cap = d->cap ? d->cap * 2 : 64;
	struct hearth_dir **grown;

	if (d->nr < d->cap)
		return 0;
	grown = realloc(d->v, cap * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	d->v = grown;
	d->cap = cap;
	return 0;
}

static struct hearth_dir *append(struct hearth_dirs *d, uint32_t parent, int fd, const char *name)
{
	struct hearth_dir *dir = calloc(1, sizeof(*dir));
	char *copy = strdup(name);

	pthread_mutex_lock(&d->lock);
	if (!dir || !copy || make_room(d)) {
		free(dir);
		free(copy);
		dir = NULL;
	} else {
		dir->name = copy;
		dir->parent = parent;
		dir->fd = fd;
		dir->is_anchor = fd >= 0;
		d->v[d->nr++] = dir;
	}
	pthread_mutex_unlock(&d->lock);
	return dir;
}

struct hearth_dir *hearth_dirs_add_anchor(struct hearth_dirs *d, int fd, const char *name)
{
	return append(d, 0, fd, name);
}

struct hearth_dir *hearth_dirs_add(struct hearth_dirs *d, uint32_t parent, const char *name)
{
	return append(d, parent, -1, name);
}

struct hearth_dir *hearth_dirs_at(struct hearth_dirs *d, uint32_t number)
{
	struct hearth_dir *dir;

	pthread_mutex_lock(&d->lock);
	dir = d->v[number];
	pthread_mutex_unlock(&d->lock);
	return dir;
}

bool hearth_dirs_set_volume(struct hearth_dirs *d, uint64_t number, uint8_t volume)
{
	bool exists;

	pthread_mutex_lock(&d->lock);
	exists = number < d->nr;
	if (exists) {
		d->v[number]->has_volume = true;
		d->v[number]->volume = volume;
	}
	pthread_mutex_unlock(&d->lock);
	return exists;
}

uint8_t hearth_dirs_volume(struct hearth_dirs *d, uint32_t number)
{
	const struct hearth_dir *dir;
	uint8_t volume;

	pthread_mutex_lock(&d->lock);
	dir = d->v[number];
	while (!dir->has_volume && !dir->is_anchor)
		dir = d->v[dir->parent];
	volume = dir->volume;
	pthread_mutex_unlock(&d->lock);
	return volume;
}

static void unlink_idle(struct hearth_dirs *d, struct hearth_dir *dir)
{
	*(dir->older ? &dir->older->newer : &d->oldest) = dir->newer;
	*(dir->newer ? &dir->newer->older : &d->newest) = dir->older;
	dir->older = NULL;
	dir->newer = NULL;
}

static void link_idle(struct hearth_dirs *d, struct hearth_dir *dir)
{
	dir->older = d->newest;
	*(d->newest ? &d->newest->newer : &d->oldest) = dir;
	d->newest = dir;
}

static void close_idle(struct hearth_dirs *d)
{
	while (d->nr_open > d->max_open && d->oldest) {
		struct hearth_dir *dir = d->oldest;

		unlink_idle(d, dir);
		hearth_close(&dir->fd);
		d->nr_open--;
	}
}

/* Takes a reference if the directory is open. */
static bool try_get_locked(struct hearth_dirs *d, struct hearth_dir *dir)
{
	if (dir->fd < 0)
		return false;
	if (!dir->refs++ && !dir->is_anchor)
		unlink_idle(d, dir);
	return true;
}

static int open_dir(struct hearth_dirs *d, struct hearth_dir *dir)
{
	int parent_fd = hearth_dirs_get(d, dir->parent);
	int fd;

	if (parent_fd < 0)
		return parent_fd;
	if (dir->is_followed)
		fd = hearth_open_followed(parent_fd, dir->name, O_RDONLY | O_DIRECTORY);
	else
		fd = hearth_open_beneath(parent_fd, dir->name, O_RDONLY | O_DIRECTORY, 0);
	hearth_dirs_put(d, dir->parent);
	if (fd < 0)
		return fd;
	pthread_mutex_lock(&d->lock);
	if (try_get_locked(d, dir)) { /* another thread was faster */
		hearth_close(&fd);
	} else {
		dir->fd = fd;
		dir->refs = 1;
		d->nr_open++;
		close_idle(d);
	}
	fd = dir->fd;
	pthread_mutex_unlock(&d->lock);
	return fd;
}

int hearth_dirs_get(struct hearth_dirs *d, uint32_t number)
{
	struct hearth_dir *dir;
	bool is_open;

	pthread_mutex_lock(&d->lock);
	dir = d->v[number];
	is_open = try_get_locked(d, dir);
	pthread_mutex_unlock(&d->lock);
	return is_open ? dir->fd : open_dir(d, dir);
}

void hearth_dirs_put(struct hearth_dirs *d, uint32_t number)
{
	struct hearth_dir *dir;

	pthread_mutex_lock(&d->lock);
	dir = d->v[number];
	if (!--dir->refs && !dir->is_anchor) {
		link_idle(d, dir);
		close_idle(d);
	}
	pthread_mutex_unlock(&d->lock);
}

/* Prepends @part and, if something follows, a slash; false once the buffer is full. */
static bool prepend(char *buf, size_t *at, const char *part, bool is_last)
{
	size_t len = strlen(part);

	if (!len)
		return true;
	if (*at < len + 1) {
		/* What does not fit loses its front, and so fills the buffer. */
		memcpy(buf, part + len - *at, *at);
		*at = 0;
		return false;
	}
	if (!is_last && part[len - 1] != '/')
		buf[--*at] = '/';
	*at -= len;
	memcpy(buf + *at, part, len);
	return true;
}

static char *write_path(struct hearth_dirs *d, uint32_t number, const char *name, char *buf,
			size_t len, bool has_anchor)
{
	size_t at = len - 1;

	buf[at] = '\0';
	prepend(buf, &at, name, true);
	pthread_mutex_lock(&d->lock);
	while (number < d->nr) {
		struct hearth_dir *dir = d->v[number];

		if (dir->is_anchor && !has_anchor)
			break;
		if (!prepend(buf, &at, dir->name, at == len - 1) || dir->is_anchor)
			break;
		number = dir->parent;
	}
	pthread_mutex_unlock(&d->lock);
	memmove(buf, buf + at, len - at);
	return buf;
}

char *hearth_dirs_path(struct hearth_dirs *d, uint32_t number, const char *name, char *buf,
		       size_t len)
{
	return write_path(d, number, name, buf, len, true);
}

char *hearth_dirs_relative_path(struct hearth_dirs *d, uint32_t number, const char *name, char *buf,
				size_t len)
{
	return write_path(d, number, name, buf, len, false);
}
