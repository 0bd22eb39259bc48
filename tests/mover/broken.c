// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into a program: its nth call about a file or directory fails as on a broken disk, or
 * all from the nth on (nth.h).
 */
#include "nth.h"

#include <dirent.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#define BROKEN NTH_FAILS(EIO)

/* Pipes and sockets are not on a disk. */
static bool on_disk(int fd)
{
	struct stat st;

	return !syscall(SYS_fstat, fd, &st) &&
	       (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode));
}

/* reading */

ssize_t read(int fd, void *buf, size_t len)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(read)(fd, buf, len);
}

ssize_t pread64(int fd, void *buf, size_t len, off64_t at)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(pread64)(fd, buf, len, at);
}

ssize_t sendfile64(int to, int from, off64_t *at, size_t len)
{
	return on_disk(from) && BROKEN ? -1 : NTH_NEXT(sendfile64)(to, from, at, len);
}

off64_t lseek64(int fd, off64_t at, int whence)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(lseek64)(fd, at, whence);
}

DIR *opendir(const char *name)
{
	return BROKEN ? NULL : NTH_NEXT(opendir)(name);
}

DIR *fdopendir(int fd)
{
	return BROKEN ? NULL : NTH_NEXT(fdopendir)(fd);
}

struct dirent64 *readdir64(DIR *dir)
{
	return BROKEN ? NULL : NTH_NEXT(readdir64)(dir);
}

int fstat64(int fd, struct stat64 *st)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(fstat64)(fd, st);
}

int fstatat64(int fd, const char *name, struct stat64 *st, int flags)
{
	return BROKEN ? -1 : NTH_NEXT(fstatat64)(fd, name, st, flags);
}

int stat64(const char *name, struct stat64 *st)
{
	return BROKEN ? -1 : NTH_NEXT(stat64)(name, st);
}

int lstat64(const char *name, struct stat64 *st)
{
	return BROKEN ? -1 : NTH_NEXT(lstat64)(name, st);
}

ssize_t readlinkat(int fd, const char *name, char *buf, size_t len)
{
	return BROKEN ? -1 : NTH_NEXT(readlinkat)(fd, name, buf, len);
}

ssize_t flistxattr(int fd, char *list, size_t len)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(flistxattr)(fd, list, len);
}

ssize_t fgetxattr(int fd, const char *name, void *value, size_t len)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(fgetxattr)(fd, name, value, len);
}

/* writing */

ssize_t write(int fd, const void *buf, size_t len)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(write)(fd, buf, len);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t at)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(pwrite64)(fd, buf, len, at);
}

ssize_t pwritev64(int fd, const struct iovec *iov, int nr, off64_t at)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(pwritev64)(fd, iov, nr, at);
}

int ftruncate64(int fd, off64_t len)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(ftruncate64)(fd, len);
}

int fallocate64(int fd, int mode, off64_t at, off64_t len)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(fallocate64)(fd, mode, at, len);
}

int fsync(int fd)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(fdatasync)(fd);
}

int syncfs(int fd)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(syncfs)(fd);
}

/* names and attributes */

int mkdirat(int fd, const char *name, mode_t mode)
{
	return BROKEN ? -1 : NTH_NEXT(mkdirat)(fd, name, mode);
}

int mknodat(int fd, const char *name, mode_t mode, dev_t dev)
{
	return BROKEN ? -1 : NTH_NEXT(mknodat)(fd, name, mode, dev);
}

int symlinkat(const char *text, int fd, const char *name)
{
	return BROKEN ? -1 : NTH_NEXT(symlinkat)(text, fd, name);
}

int linkat(int from, const char *old, int to, const char *name, int flags)
{
	return BROKEN ? -1 : NTH_NEXT(linkat)(from, old, to, name, flags);
}

int renameat(int from, const char *old, int to, const char *name)
{
	return BROKEN ? -1 : NTH_NEXT(renameat)(from, old, to, name);
}

int unlinkat(int fd, const char *name, int flags)
{
	return BROKEN ? -1 : NTH_NEXT(unlinkat)(fd, name, flags);
}

int chmod(const char *name, mode_t mode)
{
	return BROKEN ? -1 : NTH_NEXT(chmod)(name, mode);
}

int fchmod(int fd, mode_t mode)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(fchmod)(fd, mode);
}

int fchown(int fd, uid_t uid, gid_t gid)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(fchown)(fd, uid, gid);
}

int fchownat(int fd, const char *name, uid_t uid, gid_t gid, int flags)
{
	return BROKEN ? -1 : NTH_NEXT(fchownat)(fd, name, uid, gid, flags);
}

int futimens(int fd, const struct timespec times[2])
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(futimens)(fd, times);
}

int utimensat(int fd, const char *name, const struct timespec times[2], int flags)
{
	return BROKEN ? -1 : NTH_NEXT(utimensat)(fd, name, times, flags);
}

int fsetxattr(int fd, const char *name, const void *value, size_t len, int flags)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(fsetxattr)(fd, name, value, len, flags);
}

int fremovexattr(int fd, const char *name)
{
	return on_disk(fd) && BROKEN ? -1 : NTH_NEXT(fremovexattr)(fd, name);
}

/* The last duplicate of a descriptor to write to a file. */
static atomic_int twin = -1;

int fcntl64(int fd, int cmd, ...)
{
	__builtin_va_list args;
	long word;
	int ret;

	__builtin_va_start(args, cmd);
	word = __builtin_va_arg(args, long);
	__builtin_va_end(args);
	ret = NTH_NEXT(fcntl64)(fd, cmd, word);
	if (cmd == F_DUPFD_CLOEXEC && ret >= 0 && on_disk(ret) &&
	    NTH_NEXT(fcntl64)(ret, F_GETFL) & (O_WRONLY | O_RDWR))
		twin = ret;
	return ret;
}

/*
 * Closing takes place, and reports what could not be written before.  Who closes such a duplicate
 * asks for just that.
 */
int close(int fd)
{
	const char *name = fd == twin ? "flush" : "close";
	bool is_file = on_disk(fd);
	int ret;

	twin = fd == twin ? -1 : twin;
	ret = NTH_NEXT(close)(fd);
	return is_file && nth_fails(__builtin_return_address(0), name, EIO) ? -1 : ret;
}

/* openat2() has no other function. */
long syscall(long number, ...)
{
	__builtin_va_list args;
	long word[6];
	int i;

	__builtin_va_start(args, number);
	for (i = 0; i < 6; i++)
		word[i] = __builtin_va_arg(args, long);
	__builtin_va_end(args);
	if (number == SYS_openat2 &&
	    nth_fails(__builtin_return_address(0), "openat2", EIO))
		return -1;
	return NTH_NEXT(syscall)(number, word[0], word[1], word[2], word[3], word[4], word[5]);
}

/* Opening has a mode only if something is made. */
int openat64(int fd, const char *name, int flags, ...)
{
	__builtin_va_list args;
	mode_t mode = 0;

	if (flags & (O_CREAT | __O_TMPFILE)) {
		__builtin_va_start(args, flags);
		mode = __builtin_va_arg(args, mode_t);
		__builtin_va_end(args);
	}
	return BROKEN ? -1 : NTH_NEXT(openat64)(fd, name, flags, mode);
}
