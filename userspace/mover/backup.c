// SPDX-License-Identifier: GPL-2.0-or-later
/* --backup: what is replaced or deleted is kept, under another name or in another directory. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/io.h"
#include "attrs.h"
#include "backup.h"

#define COPY_BYTES (1u << 20)

/* In a directory of their own, backups keep their names unless a suffix was asked for. */
static const char *suffix_of(const struct hearth_receiver *r)
{
	if (r->job->opt.suffix)
		return r->job->opt.suffix;
	return r->job->opt.backup_dir ? "" : "~";
}

/* Makes every directory of the path that is missing. The last error, or 0. */
static int make_path(const struct hearth_receiver *r, char *path)
{
	for (char *slash = path; (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		hearth_root_mkdir(r->job->base_fd, path);
		*slash = '/';
	}
	return hearth_root_mkdir(r->job->base_fd, path);
}

int hearth_backup_open(struct hearth_receiver *r, const char *destination)
{
	const char *path = r->job->opt.backup_dir;
	char full[2 * PATH_MAX];
	struct stat st;
	int ret;

	if (!path || r->is_dry)
		return 0;
	snprintf(full, sizeof(full), "%s%s%s", *path == '/' ? "" : destination,
		 *path == '/' ? "" : "/", path);
	ret = make_path(r, full);
	if (!ret || ret == -EEXIST) {
		r->backup_fd = hearth_root_open(r->job->base_fd, full);
		ret = r->backup_fd < 0 ? r->backup_fd : 0;
		if (!ret && fstat(r->backup_fd, &st))
			ret = -errno;
	}
	if (ret)
		hearth_job_fail(r->job, HEARTH_EXIT_PLACE, "--backup-dir=%s: cannot be used: %s",
				path, strerror(-ret));
	if (!ret) {
		r->backup_device = st.st_dev;
		r->backup_inode = st.st_ino;
	}
	return ret;
}

bool hearth_backup_is_one(const struct hearth_receiver *r, const char *name, const struct stat *st)
{
	const char *suffix = suffix_of(r);
	size_t len = strlen(name), tail = strlen(suffix);

	if (!(r->job->opt.flags & HEARTH_BACKUP))
		return false;
	if (r->job->opt.backup_dir)
		return r->backup_fd >= 0 && r->backup_device == st->st_dev &&
		       r->backup_inode == st->st_ino;
	return len > tail && !strcmp(name + len - tail, suffix);
}

static int copy_owner_and_mode(int to, const struct stat *st)
{
	bool is_given = !fchown(to, st->st_uid, st->st_gid);

	if (!is_given && !hearth_place_keeps_owner(errno))
		return -errno;
	return fchmod(to, st->st_mode & (is_given ? 07777 : 0777)) ? -errno : 0;
}

/* One level down at both ends: the directory of backups gets the mode of the other. */
static int descend(int *here, int *there, const char *name)
{
	int below = hearth_open_beneath(*there, name, O_RDONLY | O_DIRECTORY, 0), twin, ret = 0;
	bool is_made = below == -ENOENT && !mkdirat(*there, name, 0700);
	struct stat st;

	if (below == -ENOENT)
		below = hearth_open_beneath(*there, name, O_RDONLY | O_DIRECTORY, 0);
	if (below < 0)
		return below;
	twin = hearth_open_beneath(*here, name, O_RDONLY | O_DIRECTORY, 0);
	if (twin < 0)
		ret = twin;
	else if (is_made)
		ret = fstat(twin, &st) ? -errno : copy_owner_and_mode(below, &st);
	if (ret) {
		hearth_close(&twin);
		hearth_close(&below);
		return ret;
	}
	hearth_close(here);
	hearth_close(there);
	*here = twin;
	*there = below;
	return 0;
}

/* The directory below --backup-dir that stands for that of @path; a descriptor or -errno. */
static int open_beside(const struct hearth_receiver *r, const char *path)
{
	int here = fcntl(r->root_fd, F_DUPFD_CLOEXEC, 0), ret = 0;
	int there = fcntl(r->backup_fd, F_DUPFD_CLOEXEC, 0);
	char *copy = strdup(path), *at = copy, *slash;

	if (!copy || here < 0 || there < 0)
		ret = -ENOMEM;
	else if (strlen(path) == HEARTH_PATH_MAX - 1) /* and more, which did not fit */
		ret = -ENAMETOOLONG;
	for (; !ret && (slash = strchr(at, '/')); at = slash + 1) {
		*slash = '\0';
		ret = descend(&here, &there, at);
	}
	free(copy);
	hearth_close(&here);
	if (ret)
		hearth_close(&there);
	return ret ? ret : there;
}

static int copy_content(int from, int to, uint64_t size)
{
	void *buf = malloc(COPY_BYTES);
	int ret = buf ? 0 : -ENOMEM;

	for (uint64_t at = 0; !ret && at < size;) {
		ssize_t got = hearth_pread_full(from, buf, COPY_BYTES, at);

		if (got <= 0)
			ret = got ? (int)got : -ENODATA;
		else
			ret = hearth_pwrite_all(to, buf, (size_t)got, at);
		at += got > 0 ? (uint64_t)got : 0;
	}
	free(buf);
	return ret;
}

static int copy_attributes(int from, int to, const struct stat *st)
{
	const uint32_t flags = HEARTH_ACLS | HEARTH_XATTRS;
	struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, st->st_mtim };
	void *buf = malloc(HEARTH_ATTRS_MAX);
	ssize_t len = buf ? hearth_attrs_read(from, flags, buf, HEARTH_ATTRS_MAX) : -ENOMEM;
	int ret = copy_owner_and_mode(to, st);

	/* Where the other file system has none of these, content and mode are what matters. */
	if (len > 0)
		hearth_attrs_write(to, flags, buf, (size_t)len);
	free(buf);
	if (!ret && futimens(to, times))
		ret = -errno;
	return ret;
}

/* A regular file onto another file system, under a temporary name until it is whole. */
static int copy_file(int dir_fd, const char *name, int to_fd, const char *to, const struct stat *st)
{
	char temp[HEARTH_TEMP_NAME_BYTES];
	int from = hearth_open_beneath(dir_fd, name, O_RDONLY | O_NONBLOCK, 0), copy, ret;

	if (from < 0)
		return from;
	hearth_temp_name(temp, to);
	ret = unlinkat(to_fd, temp, 0) && errno != ENOENT ? -errno : 0;
	copy = ret ? ret : hearth_open_beneath(to_fd, temp, O_WRONLY | O_CREAT | O_EXCL, 0600);
	ret = copy < 0 ? copy : copy_content(from, copy, (uint64_t)st->st_size);
	if (!ret)
		ret = copy_attributes(from, copy, st);
	if (!ret)
		ret = hearth_close_errors(copy);
	if (!ret && renameat(to_fd, temp, to_fd, to))
		ret = -errno;
	if (ret && copy >= 0)
		unlinkat(to_fd, temp, 0);
	hearth_close(&copy);
	hearth_close(&from);
	return ret;
}

static int copy_other(int dir_fd, const char *name, int to_fd, const char *to,
		      const struct stat *st)
{
	struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, st->st_mtim };
	char target[PATH_MAX];
	ssize_t len;

	if (S_ISLNK(st->st_mode)) {
		len = readlinkat(dir_fd, name, target, sizeof(target) - 1);
		if (len < 0)
			return -errno;
		target[len] = '\0';
		if (symlinkat(target, to_fd, to))
			return -errno;
	} else if (mknodat(to_fd, to, st->st_mode, st->st_rdev)) {
		return -errno;
	}
	if (fchownat(to_fd, to, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) && !geteuid())
		return -errno;
	return utimensat(to_fd, to, times, AT_SYMLINK_NOFOLLOW) ? -errno : 0;
}

/* True if another name cannot be had, though the file may be moved or copied. */
static bool cannot_link(int err)
{
	return err == -EPERM || err == -EMLINK || err == -EOPNOTSUPP;
}

static int keep_as(int dir_fd, const char *name, int to_fd, const char *to, const struct stat *st,
		   bool moves)
{
	int ret = 0;

	if (unlinkat(to_fd, to, 0) && errno != ENOENT)
		return -errno;
	if (!moves) {
		ret = linkat(dir_fd, name, to_fd, to, 0) ? -errno : 0;
		moves = cannot_link(ret);
	}
	if (moves)
		ret = renameat(dir_fd, name, to_fd, to) ? -errno : 0;
	if (ret != -EXDEV)
		return ret;
	ret = S_ISREG(st->st_mode) ? copy_file(dir_fd, name, to_fd, to, st)
				   : copy_other(dir_fd, name, to_fd, to, st);
	if (!ret && moves && unlinkat(dir_fd, name, 0))
		ret = -errno;
	return ret;
}

int hearth_backup_keep(struct hearth_receiver *r, int dir_fd, const char *name, const char *path,
		       bool moves)
{
	char backup[2 * HEARTH_NAME_MAX + 2];
	struct stat st;
	int to_fd, ret;

	ret = hearth_look_up(dir_fd, name, &st);
	if (ret <= 0 || S_ISDIR(st.st_mode))
		return ret < 0 ? ret : 0;
	snprintf(backup, sizeof(backup), "%s%s", name, suffix_of(r));
	if (!r->job->opt.backup_dir)
		return keep_as(dir_fd, name, dir_fd, backup, &st, moves);
	to_fd = open_beside(r, path);
	if (to_fd < 0)
		return to_fd;
	ret = keep_as(dir_fd, name, to_fd, backup, &st, moves);
	hearth_close(&to_fd);
	return ret;
}
