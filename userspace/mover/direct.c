// SPDX-License-Identifier: GPL-2.0-or-later
/* --direct: large files past the page cache. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../common/io.h"
#include "direct.h"
#include "engine.h"

/* Smaller ones do the cache no harm. */
#define LARGE_BYTES (64ull << 20)

static bool is_aligned(uint64_t n)
{
	return !(n % HEARTH_DIRECT_ALIGN);
}

bool hearth_direct_is_meant(const struct hearth_job *job, bool is_split, uint64_t size)
{
	if (job->opt.direct == HEARTH_DIRECT_YES)
		return size >= job->opt.block_bytes;
	return job->opt.direct == HEARTH_DIRECT_AUTO && is_split && size >= LARGE_BYTES;
}

bool hearth_direct_is_on_disk(const struct hearth_job *job, int fd)
{
	char disk[32];
	struct stat st;

	if (job->opt.direct == HEARTH_DIRECT_YES)
		return true;
	if (fstat(fd, &st))
		return false;
	snprintf(disk, sizeof(disk), "%u:%u", major(st.st_dev), minor(st.st_dev));
	return hearth_numa_is_disk("", disk);
}

/* Of a file that one may neither write to nor owns, the kernel says that all of it is cached. */
static bool can_ask(int fd, const struct stat *st)
{
	return !geteuid() || st->st_uid == geteuid() ||
	       !faccessat(fd, "", W_OK, AT_EMPTY_PATH | AT_EACCESS);
}

/* Trying to read a page without waiting would tell, too, and have it read in. */
static bool is_page_cached(int fd, uint64_t offset)
{
	unsigned char is_there = 0;
	void *page = mmap(NULL, HEARTH_DIRECT_ALIGN, PROT_READ, MAP_SHARED, fd,
			  (off_t)(offset / HEARTH_DIRECT_ALIGN * HEARTH_DIRECT_ALIGN));

	if (page == MAP_FAILED)
		return false;
	mincore(page, HEARTH_DIRECT_ALIGN, &is_there);
	munmap(page, HEARTH_DIRECT_ALIGN);
	return is_there & 1;
}

static bool is_cached(int fd, uint64_t size)
{
	struct stat st;

	return !fstat(fd, &st) && can_ask(fd, &st) &&
	       (is_page_cached(fd, 0) || is_page_cached(fd, size / 2));
}

static int set_direct(int fd, bool is_on)
{
	int flags = fcntl(fd, F_GETFL);

	flags = is_on ? flags | O_DIRECT : flags & ~O_DIRECT;
	return fcntl(fd, F_SETFL, flags) ? -errno : 0;
}

void hearth_direct_refused(struct hearth_job *job, const char *name, int err)
{
	if (job->opt.direct != HEARTH_DIRECT_YES || atomic_exchange(&job->is_direct_refused, true))
		return;
	hearth_job_note(job, HEARTH_NOTE_WARNING, name,
			"--direct: its file system refuses O_DIRECT (%s); it goes through the page cache",
			strerror(-err));
}

bool hearth_direct_begin_read(struct hearth_job *job, bool is_split, int fd, uint64_t size)
{
	int err;

	if (!hearth_direct_is_meant(job, is_split, size) || !hearth_direct_is_on_disk(job, fd))
		return false;
	if (job->opt.direct == HEARTH_DIRECT_AUTO && is_cached(fd, size))
		return false;
	err = set_direct(fd, true);
	if (err)
		hearth_direct_refused(job, "", err);
	return !err;
}

/* The descriptor is this thread's own, so its mode can change between reads. */
static ssize_t read_cached(int fd, void *buf, size_t len, uint64_t offset)
{
	int err = set_direct(fd, false);
	ssize_t got = err ? err : hearth_pread_full(fd, buf, len, offset);

	set_direct(fd, true);
	return got;
}

ssize_t hearth_direct_read(int fd, void *buf, size_t len, size_t room, uint64_t offset)
{
	size_t whole = (len + HEARTH_DIRECT_ALIGN - 1) / HEARTH_DIRECT_ALIGN * HEARTH_DIRECT_ALIGN;
	ssize_t got;

	if (!is_aligned((uintptr_t)buf) || !is_aligned(offset) || whole > room)
		return read_cached(fd, buf, len, offset);
	do {
		got = pread(fd, buf, whole, (off_t)offset);
	} while (got < 0 && errno == EINTR);
	/* A disk of larger blocks than that, or a part of the file. */
	if (got < (ssize_t)len)
		return read_cached(fd, buf, len, offset);
	return (ssize_t)len;
}

int hearth_direct_write(int direct_fd, int fd, const void *data, size_t len, uint64_t offset)
{
	size_t whole = len / HEARTH_DIRECT_ALIGN * HEARTH_DIRECT_ALIGN;
	int ret = -EINVAL;

	if (whole && is_aligned((uintptr_t)data) && is_aligned(offset))
		ret = hearth_pwrite_all(direct_fd, data, whole, offset);
	if (ret == -EINVAL)
		return hearth_pwrite_all(fd, data, len, offset);
	if (!ret && whole < len)
		ret = hearth_pwrite_all(fd, (const char *)data + whole, len - whole,
					offset + whole);
	return ret;
}
