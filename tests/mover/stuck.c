// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A disk that does not answer: preloaded, reads from and writes to the device of $STUCK wait for as
 * long as that file exists.
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void wait_for_disk(int fd)
{
	struct stat own, stuck;

	while (!fstat(fd, &own) && !stat(getenv("STUCK"), &stuck) && own.st_dev == stuck.st_dev)
		usleep(10000);
}

ssize_t pread64(int fd, void *buf, size_t len, off64_t offset)
{
	wait_for_disk(fd);
	return syscall(SYS_pread64, fd, buf, len, offset);
}

ssize_t pread(int fd, void *buf, size_t len, off_t offset)
{
	return pread64(fd, buf, len, offset);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t offset)
{
	wait_for_disk(fd);
	return syscall(SYS_pwrite64, fd, buf, len, offset);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	return pwrite64(fd, buf, len, offset);
}
