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
#include "recv.h"

static mode_t wanted_mode(const struct hearth_receiver *r, const struct hearth_entry *e)
{
	if (r->job->opt.flags & HEARTH_PERMS)
		return e->mode & 07777;
	return e->mode & 0777 & ~r->umask;
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

int hearth_place_create(struct hearth_receiver *r, int dir_fd, const char *temp,
			const struct hearth_entry *e)
{
	int flags = O_RDWR | O_CREAT | O_EXCL;
	int fd = hearth_open_beneath(dir_fd, temp, flags, creation_mode(r, e));

	if (fd != -EEXIST)
		return fd;
	/* Left over from an earlier run, or planted: never written to, always replaced. */
	if (unlinkat(dir_fd, temp, 0) && errno != ENOENT)
		return -errno;
	return hearth_open_beneath(dir_fd, temp, flags, creation_mode(r, e));
}

/* Owner and group; returns whether set-id bits may be kept. */
static bool place_owner(struct hearth_receiver *r, int fd, const struct hearth_entry *e,
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
	/* Without privilege a group one is no member of cannot be given: the copy keeps its own. */
	return false;
}

int hearth_place_attributes(struct hearth_receiver *r, int fd, const struct hearth_entry *e,
			    bool is_new)
{
	struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { e->mtime_sec, e->mtime_nsec } };
	mode_t mode = wanted_mode(r, e), made = creation_mode(r, e) & ~r->umask;
	bool keeps_ids = place_owner(r, fd, e, is_new && is_in_setgid(r, e), is_new);

	if (!keeps_ids && e->kind == HEARTH_ENTRY_FILE)
		mode &= 0777;
	if ((!is_new || mode != made) && fchmod(fd, mode))
		return -errno;
	if (r->job->opt.flags & HEARTH_TIMES && futimens(fd, times))
		return -errno;
	return 0;
}

int hearth_place_finish(struct hearth_receiver *r, int dir_fd, int fd, const char *temp,
			const char *name, const struct hearth_entry *e)
{
	int ret = hearth_place_attributes(r, fd, e, true);

	if (ret)
		return ret;
	if (r->job->opt.fsync == HEARTH_FSYNC_FILE && fsync(fd))
		return -errno;
	if (renameat(dir_fd, temp, dir_fd, name))
		return -errno;
	if (r->job->opt.fsync == HEARTH_FSYNC_FILE && fsync(dir_fd))
		return -errno;
	return 0;
}

static int place_in(struct hearth_receiver *r, int dir_fd, const char *name,
		    const struct hearth_entry *e, const void *data)
{
	char temp[HEARTH_TEMP_NAME_BYTES];
	int fd, ret;

	hearth_temp_name(temp, name);
	fd = hearth_place_create(r, dir_fd, temp, e);
	if (fd < 0)
		return fd;
	ret = hearth_pwrite_all(fd, data, e->size, 0);
	if (!ret)
		ret = hearth_place_finish(r, dir_fd, fd, temp, name, e);
	close(fd);
	if (ret)
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
	ret = place_in(r, dir_fd, hearth_receiver_name(r, b, e), e, data);
	hearth_dirs_put(&r->dirs, e->parent);
	return ret;
}

/*
 * What has no descriptor to work on, a symlink or a node, gets its attributes by its temporary
 * name.
 */
static int finish_by_name(struct hearth_receiver *r, int dir_fd, const char *temp, const char *name,
			  const struct hearth_entry *e)
{
	struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { e->mtime_sec, e->mtime_nsec } };
	uint32_t flags = r->job->opt.flags;
	uid_t uid = flags & HEARTH_OWNER && !r->euid ? e->uid : (uid_t)-1;
	gid_t gid = flags & HEARTH_GROUP ? e->gid : (gid_t)-1;
	int ret = 0;

	if ((uid != (uid_t)-1 || gid != (gid_t)-1) &&
	    fchownat(dir_fd, temp, uid, gid, AT_SYMLINK_NOFOLLOW) && !r->euid)
		ret = -errno;
	if (!ret && e->kind == HEARTH_ENTRY_SPECIAL && fchmodat(dir_fd, temp, wanted_mode(r, e), 0))
		ret = -errno;
	if (!ret && flags & HEARTH_TIMES && utimensat(dir_fd, temp, times, AT_SYMLINK_NOFOLLOW))
		ret = -errno;
	if (!ret && renameat(dir_fd, temp, dir_fd, name))
		ret = -errno;
	if (ret)
		unlinkat(dir_fd, temp, 0);
	return ret;
}

int hearth_place_symlink(struct hearth_receiver *r, int dir_fd, const char *name,
			 const char *target, const struct hearth_entry *e)
{
	char temp[HEARTH_TEMP_NAME_BYTES], present[HEARTH_TARGET_MAX + 1];
	ssize_t len = readlinkat(dir_fd, name, present, sizeof(present));

	if (len == (ssize_t)strlen(target) && !memcmp(present, target, (size_t)len))
		return 0;
	hearth_temp_name(temp, name);
	unlinkat(dir_fd, temp, 0);
	if (symlinkat(target, dir_fd, temp))
		return -errno;
	return finish_by_name(r, dir_fd, temp, name, e);
}

int hearth_place_special(struct hearth_receiver *r, int dir_fd, const char *name,
			 const struct hearth_entry *e)
{
	dev_t dev = makedev(e->rdev_major, e->rdev_minor);
	char temp[HEARTH_TEMP_NAME_BYTES];

	hearth_temp_name(temp, name);
	unlinkat(dir_fd, temp, 0);
	if (mknodat(dir_fd, temp, (e->mode & S_IFMT) | 0600, dev))
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
	};
}

/*
 * Deepest first: a child always has the higher number, and setting it changes nothing in a parent.
 *
 */
void hearth_place_directories(struct hearth_receiver *r)
{
	for (uint32_t i = r->dirs.nr; i-- > 0;) {
		struct hearth_dir *dir = r->dirs.v[i];
		struct hearth_entry e = entry_of_dir(dir);
		char path[HEARTH_PATH_MAX];
		int fd, ret;

		if (!dir->is_due || dir->is_bad)
			continue;
		fd = hearth_dirs_get(&r->dirs, i);
		ret = fd < 0 ? fd : hearth_place_attributes(r, fd, &e, false);
		if (fd >= 0)
			hearth_dirs_put(&r->dirs, i);
		if (ret)
			hearth_job_note(r->job, HEARTH_NOTE_ERROR,
					hearth_dirs_path(&r->dirs, i, "", path, sizeof(path)),
					"its attributes cannot be set: %s", strerror(-ret));
	}
}
