// SPDX-License-Identifier: GPL-2.0-only
/*
 * More and less memory for a cache that is in use.
 *
 * The limits change at once.  What is above them goes here, a few frames at a
 * time, while requests go on; frames that are claimed go when their request
 * ends, which looks at the limit itself.
 *
 * The buckets of the index stay as many as the cache began with: one for two to
 * four frames.  So a cache grows only as long as there are no more than
 * MAX_PER_BUCKET frames for each, which is at least four times its first size;
 * that is also the length of a chain if each frame has an extent of its own.  It
 * does not become smaller than twice what the buckets need.
 */
#include "cache.h"
#include "pool.h"
#include "share.h"

#define MAX_PER_BUCKET	16

/**
 * hearth_cache_can_resize() - whether a node's share can become so large
 * @cache: the cache
 * @nid: the node
 * @nr_pages: the memory that the cache may take there from now on
 *
 * Return: 0; -E2BIG: too large; -ENOSPC: too small.
 */
int hearth_cache_can_resize(const struct hearth_cache *cache, int nid,
			    unsigned long nr_pages)
{
	const struct hearth_pool *pool = cache->pools[nid];

	if (!pool)
		return nr_pages ? -E2BIG : 0;
	if (nr_pages > (unsigned long)MAX_PER_BUCKET << pool->hash_bits)
		return -E2BIG;
	if (nr_pages < 16 + 2 * DIV_ROUND_UP_ULL(hearth_pool_fixed(pool),
						 PAGE_SIZE))
		return -ENOSPC;
	return 0;
}

/* Evicts until the pool is within its limit, or nothing can be had just now. */
static void trim_all(struct hearth_cache *cache, struct hearth_pool *pool)
{
	while (hearth_pool_trim(cache, pool))
		cond_resched();
}

static void resize_pool(struct hearth_pool *pool, unsigned long min_pages,
			unsigned long max_pages, u32 *ghosts)
{
	hearth_share_resize(pool, min_pages, max_pages);
	spin_lock(&pool->lock);
	ghosts = hearth_policy_resize(&pool->policy, max_pages, ghosts);
	spin_unlock(&pool->lock);
	kvfree(ghosts);
	trim_all(pool->cache, pool);
}

/**
 * hearth_cache_resize() - change how much memory a cache may take
 * @cache: the cache
 * @max_pages: by node id: the most; as hearth_cache_can_resize() allows
 * @min_pages: by node id: what is guaranteed of it
 *
 * Context: Process context, may sleep; calls do not overlap.
 * Return: 0 or -ENOMEM: nothing has changed.
 */
int hearth_cache_resize(struct hearth_cache *cache,
			const unsigned long *max_pages,
			const unsigned long *min_pages)
{
	unsigned long total = 0;
	u32 **ghosts;
	int nid;

	ghosts = kcalloc(nr_node_ids, sizeof(*ghosts), GFP_KERNEL);
	if (!ghosts)
		return -ENOMEM;
	for_each_node(nid) {
		if (!cache->pools[nid])
			continue;
		ghosts[nid] = hearth_ghosts_alloc(max_pages[nid], nid);
		if (!ghosts[nid])
			goto out_free_ghosts;
		total += max_pages[nid];
	}
	WRITE_ONCE(cache->max_io_frames, max(total / 8, 16UL));
	for_each_node(nid) {
		if (cache->pools[nid])
			resize_pool(cache->pools[nid], min_pages[nid],
				    max_pages[nid], ghosts[nid]);
	}
	kfree(ghosts);
	return 0;

out_free_ghosts:
	for_each_node(nid)
		kvfree(ghosts[nid]);
	kfree(ghosts);
	return -ENOMEM;
}

/**
 * hearth_cache_reclaimable() - pages of a node that the cache could do without
 * @cache: the cache
 * @nid: the node
 *
 * Context: Any.
 */
unsigned long hearth_cache_reclaimable(const struct hearth_cache *cache,
				       int nid)
{
	struct hearth_pool *pool = cache->pools[nid];
	unsigned long nr_dirty, nr_pages;

	if (!pool)
		return 0;
	nr_pages = READ_ONCE(pool->nr_pages);
	nr_dirty = atomic_long_read(&pool->nr_dirty);
	return nr_pages - min(nr_pages, nr_dirty);
}

/**
 * hearth_cache_shrink() - give memory back to a node that needs it
 * @cache: the cache
 * @nid: the node
 * @nr_pages: how much
 *
 * Gives up clean frames that nobody else has a reference to, those first that
 * would have gone first anyway.  The limit stays: the cache may grow again.
 *
 * Context: Process context, no lock held, waits for nothing.
 * Return: The pages that were given back.
 */
unsigned long hearth_cache_shrink(struct hearth_cache *cache, int nid,
				  unsigned long nr_pages)
{
	struct hearth_pool *pool = cache->pools[nid];
	unsigned long nr;

	if (!pool)
		return 0;
	nr = hearth_pool_shrink(cache, pool, nr_pages, HEARTH_TAKE_UNUSED);
	hearth_count(cache, nid, HEARTH_RECLAIMS, nr);
	hearth_share_return(pool);
	return nr;
}

/**
 * hearth_cache_drop() - give up every frame that can be
 * @cache: the cache
 *
 * What requests claim meanwhile, and what is pinned, stays.
 *
 * Context: Process context, may sleep.
 */
void hearth_cache_drop(struct hearth_cache *cache)
{
	int nid;

	for_each_node(nid) {
		struct hearth_pool *pool = cache->pools[nid];

		if (!pool)
			continue;
		hearth_pool_shrink(cache, pool, ULONG_MAX, HEARTH_TAKE_CLEAN);
		hearth_share_return(pool);
	}
}
