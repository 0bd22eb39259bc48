// SPDX-License-Identifier: GPL-2.0-or-later
/* File system access that cannot leave a directory. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

int hearth_look_up(int dir_fd, const char *name, struct stat *ret)
{
	if (!fstatat(dir_fd, name, ret, AT_SYMLINK_NOFOLLOW))
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

int hearth_open_followed(int dir_fd, const char *name, int flags)
{
	int fd = openat(dir_fd, name, flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Below the base, and through no symlink that leads out of it. */
static int open_in_base(int base_fd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned int)flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	while (*path == '/')
		path++;
	do {
		fd = syscall(SYS_openat2, base_fd, *path ? path : ".", &how, sizeof(how));
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN));
	return fd < 0 ? -errno : (int)fd;
}

int hearth_root_open(int base_fd, const char *path)
{
	int fd;

	if (base_fd >= 0)
		return open_in_base(base_fd, path, O_RDONLY | O_DIRECTORY);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int hearth_root_stat(int base_fd, const char *path, bool follows, struct stat *ret)
{
	int fd, err;

	if (base_fd < 0)
		return (follows ? stat(path, ret) : lstat(path, ret)) ? -errno : 0;
	fd = open_in_base(base_fd, path, O_PATH | (follows ? 0 : O_NOFOLLOW));
	if (fd < 0)
		return fd;
	err = fstat(fd, ret) ? -errno : 0;
	close(fd);
	return err;
}

int hearth_root_mkdir(int base_fd, const char *path)
{
	char parent[PATH_MAX];
	size_t len = strlen(path), at;
	int fd, ret;

	if (base_fd < 0)
		return mkdir(path, 0777) ? -errno : 0;
	while (len && path[len - 1] == '/')
		len--;
	for (at = len; at && path[at - 1] != '/'; at--)
		;
	if (len >= sizeof(parent))
		return -ENAMETOOLONG;
	snprintf(parent, sizeof(parent), "%.*s", (int)len, path);
	parent[at ? at - 1 : 0] = '\0';
	fd = open_in_base(base_fd, parent, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	snprintf(parent, sizeof(parent), "%.*s", (int)(len - at), path + at);
	ret = mkdirat(fd, parent, 0777) ? -errno : 0;
	close(fd);
	return ret;
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
