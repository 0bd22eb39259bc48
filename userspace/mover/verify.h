/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --verify: reads back what was written, from the device as far as the system
 * lets go of its own copy, and compares it with what came in.
 */
#ifndef HEARTH_VERIFY_H
#define HEARTH_VERIFY_H

#include <stddef.h>
#include <stdint.h>

#define HEARTH_SLICE_SUM_BYTES 16

struct hearth_slice {
	uint64_t offset;
	uint64_t len;
	uint8_t sum[HEARTH_SLICE_SUM_BYTES];
};

/* What was written to a file that came in several parts, or was found there. */
struct hearth_slices {
	struct hearth_slice *v;
	size_t nr;
	size_t cap;
};

/* 0 or -ENOMEM. */
int hearth_verify_add(struct hearth_slices *s, uint64_t offset, uint64_t len, const void *data);
int hearth_verify_add_sum(struct hearth_slices *s, uint64_t offset, uint64_t len,
			  const uint8_t sum[HEARTH_SLICE_SUM_BYTES]);
void hearth_verify_exit(struct hearth_slices *s);

/*
 * All return 0, -EBADMSG if the file holds something else, or -errno. The sum may be of what the
 * page cache holds.
 */
int hearth_verify_slices(const struct hearth_slices *s, int fd);
int hearth_verify_sum(int fd, uint64_t offset, uint64_t len,
		      const uint8_t sum[HEARTH_SLICE_SUM_BYTES]);
int hearth_verify_range(int fd, uint64_t offset, uint64_t len, const void *data);

#endif
