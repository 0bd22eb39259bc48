// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * LUNs on a machine without the module: preloaded, files in $HEARTH_NODES are the nodes of
 * /dev/hearth.
 *
 * What a node does and a file does not is here: it has a size that no write changes, takes only
 * whole blocks ($HEARTH_BLOCK), and knows HEARTH_IOC_*. Each call that changes something is noted
 * in $HEARTH_NODES/log. With $HEARTH_PUNCH=no punching is beyond the device. The real thing is
 * tested in guests.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <hearth.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NODES "/dev/hearth/"

typedef int (*open_call)(const char *path, int flags, ...);
typedef int (*ioctl_call)(int fd, unsigned long what, ...);
typedef ssize_t (*pwrite_call)(int fd, const void *buf, size_t len, off64_t offset);
typedef ssize_t (*pwritev_call)(int fd, const struct iovec *iov, int nr, off64_t offset);

static const char *root(void)
{
	const char *dir = getenv("HEARTH_NODES");

	return dir ? dir : "/nonexistent";
}

static uint32_t block_bytes(void)
{
	const char *text = getenv("HEARTH_BLOCK");

	return text ? (uint32_t)atoi(text) : 512;
}

/* True for a node, by where the file lies. */
static int is_node(int fd)
{
	char link[64], path[4096];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return 0;
	path[len] = '\0';
	return !strncmp(path, root(), strlen(root())) && path[strlen(root())] == '/';
}

static void note(const char *what, uint64_t offset, uint64_t len)
{
	open_call real = (open_call)dlsym(RTLD_NEXT, "open");
	char path[4096], line[128];
	int fd, n;

	snprintf(path, sizeof(path), "%s.log", root());
	fd = real(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
	n = snprintf(line, sizeof(line), "%s %llu %llu\n", what, (unsigned long long)offset,
		     (unsigned long long)len);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		abort();
	close(fd);
}

static int open_any(const char *path, int flags, mode_t mode)
{
	open_call real = (open_call)dlsym(RTLD_NEXT, "open");
	char other[4096];

	if (strncmp(path, NODES, strlen(NODES)))
		return real(path, flags, mode);
	snprintf(other, sizeof(other), "%s/%s", root(), path + strlen(NODES));
	return real(other, flags, mode);
}

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
	va_end(args);
	return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
	va_end(args);
	return open_any(path, flags, mode);
}

/* 0, or -1 for what a node does not take. */
static int check_write(int fd, size_t len, off64_t offset)
{
	struct stat st;

	note("write", (uint64_t)offset, len);
	errno = EINVAL;
	if (len % block_bytes() || (uint64_t)offset % block_bytes() || fstat(fd, &st))
		return -1;
	errno = ENOSPC;
	return offset >= st.st_size || (off64_t)len > st.st_size - offset ? -1 : 0;
}

static ssize_t write_any(int fd, const void *buf, size_t len, off64_t offset)
{
	pwrite_call real = (pwrite_call)dlsym(RTLD_NEXT, "pwrite64");

	return is_node(fd) && check_write(fd, len, offset) ? -1 : real(fd, buf, len, offset);
}

static ssize_t write_vector(int fd, const struct iovec *iov, int nr, off64_t offset)
{
	pwritev_call real = (pwritev_call)dlsym(RTLD_NEXT, "pwritev64");
	size_t len = 0;

	for (int i = 0; i < nr; i++)
		len += iov[i].iov_len;
	return is_node(fd) && check_write(fd, len, offset) ? -1 : real(fd, iov, nr, offset);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	return write_any(fd, buf, len, offset);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t offset)
{
	return write_any(fd, buf, len, offset);
}

ssize_t pwritev(int fd, const struct iovec *iov, int nr, off_t offset)
{
	return write_vector(fd, iov, nr, offset);
}

ssize_t pwritev64(int fd, const struct iovec *iov, int nr, off64_t offset)
{
	return write_vector(fd, iov, nr, offset);
}

static int tell_info(int fd, struct hearth_info *info)
{
	struct stat st;

	if (fstat(fd, &st))
		return -1;
	memset(info, 0, sizeof(*info));
	info->size_bytes = (uint64_t)st.st_size;
	info->block_bytes = block_bytes();
	return 0;
}

static int act(int fd, unsigned long what, struct hearth_range *range)
{
	const char *punches = getenv("HEARTH_PUNCH");
	struct stat st;

	errno = EINVAL;
	if (fstat(fd, &st) || range->offset % block_bytes() || range->len % block_bytes() ||
	    range->offset + range->len > (uint64_t)st.st_size)
		return -1;
	if (what == HEARTH_IOC_PUNCH && punches && !strcmp(punches, "no")) {
		errno = EOPNOTSUPP;
		return -1;
	}
	note(what == HEARTH_IOC_PUNCH  ? "punch"
	     : what == HEARTH_IOC_ZERO ? "zero"
	     : what == HEARTH_IOC_DROP ? "drop"
				       : "warm",
	     range->offset, range->len);
	range->done = range->len;
	if (what != HEARTH_IOC_PUNCH && what != HEARTH_IOC_ZERO)
		return 0;
	return fallocate(fd,
			 what == HEARTH_IOC_PUNCH ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
						  : FALLOC_FL_ZERO_RANGE,
			 (off_t)range->offset, (off_t)range->len);
}

int ioctl(int fd, unsigned long what, ...)
{
	ioctl_call real = (ioctl_call)dlsym(RTLD_NEXT, "ioctl");
	va_list args;
	void *arg;

	va_start(args, what);
	arg = va_arg(args, void *);
	va_end(args);
	if (_IOC_TYPE(what) != HEARTH_IOC_MAGIC || !is_node(fd))
		return real(fd, what, arg);
	return what == HEARTH_IOC_INFO ? tell_info(fd, arg) : act(fd, what, arg);
}
