// SPDX-License-Identifier: GPL-2.0-or-later
/* A disk that keeps something else than it was given: preloaded, it inverts each first byte. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static ssize_t lie(int fd, const void *buf, size_t len, off64_t offset)
{
	struct iovec iov = { malloc(len), len };
	uint8_t *copy = iov.iov_base;
	ssize_t ret;

	memcpy(copy, buf, len);
	copy[0] ^= 0xff;
	ret = pwritev(fd, &iov, 1, offset);
	free(copy);
	return ret;
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t offset)
{
	return lie(fd, buf, len, offset);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	return lie(fd, buf, len, offset);
}
