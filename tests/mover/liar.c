// SPDX-License-Identifier: GPL-2.0-or-later
/* A disk that keeps something else than it was given: preloaded, it inverts each first byte. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ssize_t lie(int fd, const void *buf, size_t len, off64_t offset)
{
	ssize_t (*honest)(int, const void *, size_t, off64_t) =
		(ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
	uint8_t *copy = malloc(len);
	ssize_t ret;

	memcpy(copy, buf, len);
	copy[0] ^= 0xff;
	ret = honest(fd, copy, len, offset);
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
