// SPDX-License-Identifier: GPL-2.0-or-later
/* Where a published image goes. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/io.h"
#include "confine.h"
#include "erofs.h"
#include "publish_target.h"

#define BLOCK_BYTES HEARTH_EROFS_BLOCK_BYTES
#define ZEROS_BYTES (64u << 10)

static const uint8_t zeros[ZEROS_BYTES];

static int refuse(char *text, size_t size, const char *path, const char *why, int err)
{
	snprintf(text, size, "%s: %s", path, why ? why : strerror(-err));
	return err;
}

static int open_lun(struct hearth_target *t, const char *path, bool anyway, char *text, size_t size)
{
	unsigned int how = HEARTH_LUN_WRITE | (anyway ? HEARTH_LUN_ANYWAY : 0);
	int ret = hearth_lun_open(&t->lun, path, how, text, size);

	if (ret)
		return ret;
	t->is_lun = true;
	t->fd = t->lun.fd;
	t->base = t->lun.start;
	t->limit = t->lun.len;
	return 0;
}

/* Splits the path into a directory, which is opened, and a name in it. */
static int open_parent(struct hearth_target *t, int base_fd, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char copy[PATH_MAX];

	if (strlen(path) >= sizeof(copy))
		return -ENAMETOOLONG;
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EISDIR;
	snprintf(copy, sizeof(copy), "%s", path);
	t->name = strdup(name);
	t->dir_fd = hearth_root_open(base_fd, dirname(copy));
	if (t->dir_fd < 0)
		return t->dir_fd;
	return t->name ? 0 : -ENOMEM;
}

static int open_device(struct hearth_target *t, int base_fd, const char *path)
{
	int flags = O_RDWR | O_EXCL | O_CLOEXEC, ret = 0;

	if (base_fd < 0) {
		t->fd = open(path, flags);
		t->fd = t->fd < 0 ? -errno : t->fd;
	} else {
		ret = open_parent(t, base_fd, path);
		if (!ret)
			t->fd = hearth_open_beneath(t->dir_fd, t->name, flags, 0);
	}
	if (ret || t->fd < 0)
		return ret ? ret : t->fd;
	free(t->name);
	t->name = NULL;
	return ioctl(t->fd, BLKGETSIZE64, &t->limit) ? -errno : 0;
}

/*
 * An image under the temporary name is somebody's who writes it, or nobody's: then it is removed,
 * never written to.
 */
static int clear_way(int dir_fd, const char *temp)
{
	int fd = hearth_open_beneath(dir_fd, temp, O_RDONLY | O_NONBLOCK, 0), ret = 0;

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB))
		ret = -EBUSY;
	if (!ret && unlinkat(dir_fd, temp, 0) && errno != ENOENT)
		ret = -errno;
	hearth_close(&fd);
	return ret;
}

static int create_file(struct hearth_target *t, int base_fd, const char *path)
{
	char temp[HEARTH_TEMP_NAME_BYTES];
	int ret = open_parent(t, base_fd, path);

	if (ret)
		return ret;
	hearth_temp_name(temp, t->name);
	ret = clear_way(t->dir_fd, temp);
	if (ret)
		return ret;
	t->fd = hearth_open_beneath(t->dir_fd, temp, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (t->fd < 0)
		return t->fd == -EEXIST ? -EBUSY : t->fd;
	if (flock(t->fd, LOCK_EX | LOCK_NB))
		return -EBUSY;
	t->is_new = true;
	t->limit = HEARTH_EROFS_MAX_BYTES;
	return 0;
}

int hearth_target_open(struct hearth_target *t, int base_fd, const char *path, bool anyway,
		       char *text, size_t size)
{
	struct stat st = { .st_mode = S_IFREG };
	int ret;

	memset(t, 0, sizeof(*t));
	t->fd = -1;
	t->dir_fd = -1;
	pthread_mutex_init(&t->write_lock, NULL);
	pthread_mutex_init(&t->edge_lock, NULL);
	/* What a daemon gives away of a directory has no LUNs in it. */
	if (base_fd < 0 && hearth_lun_is_meant(path))
		return open_lun(t, path, anyway, text, size);
	ret = hearth_root_stat(base_fd, path, true, &st);
	if (ret && ret != -ENOENT)
		return refuse(text, size, path, NULL, ret);
	if (S_ISBLK(st.st_mode))
		ret = open_device(t, base_fd, path);
	else if (S_ISREG(st.st_mode))
		ret = create_file(t, base_fd, path);
	else
		return refuse(text, size, path,
			      "an image goes to a file, a block device or a LUN, and this is neither",
			      -EINVAL);
	if (ret == -EBUSY)
		return refuse(text, size, path,
			      "is in use: mounted, or being published to by another job", ret);
	return ret ? refuse(text, size, path, NULL, ret) : 0;
}

int hearth_target_write(struct hearth_target *t, struct iovec *iov, int nr, uint64_t offset)
{
	uint64_t end = offset;
	ssize_t done = 0;
	int ret = 0;

	for (int i = 0; i < nr; i++)
		end += iov[i].iov_len;
	if (end > t->limit)
		return -ENOSPC;
	if (t->is_new)
		pthread_mutex_lock(&t->write_lock);
	while (!ret && nr) {
		done = pwritev(t->fd, iov, nr, (off_t)(t->base + offset));
		if (done < 0 && errno != EINTR)
			ret = -errno;
		else if (!done)
			ret = -ENOSPC;
		offset += done > 0 ? (uint64_t)done : 0;
		for (; nr && done >= (ssize_t)iov->iov_len; iov++, nr--)
			done -= (ssize_t)iov->iov_len;
		if (nr && done > 0) {
			iov->iov_base = (uint8_t *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	if (t->is_new)
		pthread_mutex_unlock(&t->write_lock);
	return ret;
}

/* Zeros in whole blocks. A new file has them already. */
static int clear(struct hearth_target *t, uint64_t len, uint64_t offset)
{
	int ret = 0;

	if (t->is_new)
		return 0;
	if (t->is_lun)
		return hearth_lun_clear(&t->lun, len, offset);
	while (!ret && len) {
		uint64_t part = len < ZEROS_BYTES ? len : ZEROS_BYTES;
		struct iovec iov = { (void *)zeros, part };

		ret = hearth_target_write(t, &iov, 1, offset);
		offset += part;
		len -= part;
	}
	return ret;
}

/* Changes a part of one block. */
static int patch(struct hearth_target *t, const void *data, uint64_t len, uint64_t offset)
{
	uint64_t past = offset % BLOCK_BYTES;
	uint8_t block[BLOCK_BYTES];
	struct iovec iov = { block, sizeof(block) };
	ssize_t got;
	int ret;

	pthread_mutex_lock(&t->edge_lock);
	got = hearth_pread_full(t->fd, block, sizeof(block), t->base + offset - past);
	ret = got < 0 ? (int)got : 0;
	if (!ret) {
		memset(block + got, 0, sizeof(block) - (size_t)got);
		memcpy(block + past, data, len);
		ret = hearth_target_write(t, &iov, 1, offset - past);
	}
	pthread_mutex_unlock(&t->edge_lock);
	return ret;
}

/* What begins with a block: whole blocks, then what is left. */
static int put_aligned(struct hearth_target *t, const uint8_t *data, uint64_t len, uint64_t offset)
{
	uint64_t tail = len % BLOCK_BYTES;
	struct iovec iov = { (void *)data, len - tail };
	int ret = 0;

	if (len > tail)
		ret = data ? hearth_target_write(t, &iov, 1, offset) : clear(t, len - tail, offset);
	if (!ret && tail)
		ret = patch(t, data ? data + len - tail : zeros, tail, offset + len - tail);
	return ret;
}

int hearth_target_put(struct hearth_target *t, const void *data, uint64_t len, uint64_t pad,
		      uint64_t offset)
{
	uint64_t past = offset % BLOCK_BYTES, head = past ? BLOCK_BYTES - past : 0;
	struct iovec iov[] = { { (void *)data, len }, { (void *)zeros, pad } };
	int ret = 0;

	if (data && !past && !((len + pad) % BLOCK_BYTES) && pad <= ZEROS_BYTES)
		return hearth_target_write(t, iov, pad ? 2 : 1, offset);
	head = head < len ? head : len;
	if (head)
		ret = patch(t, data ? data : zeros, head, offset);
	if (!ret)
		ret = put_aligned(t, data ? (const uint8_t *)data + head : NULL, len - head,
				  offset + head);
	if (!ret && pad)
		ret = hearth_target_put(t, NULL, pad, 0, offset + len);
	return ret;
}

int hearth_target_sync(struct hearth_target *t)
{
	return fsync(t->fd) ? -errno : 0;
}

int hearth_target_begin(struct hearth_target *t)
{
	struct iovec iov = { (void *)zeros, BLOCK_BYTES };
	int ret;

	if (t->is_new)
		return 0;
	ret = hearth_target_write(t, &iov, 1, 0);
	return ret ? ret : hearth_target_sync(t);
}

/* As any new file would have it; one that is replaced hands its own on. */
static int final_mode(const struct hearth_target *t, mode_t umask, mode_t *ret_mode)
{
	struct stat st;
	int found = hearth_look_up(t->dir_fd, t->name, &st);

	*ret_mode = found > 0 && S_ISREG(st.st_mode) ? st.st_mode & 0777 : 0666 & ~umask;
	return found < 0 ? found : 0;
}

int hearth_target_finish(struct hearth_target *t, mode_t umask)
{
	char temp[HEARTH_TEMP_NAME_BYTES];
	struct stat own, there;
	mode_t mode;
	int ret;

	if (!t->name)
		return 0;
	hearth_temp_name(temp, t->name);
	if (fstat(t->fd, &own) || fstatat(t->dir_fd, temp, &there, AT_SYMLINK_NOFOLLOW) ||
	    own.st_ino != there.st_ino || own.st_dev != there.st_dev)
		return -ESTALE;
	ret = final_mode(t, umask, &mode);
	if (ret)
		return ret;
	if (fchmod(t->fd, mode) || renameat(t->dir_fd, temp, t->dir_fd, t->name))
		return -errno;
	free(t->name);
	t->name = NULL;
	return fsync(t->dir_fd) ? -errno : 0;
}

void hearth_target_close(struct hearth_target *t)
{
	char temp[HEARTH_TEMP_NAME_BYTES];

	if (t->name && t->is_new) {
		hearth_temp_name(temp, t->name);
		unlinkat(t->dir_fd, temp, 0);
	}
	if (t->is_lun)
		hearth_lun_close(&t->lun);
	else
		hearth_close(&t->fd);
	hearth_close(&t->dir_fd);
	free(t->name);
	pthread_mutex_destroy(&t->write_lock);
	pthread_mutex_destroy(&t->edge_lock);
}
