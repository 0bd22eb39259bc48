// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of a cache.
 */
#include "cache.h"
#include "flush.h"
#include "index.h"
#include "pin.h"
#include "pool.h"
#include "rehome.h"
#include "share.h"
#include "show.h"
#include "sync.h"

int hearth_core_init(void)
{
	int ret;

	ret = hearth_frames_init();
	if (ret)
		return ret;
	ret = hearth_index_init();
	if (ret)
		goto out_frames;
	ret = hearth_share_init();
	if (ret)
		goto out_index;
	return 0;

out_index:
	hearth_index_exit();
out_frames:
	hearth_frames_exit();
	return ret;
}

void hearth_core_exit(void)
{
	hearth_share_exit();
	hearth_index_exit();
	hearth_frames_exit();
}

/*
 * Spreads the stripe slots over the nodes in proportion to their shares, each
 * next slot to the node that is furthest behind.
 */
static void map_stripes(struct hearth_cache *cache, const unsigned long *shares)
{
	unsigned long used[HEARTH_STRIPE_SLOTS] = { };
	u16 nids[HEARTH_STRIPE_SLOTS];
	unsigned int nr = 0, slot, i, best;
	int nid;

	for_each_node(nid) {
		if (shares[nid] && nr < HEARTH_STRIPE_SLOTS)
			nids[nr++] = nid;
	}
	cache->nr_stripe_slots = nr > 1 ? HEARTH_STRIPE_SLOTS : nr;
	for (slot = 0; slot < cache->nr_stripe_slots; slot++) {
		best = 0;
		for (i = 1; i < nr; i++) {
			if (div_u64((u64)shares[nids[i]] << 10, used[i] + 1) >
			    div_u64((u64)shares[nids[best]] << 10,
				    used[best] + 1))
				best = i;
		}
		used[best]++;
		cache->stripe_map[slot] = nids[best];
	}
}

static int alloc_pools(struct hearth_cache *cache, const unsigned long *shares,
		       const unsigned long *min_shares)
{
	unsigned long total = 0;
	int nid;

	for_each_node(nid) {
		if (!shares[nid])
			continue;
		cache->pools[nid] = hearth_pool_alloc(cache, nid,
						      min_shares[nid],
						      shares[nid]);
		if (!cache->pools[nid])
			return -ENOMEM;
		total += shares[nid];
	}
	if (!total)
		return -EINVAL;
	/* several large requests must fit at once */
	cache->max_io_frames = max(total / 8, 16UL);
	return 0;
}

/**
 * hearth_cache_alloc() - make a cache
 * @p: how; see there
 *
 * Context: Process context, may sleep.
 * Return: The cache or NULL: no memory, or no node has a share.
 */
struct hearth_cache *hearth_cache_alloc(const struct hearth_cache_params *p)
{
	struct hearth_cache *cache;

	cache = kzalloc(sizeof(*cache), GFP_KERNEL);
	if (!cache)
		return NULL;
	cache->ops = p->ops;
	cache->priv = p->priv;
	cache->size_bytes = p->size_bytes;
	cache->block_bytes = p->block_bytes;
	cache->mode = p->mode;
	cache->home = p->home;
	hearth_cache_set_dispatch(cache, p->dispatch);
	cache->stripe_shift = ilog2(p->stripe_bytes);
	hearth_cache_set_ahead(cache, p->ahead_bytes);
	spin_lock_init(&cache->range_lock);
	INIT_LIST_HEAD(&cache->ranges);
	hearth_flush_init(&cache->flush);
	hearth_sync_init(&cache->sync);
	hearth_show_init(cache);
	map_stripes(cache, p->nr_pages);

	cache->pools = kcalloc(nr_node_ids, sizeof(*cache->pools), GFP_KERNEL);
	cache->counters = __alloc_percpu(sizeof(u64) * HEARTH_NR_COUNTERS *
					 nr_node_ids, sizeof(u64));
	if (!cache->pools || !cache->counters ||
	    hearth_rehome_init(cache) ||
	    alloc_pools(cache, p->nr_pages, p->min_pages ?: p->nr_pages)) {
		hearth_cache_free(cache);
		return NULL;
	}
	hearth_cache_set_dirty(cache, p->dirty_bytes);
	return cache;
}

/**
 * hearth_cache_free() - drop a cache and all that is in it
 * @cache: the cache; no request is under way and none will come.  What is dirty
 *	is lost.
 *
 * Context: Process context, may sleep.
 */
void hearth_cache_free(struct hearth_cache *cache)
{
	int nid;

	if (cache->pools) {
		for_each_node(nid) {
			if (cache->pools[nid])
				hearth_share_leave(cache->pools[nid]);
		}
		/* look-ups that hold an extent, LUNs that take a share */
		synchronize_rcu();
		hearth_index_empty(cache);
		for_each_node(nid)
			hearth_pool_free(cache->pools[nid]);
	}
	hearth_rehome_exit(cache);
	hearth_pins_free(cache);
	hearth_show_exit(cache);
	kfree(cache->pools);
	free_percpu(cache->counters);
	kfree(cache);
}

/**
 * hearth_cache_count() - read a counter
 * @cache: the cache
 * @nid: the home node
 * @which: the counter
 *
 * Return: The sum over all CPUs; exact once the cache is at rest.
 */
u64 hearth_cache_count(const struct hearth_cache *cache, int nid,
		       enum hearth_counter which)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu_ptr(cache->counters,
				   cpu)[nid * HEARTH_NR_COUNTERS + which];
	return sum;
}

/* Pages that a node holds for the cache, those kept for reuse left out. */
unsigned long hearth_cache_frames(const struct hearth_cache *cache, int nid)
{
	struct hearth_pool *pool = cache->pools[nid];
	unsigned long nr;

	if (!pool)
		return 0;
	spin_lock(&pool->lock);
	nr = pool->nr_pages - pool->nr_free;
	spin_unlock(&pool->lock);
	return nr;
}

/* Pages that frames and metadata may take of a node. */
unsigned long hearth_cache_limit(const struct hearth_cache *cache, int nid)
{
	return cache->pools[nid] ? READ_ONCE(cache->pools[nid]->limit) : 0;
}

/* Bytes that the cache takes of a node beside the frames' pages. */
u64 hearth_cache_metadata(const struct hearth_cache *cache, int nid)
{
	return cache->pools[nid] ? hearth_pool_metadata(cache->pools[nid]) : 0;
}

/* Bytes that the cache takes of a node in all. */
u64 hearth_cache_memory(const struct hearth_cache *cache, int nid)
{
	struct hearth_pool *pool = cache->pools[nid];
	u64 bytes;

	if (!pool)
		return 0;
	spin_lock(&pool->lock);
	bytes = (u64)pool->nr_pages * PAGE_SIZE + hearth_pool_metadata(pool);
	spin_unlock(&pool->lock);
	return bytes;
}
