// SPDX-License-Identifier: GPL-2.0-or-later
/* File system access that cannot leave a directory. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xxhash.h>

#include "confine.h"

int hearth_open_beneath(int dir_fd, const char *name, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned int)flags | O_CLOEXEC | O_NOFOLLOW,
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	do {
		fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd < 0 ? -errno : (int)fd;
}

int hearth_open_followed(int dir_fd, const char *name, int flags)
{
	int fd = openat(dir_fd, name, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int hearth_open_root(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void affixed_name(char buf[HEARTH_TEMP_NAME_BYTES], const char *name, const char *suffix)
{
	size_t len = strlen(name), room = HEARTH_TEMP_NAME_BYTES - 2 - strlen(suffix);

	if (len <= room)
		snprintf(buf, HEARTH_TEMP_NAME_BYTES, ".%s%s", name, suffix);
	else
		snprintf(buf, HEARTH_TEMP_NAME_BYTES, ".%.*s~%016llx%s", (int)room - 17, name,
			 (unsigned long long)XXH3_64bits(name, len), suffix);
}

void hearth_temp_name(char buf[HEARTH_TEMP_NAME_BYTES], const char *name)
{
	affixed_name(buf, name, ".hearth");
}

void hearth_journal_name(char buf[HEARTH_TEMP_NAME_BYTES], const char *name)
{
	affixed_name(buf, name, ".hearth-journal");
}
