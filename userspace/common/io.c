// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole reads and writes on blocking descriptors, clocks and random bytes. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "io.h"

/* Skips @done bytes of the vector; returns how many entries are left. */
static int advance(struct iovec **iov, int nr, size_t done)
{
	while (nr && done >= (*iov)->iov_len) {
		done -= (*iov)->iov_len;
		(*iov)++;
		nr--;
	}
	if (nr) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + done;
		(*iov)->iov_len -= done;
	}
	return nr;
}

typedef ssize_t (*vector_call)(int fd, const struct iovec *iov, int nr);

static int transfer_all(int fd, struct iovec *iov, int nr, vector_call call, void (*again)(void *),
			void *ctx)
{
	nr = advance(&iov, nr, 0);
	while (nr) {
		ssize_t got = call(fd, iov, nr);

		if (!got)
			return -ENODATA;
		if (got < 0) {
			if (errno == EAGAIN && again)
				again(ctx);
			else if (errno != EINTR)
				return -errno;
			continue;
		}
		nr = advance(&iov, nr, (size_t)got);
	}
	return 0;
}

int hearth_readv_all(int fd, struct iovec *iov, int nr)
{
	return transfer_all(fd, iov, nr, readv, NULL, NULL);
}

int hearth_readv_patiently(int fd, struct iovec *iov, int nr, void (*again)(void *), void *ctx)
{
	return transfer_all(fd, iov, nr, readv, again, ctx);
}

int hearth_writev_all(int fd, struct iovec *iov, int nr)
{
	return transfer_all(fd, iov, nr, writev, NULL, NULL);
}

int hearth_read_all(int fd, void *buf, size_t len)
{
	struct iovec iov = { buf, len };

	return hearth_readv_all(fd, &iov, 1);
}

int hearth_write_all(int fd, const void *buf, size_t len)
{
	struct iovec iov = { (void *)buf, len };

	return hearth_writev_all(fd, &iov, 1);
}

int hearth_pwrite_all(int fd, const void *buf, size_t len, uint64_t offset)
{
	const char *p = buf;

	while (len) {
		ssize_t got = pwrite(fd, p, len, (off_t)offset);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += got;
		len -= (size_t)got;
		offset += (uint64_t)got;
	}
	return 0;
}

ssize_t hearth_pread_full(int fd, void *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t got = pread(fd, (char *)buf + done, len - done, (off_t)(offset + done));

		if (!got)
			break;
		if (got < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		done += (size_t)got;
	}
	return (ssize_t)done;
}

static int wait_for_pipe(int fd, short events, int cancel_fd)
{
	struct pollfd fds[] = { { .fd = fd, .events = events },
				{ .fd = cancel_fd, .events = POLLIN } };

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return -errno;
	return fds[1].revents ? -ECANCELED : 0;
}

ssize_t hearth_pipe_read(int fd, void *buf, size_t len, int cancel_fd)
{
	size_t done = 0;

	while (done < len) {
		int err = wait_for_pipe(fd, POLLIN, cancel_fd);
		ssize_t got = err ? err : read(fd, (char *)buf + done, len - done);

		if (err)
			return err;
		if (!got)
			break;
		if (got < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return -errno;
		}
		done += (size_t)got;
	}
	return (ssize_t)done;
}

/* A pipe that is ready takes PIPE_BUF bytes without making its writer wait. */
int hearth_pipe_write(int fd, const void *buf, size_t len, int cancel_fd)
{
	const char *p = buf;

	while (len) {
		int err = wait_for_pipe(fd, POLLOUT, cancel_fd);
		ssize_t got = err ? err : write(fd, p, len < PIPE_BUF ? len : PIPE_BUF);

		if (err)
			return err;
		if (got < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return -errno;
		}
		p += got;
		len -= (size_t)got;
	}
	return 0;
}

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t hearth_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t hearth_cpu_ns(void)
{
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t hearth_peak_kib(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long kib = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %llu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

int hearth_random_bytes(void *buf, size_t len)
{
	char *p = buf;

	while (len) {
		ssize_t got = getrandom(p, len, 0);

		if (got < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += got;
		len -= (size_t)got;
	}
	return 0;
}

int hearth_close_errors(int fd)
{
	int twin = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return twin < 0 || close(twin) ? -errno : 0;
}

void hearth_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
