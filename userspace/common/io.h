/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole reads and writes on blocking descriptors, clocks and random bytes. */
#ifndef HEARTH_IO_H
#define HEARTH_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* All return 0 or -errno; a file or stream that ends early is -ENODATA. */
int hearth_read_all(int fd, void *buf, size_t len);
int hearth_write_all(int fd, const void *buf, size_t len);
int hearth_readv_all(int fd, struct iovec *iov, int nr);
int hearth_writev_all(int fd, struct iovec *iov, int nr);

/* Calls @again whenever a descriptor with a timeout had nothing for that long, and goes on. */
int hearth_readv_patiently(int fd, struct iovec *iov, int nr, void (*again)(void *), void *ctx);
int hearth_pwrite_all(int fd, const void *buf, size_t len, uint64_t offset);

/* Reads until @len or end of file; returns the bytes read or -errno. */
ssize_t hearth_pread_full(int fd, void *buf, size_t len, uint64_t offset);

/* The same for pipes; both return -ECANCELED once there is something to read from @cancel_fd. */
ssize_t hearth_pipe_read(int fd, void *buf, size_t len, int cancel_fd);
int hearth_pipe_write(int fd, const void *buf, size_t len, int cancel_fd);

uint64_t hearth_now_ns(void);

/* CPU time of this process so far. */
uint64_t hearth_cpu_ns(void);

/*
 * The most memory that this program has had at once; 0: not known. (getrusage() counts what the
 * process was before it became this program.)
 */
uint64_t hearth_peak_kib(void);

/*
 * What only closing says: that a network file system, or one with quotas, has found no room for
 * what was written. The descriptor stays open. 0 or -errno.
 */
int hearth_close_errors(int fd);
int hearth_random_bytes(void *buf, size_t len);
void hearth_close(int *fd);

#endif
