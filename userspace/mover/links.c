// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hard links: further names of files that the job brought, made once all files
 * are whole, and names of files that --link-dest has already.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/io.h"
#include "recv.h"

static int make_room(struct hearth_receiver *r)
{
	size_t cap = r->cap_links ? 2 * r->cap_links : 64;
	struct hearth_link *grown;

	if (r->nr_links < r->cap_links)
		return 0;
	grown = realloc(r->links, cap * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	r->links = grown;
	r->cap_links = cap;
	return 0;
}

static int stat_in(struct hearth_receiver *r, uint32_t dir, const char *name, struct stat *ret)
{
	int fd = hearth_dirs_at(&r->dirs, dir)->is_virtual ? -ENOENT
							   : hearth_dirs_get(&r->dirs, dir);
	int err;

	if (fd < 0)
		return fd;
	err = fstatat(fd, name, ret, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
	hearth_dirs_put(&r->dirs, dir);
	return err;
}

/* True if both names are one file already. */
static bool is_linked(struct hearth_receiver *r, const struct hearth_batch *b,
		      const struct hearth_entry *e)
{
	struct stat here, there;

	return !stat_in(r, e->parent, hearth_receiver_name(r, b, e), &here) &&
	       !stat_in(r, e->link_parent, hearth_entry_target(b, e), &there) &&
	       here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

int hearth_links_add(struct hearth_receiver *r, const struct hearth_batch *b,
		     const struct hearth_entry *e)
{
	struct hearth_link link = { .parent = e->parent, .target_parent = e->link_parent };
	int ret;

	if (r->is_dry) {
		if (!is_linked(r, b, e))
			hearth_item(r, 'h', b, e, NULL);
		return 0;
	}
	ret = make_room(r);
	if (ret)
		return ret;
	link.name = strdup(hearth_receiver_name(r, b, e));
	link.target = strdup(hearth_entry_target(b, e));
	if (!link.name || !link.target) {
		free(link.name);
		free(link.target);
		return -ENOMEM;
	}
	r->links[r->nr_links++] = link;
	return 0;
}

/* 0 if both names are one file now; *ret_made if they were not before. */
static int link_names(struct hearth_receiver *r, int target_fd, const char *target, uint32_t dir,
		      int dir_fd, const char *name, bool *ret_made)
{
	char temp[HEARTH_TEMP_NAME_BYTES];
	struct stat there, here;
	int found;

	*ret_made = false;
	if (fstatat(target_fd, target, &there, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (!S_ISREG(there.st_mode))
		return -EINVAL;
	found = hearth_look_up(dir_fd, name, &here);
	if (found < 0)
		return found;
	if (found) {
		if (S_ISDIR(here.st_mode))
			return -EISDIR;
		if (here.st_ino == there.st_ino && here.st_dev == there.st_dev)
			return 0;
	}
	hearth_temp_name(temp, name);
	if (unlinkat(dir_fd, temp, 0) && errno != ENOENT)
		return -errno;
	if (linkat(target_fd, target, dir_fd, temp, 0))
		return -errno;
	*ret_made = true;
	return hearth_place_rename(r, dir, dir_fd, temp, name);
}

static const char *relative_path(struct hearth_receiver *r, const struct hearth_link *l, char *buf,
				 size_t size)
{
	return hearth_dirs_relative_path(&r->dirs, l->parent, l->name, buf, size);
}

static void make_link(struct hearth_receiver *r, const struct hearth_link *l)
{
	int target_fd = hearth_dirs_get(&r->dirs, l->target_parent), dir_fd = -1, ret = target_fd;
	char path[HEARTH_PATH_MAX];
	bool is_made;

	if (ret >= 0) {
		dir_fd = hearth_dirs_get(&r->dirs, l->parent);
		ret = dir_fd;
	}
	if (ret >= 0)
		ret = link_names(r, target_fd, l->target, l->parent, dir_fd, l->name, &is_made);
	if (target_fd >= 0)
		hearth_dirs_put(&r->dirs, l->target_parent);
	if (dir_fd >= 0)
		hearth_dirs_put(&r->dirs, l->parent);
	if (ret < 0)
		hearth_job_note(r->job, HEARTH_NOTE_ERROR,
				hearth_dirs_path(&r->dirs, l->parent, l->name, path, sizeof(path)),
				"cannot be linked to %s: %s", l->target, strerror(-ret));
	else if (is_made && r->job->opt.flags & HEARTH_ITEMIZE)
		hearth_job_note(r->job, HEARTH_NOTE_ITEM, relative_path(r, l, path, sizeof(path)),
				"hf+++++++++");
}

void hearth_links_make(struct hearth_receiver *r)
{
	for (size_t i = 0; i < r->nr_links && !r->is_cancelled; i++)
		make_link(r, &r->links[i]);
}

void hearth_links_exit(struct hearth_receiver *r)
{
	for (size_t i = 0; i < r->nr_links; i++) {
		free(r->links[i].name);
		free(r->links[i].target);
	}
	free(r->links);
}

/* The directory below --link-dest that stands for the entry's own; a descriptor or -errno. */
static int open_twin(struct hearth_receiver *r, uint32_t dir)
{
	char path[HEARTH_PATH_MAX];

	hearth_dirs_relative_path(&r->dirs, dir, "", path, sizeof(path));
	if (strlen(path) == sizeof(path) - 1)
		return -ENAMETOOLONG;
	return hearth_open_beneath(r->link_fd, *path ? path : ".", O_RDONLY | O_DIRECTORY, 0);
}

bool hearth_links_find_same(struct hearth_receiver *r, int dir_fd, const struct hearth_batch *b,
			    const struct hearth_entry *e)
{
	const char *name = hearth_receiver_name(r, b, e);
	bool is_same, is_made;
	struct stat st;
	int twin_fd, fd;

	if (r->link_fd < 0)
		return false;
	twin_fd = open_twin(r, e->parent);
	if (twin_fd < 0)
		return false;
	fd = hearth_open_beneath(twin_fd, name, O_RDONLY | O_NONBLOCK, 0);
	is_same = fd >= 0 && !fstat(fd, &st) && hearth_compare_is_same(r, twin_fd, name, e, &st) &&
		  hearth_compare_attributes(r, fd, b, e, &st);
	if (is_same && !r->is_dry)
		is_same = !link_names(r, twin_fd, name, e->parent, dir_fd, name, &is_made);
	if (is_same)
		hearth_item(r, 'h', b, e, NULL);
	hearth_close(&fd);
	hearth_close(&twin_fd);
	return is_same;
}
