// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attributes, and the rename that makes a file appear.
 *
 * Order: data, owner, mode (a change of owner clears set-id bits), times, sync,
 * rename. Until the rename nothing is seen under the final name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../common/io.h"
#include "attrs.h"
#include "backup.h"
#include "recv.h"
#include "verify.h"

static mode_t wanted_mode(const struct hearth_receiver *r, const struct hearth_entry *e)
{
	if (r->job->opt.flags & HEARTH_PERMS)
		return e->mode & 07777;
	/* Set-id bits do not outlive the content that they were given to. */
	return e->keeps_mode ? e->mode & 0777 : e->mode & 0777 & ~r->umask;
}

/* Only root gives files away; others keep what they copy, as with cp and rsync. */
static bool may_differ_owner(const struct hearth_receiver *r, const struct hearth_entry *e)
{
	return r->job->opt.flags & HEARTH_OWNER && !r->euid && e->uid != r->euid;
}

static bool may_differ_group(const struct hearth_receiver *r, const struct hearth_entry *e,
			     bool is_setgid)
{
	return r->job->opt.flags & HEARTH_GROUP && (is_setgid || e->gid != r->egid);
}

static bool is_in_setgid(struct hearth_receiver *r, const struct hearth_entry *e)
{
	return hearth_dirs_at(&r->dirs, e->parent)->is_setgid;
}

/*
 * What openat() can set by itself: safe while the owner is yet to change. What may have to be
 * opened again, after a restart, is the owner's alone until it is whole.
 */
static mode_t creation_mode(struct hearth_receiver *r, const struct hearth_entry *e)
{
	mode_t mode = wanted_mode(r, e) & 0777;

	if (e->size > r->job->opt.block_bytes)
		return 0600;
	if (may_differ_owner(r, e) || may_differ_group(r, e, is_in_setgid(r, e)))
		mode &= 0700;
	return mode;
}

/* Where content is written to: a temporary name, or with --inplace the file itself. */
void hearth_place_work_name(const struct hearth_receiver *r, char buf[HEARTH_TEMP_NAME_BYTES],
			    const char *name)
{
	if (r->job->opt.flags & HEARTH_INPLACE)
		snprintf(buf, HEARTH_TEMP_NAME_BYTES, "%s", name);
	else
		hearth_temp_name(buf, name);
}

/* What is there and no regular file is replaced, never written to. */
static int open_in_place(struct hearth_receiver *r, int dir_fd, const char *name,
			 const struct hearth_entry *e)
{
	mode_t mode = wanted_mode(r, e) & 0777;
	int fd = hearth_open_beneath(dir_fd, name, O_RDWR | O_CREAT | O_NONBLOCK, mode);
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode))
		return fd;
	if (fd < 0 && fd != -ELOOP && fd != -ENXIO)
		return fd;
	hearth_close(&fd);
	if (unlinkat(dir_fd, name, 0))
		return -errno;
	return hearth_open_beneath(dir_fd, name, O_RDWR | O_CREAT | O_EXCL, mode);
}

int hearth_place_create(struct hearth_receiver *r, int dir_fd, const char *temp,
			const struct hearth_entry *e)
{
	int flags = O_RDWR | O_CREAT | O_EXCL, fd;

	if (r->job->opt.flags & HEARTH_INPLACE)
		return open_in_place(r, dir_fd, temp, e);
	fd = hearth_open_beneath(dir_fd, temp, flags, creation_mode(r, e));
	if (fd != -EEXIST)
		return fd;
	/* Left over from an earlier run, or planted: never written to, always replaced. */
	if (unlinkat(dir_fd, temp, 0) && errno != ENOENT)
		return -errno;
	return hearth_open_beneath(dir_fd, temp, flags, creation_mode(r, e));
}

bool hearth_place_keeps_owner(int err)
{
	return err == EPERM || err == EINVAL || err == EOPNOTSUPP;
}

/* Owner and group; returns whether set-id bits may be kept, or -errno. */
static int place_owner(struct hearth_receiver *r, int fd, const struct hearth_entry *e,
		       bool is_setgid, bool is_new)
{
	uid_t uid =
		may_differ_owner(r, e) || (!is_new && r->job->opt.flags & HEARTH_OWNER && !r->euid)
			? e->uid
			: (uid_t)-1;
	gid_t gid = may_differ_group(r, e, is_setgid || !is_new) ? e->gid : (gid_t)-1;

	if (uid == (uid_t)-1 && gid == (gid_t)-1)
		return e->uid == r->euid;
	if (!fchown(fd, uid, gid))
		return true;
	return hearth_place_keeps_owner(errno) ? false : -errno;
}

int hearth_place_attributes(struct hearth_receiver *r, int fd, const struct hearth_entry *e,
			    const void *attrs, bool is_new)
{
	struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { e->mtime_sec, e->mtime_nsec } };
	mode_t mode = wanted_mode(r, e), made = creation_mode(r, e) & ~r->umask;
	int keeps_ids = place_owner(r, fd, e, is_new && is_in_setgid(r, e), is_new);
	uint32_t flags = r->job->opt.flags;
	bool sets_mode = is_new ? mode != made : flags & HEARTH_PERMS;
	int ret = 0;

	if (keeps_ids < 0)
		return keeps_ids;
	if (flags & (HEARTH_ACLS | HEARTH_XATTRS)) {
		ret = hearth_attrs_write(fd, flags, attrs, e->attrs_len);
		sets_mode = true;
	}
	if (!keeps_ids && e->kind == HEARTH_ENTRY_FILE)
		mode &= 0777;
	if (!ret && sets_mode && fchmod(fd, mode))
		ret = -errno;
	if (!ret && flags & HEARTH_TIMES && futimens(fd, times))
		ret = -errno;
	return ret;
}

int hearth_place_rename(struct hearth_receiver *r, uint32_t dir, int dir_fd, const char *temp,
			const char *name)
{
	char path[HEARTH_PATH_MAX];
	int ret = 0;

	if (r->job->opt.flags & HEARTH_BACKUP)
		ret = hearth_backup_keep(r, dir_fd, name,
					 hearth_dirs_relative_path(&r->dirs, dir, name, path,
								   sizeof(path)),
					 false);
	if (!ret && renameat(dir_fd, temp, dir_fd, name))
		ret = -errno;
	return ret;
}

int hearth_place_finish(struct hearth_receiver *r, int dir_fd, int fd, const char *name,
			const struct hearth_batch *b, const struct hearth_entry *e)
{
	bool is_in_place = r->job->opt.flags & HEARTH_INPLACE;
	char temp[HEARTH_TEMP_NAME_BYTES];
	int ret;

	hearth_place_work_name(r, temp, name);
	if (is_in_place && !(e->extras & HEARTH_EXTRA_STREAM) && ftruncate(fd, (off_t)e->size))
		return -errno;
	ret = hearth_place_attributes(r, fd, e, hearth_entry_attrs(b, e), !is_in_place);
	if (ret)
		return ret;
	if (r->job->opt.fsync == HEARTH_FSYNC_FILE)
		ret = fsync(fd) ? -errno : 0;
	else
		ret = hearth_close_errors(fd);
	if (ret)
		return ret;
	if (!is_in_place)
		ret = hearth_place_rename(r, e->parent, dir_fd, temp, name);
	if (!ret && r->job->opt.fsync == HEARTH_FSYNC_FILE && fsync(dir_fd))
		ret = -errno;
	return ret;
}

static int place_in(struct hearth_receiver *r, int dir_fd, const struct hearth_batch *b,
		    const struct hearth_entry *e, const void *data)
{
	const char *name = hearth_receiver_name(r, b, e);
	char temp[HEARTH_TEMP_NAME_BYTES];
	int fd, ret;

	hearth_place_work_name(r, temp, name);
	fd = hearth_place_create(r, dir_fd, temp, e);
	if (fd < 0)
		return fd;
	ret = hearth_pwrite_all(fd, data, e->size, 0);
	if (!ret && r->job->opt.flags & HEARTH_VERIFY)
		ret = hearth_verify_range(fd, 0, e->size, data);
	if (!ret)
		ret = hearth_place_finish(r, dir_fd, fd, name, b, e);
	close(fd);
	if (ret && !(r->job->opt.flags & HEARTH_INPLACE))
		unlinkat(dir_fd, temp, 0);
	return ret;
}

int hearth_place_whole(struct hearth_receiver *r, const struct hearth_batch *b,
		       const struct hearth_entry *e, const void *data)
{
	int dir_fd = hearth_dirs_get(&r->dirs, e->parent);
	int ret;

	if (dir_fd < 0)
		return dir_fd;
	ret = place_in(r, dir_fd, b, e, data);
	hearth_dirs_put(&r->dirs, e->parent);
	return ret;
}

/* The node of that name and nothing that a symlink leads to. */
static int change_mode(int dir_fd, const char *name, mode_t mode)
{
	int fd = hearth_open_beneath(dir_fd, name, O_PATH, 0), ret = 0;
	char path[64];
	struct stat st;

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st))
		ret = -errno;
	else if (S_ISLNK(st.st_mode))
		ret = -ELOOP;
	else if (chmod(path, mode))
		ret = -errno;
	close(fd);
	return ret;
}

/* What has no descriptor to work on, a symlink or a node, gets its attributes by its name. */
int hearth_place_by_name(struct hearth_receiver *r, int dir_fd, const char *name,
			 const struct hearth_entry *e, bool is_new)
{
	bool sets_mode = e->kind == HEARTH_ENTRY_SPECIAL &&
			 (is_new || r->job->opt.flags & HEARTH_PERMS);
	struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { e->mtime_sec, e->mtime_nsec } };
	uint32_t flags = r->job->opt.flags;
	uid_t uid = flags & HEARTH_OWNER && !r->euid ? e->uid : (uid_t)-1;
	gid_t gid = flags & HEARTH_GROUP ? e->gid : (gid_t)-1;
	int ret = 0;

	if ((uid != (uid_t)-1 || gid != (gid_t)-1) &&
	    fchownat(dir_fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) &&
	    !hearth_place_keeps_owner(errno))
		return -errno;
	if (sets_mode)
		ret = change_mode(dir_fd, name, wanted_mode(r, e));
	if (ret)
		return ret;
	if (flags & HEARTH_TIMES && utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW))
		return -errno;
	return 0;
}

/* What was made under a temporary name gets its attributes and its own. */
static int finish_by_name(struct hearth_receiver *r, int dir_fd, const char *temp, const char *name,
			  const struct hearth_entry *e)
{
	int ret = hearth_place_by_name(r, dir_fd, temp, e, true);

	if (!ret)
		ret = hearth_place_rename(r, e->parent, dir_fd, temp, name);
	if (ret)
		unlinkat(dir_fd, temp, 0);
	return ret;
}

int hearth_place_symlink(struct hearth_receiver *r, int dir_fd, const char *name,
			 const char *target, const struct hearth_entry *e)
{
	char temp[HEARTH_TEMP_NAME_BYTES];

	hearth_temp_name(temp, name);
	if ((unlinkat(dir_fd, temp, 0) && errno != ENOENT) || symlinkat(target, dir_fd, temp))
		return -errno;
	return finish_by_name(r, dir_fd, temp, name, e);
}

int hearth_place_special(struct hearth_receiver *r, int dir_fd, const char *name,
			 const struct hearth_entry *e)
{
	dev_t dev = makedev(e->rdev_major, e->rdev_minor);
	char temp[HEARTH_TEMP_NAME_BYTES];

	hearth_temp_name(temp, name);
	if ((unlinkat(dir_fd, temp, 0) && errno != ENOENT) ||
	    mknodat(dir_fd, temp, (e->mode & S_IFMT) | 0600, dev))
		return -errno;
	return finish_by_name(r, dir_fd, temp, name, e);
}

static struct hearth_entry entry_of_dir(const struct hearth_dir *dir)
{
	return (struct hearth_entry){
		.kind = HEARTH_ENTRY_DIR,
		.mode = dir->mode,
		.uid = dir->uid,
		.gid = dir->gid,
		.mtime_sec = dir->mtime_sec,
		.mtime_nsec = dir->mtime_nsec,
		.parent = dir->parent,
		.attrs_len = dir->attrs_len,
	};
}

static int place_directory(struct hearth_receiver *r, uint32_t number, const struct hearth_dir *dir)
{
	struct hearth_entry e = entry_of_dir(dir);
	int fd = hearth_dirs_get(&r->dirs, number), ret = fd;

	if (fd < 0)
		return fd;
	ret = hearth_place_attributes(r, fd, &e, dir->attrs, false);
	/* It was made for its owner alone. */
	if (!ret && dir->is_made && !(r->job->opt.flags & HEARTH_PERMS) &&
	    fchmod(fd, wanted_mode(r, &e) | (dir->is_setgid ? S_ISGID : 0)))
		ret = -errno;
	hearth_dirs_put(&r->dirs, number);
	return ret;
}

/*
 * Deepest first: a child always has the higher number, and setting it changes nothing in a parent.
 *
 */
void hearth_place_directories(struct hearth_receiver *r)
{
	for (uint32_t i = r->dirs.nr; i-- > 0;) {
		struct hearth_dir *dir = r->dirs.v[i];
		char path[HEARTH_PATH_MAX];
		int ret;

		if (!dir->is_due || dir->is_bad)
			continue;
		ret = place_directory(r, i, dir);
		if (ret)
			hearth_job_note(r->job, HEARTH_NOTE_ERROR,
					hearth_dirs_path(&r->dirs, i, "", path, sizeof(path)),
					"its attributes cannot be set: %s", strerror(-ret));
	}
}
