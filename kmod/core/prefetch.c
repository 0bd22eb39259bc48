// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a PRE-FETCH command wants to know: how much fits, and what is there.
 *
 * The fetching itself is a HEARTH_OP_PREFETCH request without a readahead mark,
 * see readahead.c.
 */
#include "cache.h"
#include "index.h"
#include "pool.h"

/* Frames that a pool has room for, with their part of the index. */
static unsigned long nr_fitting(const struct hearth_pool *pool)
{
	u64 bytes = (u64)READ_ONCE(pool->limit) << PAGE_SHIFT;
	u64 fixed = hearth_pool_metadata(pool) -
		    atomic_long_read(&pool->nr_frames) * HEARTH_FRAME_COST -
		    atomic_long_read(&pool->nr_extents) * HEARTH_EXTENT_COST;

	if (fixed >= bytes)
		return 0;
	return div_u64(bytes - fixed, HEARTH_FRAME_BYTES + HEARTH_FRAME_COST +
		       HEARTH_EXTENT_COST / HEARTH_EXTENT_FRAMES);
}

/**
 * hearth_cache_total() - how many neighbouring frames may live in a cache
 * @cache: the cache
 *
 * Return: The sum over its nodes.
 */
unsigned long hearth_cache_total(const struct hearth_cache *cache)
{
	unsigned long total = 0;
	int nid;

	for_each_node(nid) {
		if (cache->pools[nid])
			total += nr_fitting(cache->pools[nid]);
	}
	return total;
}

/* Whether an extent holds all of its part of a range of bytes. */
static bool extent_holds(struct hearth_extent *ext, u64 from, u64 to)
{
	struct hearth_frame *frame;
	bool holds = true;
	u32 at, end;

	lockdep_assert_held(&ext->lock);
	for (; holds && from < to; from += end - at) {
		at = from % HEARTH_FRAME_BYTES;
		end = min_t(u64, HEARTH_FRAME_BYTES, at + (to - from));
		frame = ext->frames[(from >> HEARTH_FRAME_SHIFT) %
				    HEARTH_EXTENT_FRAMES];
		holds = frame && !(hearth_sector_mask(at, end) & ~frame->valid);
	}
	return holds;
}

/**
 * hearth_cache_holds() - whether all of a range is in the cache
 * @cache: the cache
 * @offset: first byte
 * @len: how many
 *
 * Context: Process context, no lock held; may sleep.
 * Return: true if so; each extent is looked at once, in turn.
 */
bool hearth_cache_holds(struct hearth_cache *cache, u64 offset, u64 len)
{
	u64 end = offset + len, to;
	struct hearth_extent *ext;
	bool holds = true;

	for (; holds && offset < end; offset = to) {
		to = min(end, round_down(offset, (u64)HEARTH_EXTENT_BYTES) +
			      HEARTH_EXTENT_BYTES);
		rcu_read_lock();
		ext = hearth_extent_find(cache, offset / HEARTH_EXTENT_BYTES);
		holds = ext;
		if (ext) {
			spin_lock(&ext->lock);
			holds = extent_holds(ext, offset, to);
			spin_unlock(&ext->lock);
		}
		rcu_read_unlock();
		cond_resched();
	}
	return holds;
}
