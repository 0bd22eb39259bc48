// SPDX-License-Identifier: GPL-2.0-or-later
/* Where the copy goes: the directory that holds it, or the name that the one file gets. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../common/io.h"
#include "backup.h"
#include "lun_end.h"
#include "publish.h"
#include "recv.h"

static int fail_destination(struct hearth_receiver *r, const char *path, int err)
{
	hearth_job_fail(r->job, HEARTH_EXIT_PLACE, "%s: cannot be used as destination: %s", path,
			strerror(-err));
	return err;
}

/* 1 if nothing is in it, 0 if there is or nobody may know, or -errno. */
static int is_empty(int dir_fd)
{
	int fd = hearth_open_beneath(dir_fd, ".", O_RDONLY | O_DIRECTORY, 0), err;
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	int nr = 0;

	if (!stream) {
		err = fd < 0 ? fd : -errno;
		hearth_close(&fd);
		return err == -EACCES ? 0 : err;
	}
	errno = 0;
	while (nr <= 2 && readdir(stream))
		nr++;
	err = -errno;
	closedir(stream);
	return err ? err : nr <= 2;
}

static bool is_asking(const struct hearth_receiver *r)
{
	return r->is_dry || r->job->opt.flags & HEARTH_EXISTING || r->link_fd >= 0;
}

static int open_directory(struct hearth_receiver *r, const char *path, bool exists)
{
	bool is_made = false;
	int ret;

	if (r->is_dry && !exists) {
		r->is_root_virtual = true;
		return 0;
	}
	if (!exists) {
		int err = hearth_root_mkdir(r->job->base_fd, path);

		is_made = !err;
		if (err && err != -EEXIST)
			return fail_destination(r, path, err);
	}
	r->root_fd = hearth_root_open(r->job->base_fd, path);
	if (r->root_fd < 0)
		return fail_destination(r, path, r->root_fd);
	ret = is_made || is_asking(r) ? is_made : is_empty(r->root_fd);
	if (ret < 0)
		return fail_destination(r, path, ret);
	r->is_eager = ret && !is_asking(r);
	return 0;
}

/* The destination is the name that the one file is to have. */
static int open_parent(struct hearth_receiver *r, const char *path)
{
	const char *slash = strrchr(path, '/'), *parent;
	char copy[PATH_MAX];

	r->rename_to = strdup(slash ? slash + 1 : path);
	if (!r->rename_to)
		return -ENOMEM;
	if (strlen(path) >= sizeof(copy) ||
	    !hearth_name_is_valid(r->rename_to, strlen(r->rename_to)))
		return fail_destination(r, path, -EINVAL);
	snprintf(copy, sizeof(copy), "%s", path);
	parent = dirname(copy);
	r->root_fd = hearth_root_open(r->job->base_fd, parent);
	return r->root_fd < 0 ? fail_destination(r, path, r->root_fd)
			      : hearth_backup_open(r, parent);
}

/* A relative --link-dest starts at the destination, as with rsync. */
static int open_link_dest(struct hearth_receiver *r, const char *destination)
{
	const char *path = r->job->opt.link_dest;
	char full[2 * PATH_MAX];

	if (!path)
		return 0;
	snprintf(full, sizeof(full), "%s/%s", destination, path);
	r->link_fd = hearth_root_open(r->job->base_fd, *path == '/' ? path : full);
	if (r->link_fd >= 0)
		return 0;
	hearth_job_fail(r->job, HEARTH_EXIT_PLACE, "--link-dest=%s: cannot be opened: %s", path,
			strerror(-r->link_fd));
	return r->link_fd;
}

int hearth_plan_destination(struct hearth_receiver *r, bool is_single)
{
	const char *path = *r->destination ? r->destination : ".";
	size_t len = strlen(path);
	struct stat st;
	bool exists;
	int ret;

	if (r->publish)
		return hearth_publish_open(r, is_single);
	if (hearth_lun_end_is_meant(r))
		return hearth_lun_end_open(r, is_single);
	if (hearth_receiver_has_no_place(r)) {
		r->is_root_virtual = true;
		r->is_eager = true;
		if (is_single)
			return 0;
		hearth_job_fail(r->job, HEARTH_EXIT_PLACE,
				"only a single file can go to standard output");
		return -EINVAL;
	}
	ret = hearth_root_stat(r->job->base_fd, path, true, &st);
	if (ret && ret != -ENOENT && ret != -ENOTDIR)
		return fail_destination(r, path, ret);
	exists = !ret;
	if (exists && r->job->opt.bench)
		return fail_destination(r, path, -EEXIST);
	if (is_single && path[len - 1] != '/' && !(exists && S_ISDIR(st.st_mode)))
		return open_parent(r, path);
	if (exists && !S_ISDIR(st.st_mode))
		return fail_destination(r, path, -ENOTDIR);
	if (!exists && !r->is_dry && r->job->opt.link_dest &&
	    !hearth_root_mkdir(r->job->base_fd, path))
		exists = true;
	ret = open_link_dest(r, path);
	if (!ret)
		ret = open_directory(r, path, exists);
	return ret ? ret : hearth_backup_open(r, path);
}

void hearth_plan_remember(struct hearth_dir *dir, const struct hearth_batch *b,
			  const struct hearth_entry *e)
{
	dir->is_due = true;
	dir->mode = e->mode;
	dir->uid = e->uid;
	dir->gid = e->gid;
	dir->mtime_sec = e->mtime_sec;
	dir->mtime_nsec = e->mtime_nsec;
	if (!e->attrs_len)
		return;
	free(dir->attrs);
	dir->attrs = malloc(e->attrs_len);
	dir->attrs_len = dir->attrs ? e->attrs_len : 0;
	if (dir->attrs)
		memcpy(dir->attrs, hearth_entry_attrs(b, e), e->attrs_len);
}

static int add_root(struct hearth_receiver *r, struct stat *ret_st, struct hearth_dir **ret_dir)
{
	const char *name = r->rename_to ? "" : r->destination;
	int fd;

	if (r->is_root_virtual) {
		*ret_dir = hearth_dirs_add(&r->dirs, 0, name);
		if (!*ret_dir)
			return -ENOMEM;
		(*ret_dir)->is_anchor = true;
		return 0;
	}
	fd = fcntl(r->root_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || fstat(fd, ret_st)) {
		int err = fail_destination(r, name, -errno);

		hearth_close(&fd);
		return err;
	}
	*ret_dir = hearth_dirs_add_anchor(&r->dirs, fd, name);
	if (!*ret_dir)
		hearth_close(&fd);
	return *ret_dir ? 0 : -ENOMEM;
}

static int add_volume(struct hearth_receiver *r, int dir_fd, const char *name, dev_t device,
		      struct hearth_volume **ret)
{
	int err = hearth_volumes_add(&r->volumes, dir_fd, name, device,
				     r->job->opt.fsync == HEARTH_FSYNC_END, ret);

	return err ? fail_destination(r, name, err) : 0;
}

/* The first volume has the threads that run already; what can have none of its own shares them. */
static void add_queue(struct hearth_receiver *r, struct hearth_volume *v, bool is_first)
{
	uint32_t nr = r->nr_queues;
	char disk[32];

	v->has_queue = true;
	if (is_first || nr == HEARTH_MAX_DEVICES)
		return;
	snprintf(disk, sizeof(disk), "%u:%u", major(v->device), minor(v->device));
	if (!hearth_engine_add_device(&r->engine, nr, disk))
		return;
	v->queue = (uint8_t)nr;
	r->nr_queues = nr + 1;
}

/*
 * The directory is there and may be written to: so may be the file system that it is on. The sender
 * hears of it where another one than the parent's begins. 0 or -errno.
 */
int hearth_plan_volume(struct hearth_receiver *r, int dir_fd, const char *name,
		       const struct stat *st, struct hearth_dir *dir, uint64_t number)
{
	uint8_t inherited = dir->volume;
	struct hearth_volume *v;
	int ret = r->is_dry ? 0 : add_volume(r, dir_fd, name, st->st_dev, &v);

	if (ret || r->is_dry)
		return ret;
	if (v && !v->has_queue)
		add_queue(r, v, !number);
	dir->volume = v ? v->queue : 0;
	return dir->volume == inherited
		       ? 0
		       : hearth_control_send_volume(r->wires->control, number, dir->volume);
}

int hearth_plan_root(struct hearth_receiver *r, const struct hearth_batch *b,
		     const struct hearth_entry *e)
{
	bool is_meant = e->mode & 07777; /* the directory itself, not only what is in it */
	struct stat st = { 0 };
	struct hearth_volume *v;
	struct hearth_dir *dir = NULL;
	int ret = add_root(r, &st, &dir);

	if (!ret && !r->is_root_virtual)
		ret = hearth_plan_volume(r, r->root_fd, ".", &st, dir, e->dir_no);
	if (!ret && r->backup_fd >= 0)
		ret = add_volume(r, r->backup_fd, ".", r->backup_device, &v);
	if (ret)
		return ret;
	dir->is_virtual = r->is_root_virtual;
	dir->is_setgid = st.st_mode & S_ISGID;
	dir->is_listed = e->extras & HEARTH_EXTRA_LISTED;
	dir->key = 1;
	if (!is_meant || !(r->job->opt.flags & HEARTH_ATTRIBUTE_FLAGS))
		return 0;
	hearth_item(r, r->is_root_virtual ? 'c' : '.', b, e, r->is_root_virtual ? NULL : &st);
	if (!r->is_dry)
		hearth_plan_remember(dir, b, e);
	return 0;
}
