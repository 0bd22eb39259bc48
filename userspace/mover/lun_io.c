// SPDX-License-Identifier: GPL-2.0-or-later
/* A LUN of this machine as an end of a copy: writing, punching, and what the cache keeps. */
#include <errno.h>
#include <hearth.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "../common/io.h"
#include "lun.h"

#define MAX_BLOCK_BYTES 4096u

/* Where a range lies in the LUN; or -errno. */
static int place(const struct hearth_lun *lun, uint64_t len, uint64_t offset, uint64_t *ret_at)
{
	if (offset > lun->len || len > lun->len - offset)
		return -ERANGE;
	if (offset % lun->block_bytes)
		return -EINVAL;
	*ret_at = lun->start + offset;
	return 0;
}

/* The first @len bytes of a block, less than all: the rest stays. */
static int write_edge(struct hearth_lun *lun, const void *data, uint64_t len, uint64_t at)
{
	uint8_t block[MAX_BLOCK_BYTES];
	ssize_t got;
	int ret;

	if (lun->block_bytes > sizeof(block))
		return -EINVAL;
	pthread_mutex_lock(&lun->edge_lock);
	got = hearth_pread_full(lun->fd, block, lun->block_bytes, at);
	ret = got < 0 ? (int)got : got < (ssize_t)lun->block_bytes ? -ERANGE
								   : 0;
	if (!ret) {
		memcpy(block, data, len);
		ret = hearth_pwrite_all(lun->fd, block, lun->block_bytes, at);
	}
	pthread_mutex_unlock(&lun->edge_lock);
	return ret;
}

int hearth_lun_write(struct hearth_lun *lun, const void *data, uint64_t len, uint64_t offset)
{
	uint64_t at, edge = len % lun->block_bytes, whole = len - edge;
	int ret = place(lun, len, offset, &at);

	if (!ret && whole)
		ret = hearth_pwrite_all(lun->fd, data, whole, at);
	if (!ret && edge)
		ret = write_edge(lun, (const uint8_t *)data + whole, edge, at + whole);
	return ret;
}

int hearth_lun_act(const struct hearth_lun *lun, unsigned long what, uint32_t flags, uint64_t len,
		   uint64_t at)
{
	struct hearth_range range = { .offset = at, .len = len, .flags = flags };

	while (range.len && ioctl(lun->fd, what, &range)) {
		if (errno != EINTR)
			return -errno;
		range.offset += range.done;
		range.len -= range.done;
		range.done = 0;
	}
	return 0;
}

static int clear_blocks(struct hearth_lun *lun, uint64_t len, uint64_t at)
{
	int ret = -EOPNOTSUPP;

	if (!lun->has_no_punch)
		ret = hearth_lun_act(lun, HEARTH_IOC_PUNCH, 0, len, at);
	if (ret != -EOPNOTSUPP)
		return ret;
	lun->has_no_punch = true;
	return hearth_lun_act(lun, HEARTH_IOC_ZERO, 0, len, at);
}

int hearth_lun_clear(struct hearth_lun *lun, uint64_t len, uint64_t offset)
{
	static const uint8_t zeroes[MAX_BLOCK_BYTES];
	uint64_t at, edge = len % lun->block_bytes, whole = len - edge;
	int ret = place(lun, len, offset, &at);

	if (!ret && whole)
		ret = clear_blocks(lun, whole, at);
	if (!ret && edge)
		ret = write_edge(lun, zeroes, edge, at + whole);
	return ret;
}

/* Blocks that the range only touches are left out. */
static int act_on_cache(struct hearth_lun *lun, unsigned long what, uint64_t len, uint64_t offset)
{
	uint64_t at;
	int ret = place(lun, len, offset, &at);

	len -= len % lun->block_bytes;
	return ret || !len ? ret : hearth_lun_act(lun, what, 0, len, at);
}

int hearth_lun_drop(struct hearth_lun *lun, uint64_t len, uint64_t offset)
{
	return act_on_cache(lun, HEARTH_IOC_DROP, len, offset);
}

int hearth_lun_warm(struct hearth_lun *lun, uint64_t len, uint64_t offset)
{
	return act_on_cache(lun, HEARTH_IOC_WARM, len, offset);
}
