// SPDX-License-Identifier: GPL-2.0-or-later
/* --verify: reads back what was written. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "../common/io.h"
#include "verify.h"

static void sum_up(const void *data, uint64_t len, uint8_t ret[HEARTH_SLICE_SUM_BYTES])
{
	XXH128_canonical_t sum;

	XXH128_canonicalFromHash(&sum, XXH3_128bits(data, len));
	memcpy(ret, sum.digest, HEARTH_SLICE_SUM_BYTES);
}

int hearth_verify_add_sum(struct hearth_slices *s, uint64_t offset, uint64_t len,
			  const uint8_t sum[HEARTH_SLICE_SUM_BYTES])
{
	if (s->nr == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		struct hearth_slice *grown = realloc(s->v, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		s->v = grown;
		s->cap = cap;
	}
	s->v[s->nr].offset = offset;
	s->v[s->nr].len = len;
	memcpy(s->v[s->nr++].sum, sum, HEARTH_SLICE_SUM_BYTES);
	return 0;
}

int hearth_verify_add(struct hearth_slices *s, uint64_t offset, uint64_t len, const void *data)
{
	uint8_t sum[HEARTH_SLICE_SUM_BYTES];

	sum_up(data, len, sum);
	return hearth_verify_add_sum(s, offset, len, sum);
}

void hearth_verify_exit(struct hearth_slices *s)
{
	free(s->v);
	memset(s, 0, sizeof(*s));
}

/* What the page cache still holds would be compared with itself. */
static int let_go(int fd)
{
	if (fdatasync(fd))
		return -errno;
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return 0;
}

static int compare(int fd, const struct hearth_slice *slice, void *buf)
{
	ssize_t got = hearth_pread_full(fd, buf, slice->len, slice->offset);
	uint8_t sum[HEARTH_SLICE_SUM_BYTES];

	if (got < 0)
		return (int)got;
	if ((uint64_t)got < slice->len)
		return -EBADMSG;
	sum_up(buf, slice->len, sum);
	return memcmp(sum, slice->sum, sizeof(sum)) ? -EBADMSG : 0;
}

int hearth_verify_slices(const struct hearth_slices *s, int fd)
{
	uint64_t longest = 0;
	int ret = let_go(fd);
	void *buf;

	for (size_t i = 0; i < s->nr; i++)
		longest = s->v[i].len > longest ? s->v[i].len : longest;
	buf = malloc(longest + 1);
	if (!buf)
		return -ENOMEM;
	for (size_t i = 0; !ret && i < s->nr; i++)
		ret = compare(fd, &s->v[i], buf);
	free(buf);
	return ret;
}

int hearth_verify_sum(int fd, uint64_t offset, uint64_t len,
		      const uint8_t sum[HEARTH_SLICE_SUM_BYTES])
{
	struct hearth_slice slice = { .offset = offset, .len = len };
	void *buf = malloc(len + 1);
	int ret = -ENOMEM;

	memcpy(slice.sum, sum, sizeof(slice.sum));
	if (buf)
		ret = compare(fd, &slice, buf);
	free(buf);
	return ret;
}

int hearth_verify_range(int fd, uint64_t offset, uint64_t len, const void *data)
{
	struct hearth_slice slice = { .offset = offset, .len = len };
	struct hearth_slices one = { .v = &slice, .nr = 1 };

	sum_up(data, len, slice.sum);
	return hearth_verify_slices(&one, fd);
}
