// SPDX-License-Identifier: GPL-2.0-only
/*
 * Life of a cache, and the path of a read that hits.
 */
#include "cache.h"
#include "copy.h"
#include "flush.h"
#include "home.h"
#include "index.h"
#include "pin.h"
#include "pool.h"
#include "readahead.h"
#include "rehome.h"
#include "share.h"

#define NOT_DUE	U64_MAX

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
	kfree(cache->pools);
	free_percpu(cache->counters);
	kfree(cache);
}

/* Serves the span's part of one frame if it is there. */
static bool read_hit(struct hearth_cache *cache, struct hearth_extent *ext,
		     struct hearth_span *span, struct hearth_ahead *ahead,
		     u64 *due)
{
	u32 from = span->offset & (HEARTH_FRAME_BYTES - 1);
	u32 to = min_t(u64, from + span->len, HEARTH_FRAME_BYTES);
	u64 frame_nr = span->offset >> HEARTH_FRAME_SHIFT;
	struct page *page;
	u8 mark = 0;

	page = hearth_frame_get_page(ext, frame_nr % HEARTH_EXTENT_FRAMES,
				     hearth_sector_mask(from, to), &mark);
	if (!page)
		return false;
	if (mark)
		hearth_ahead_note(ahead, frame_nr, mark);
	if (hearth_home_is_away(cache, span, page, to - from)) {
		put_page(page);
		return false;
	}
	hearth_count(cache, page_to_nid(page), HEARTH_HITS, 1);
	hearth_rehome_note(cache, frame_nr, page_to_nid(page), due);
	hearth_give_page(cache, span, page, from, to - from);
	return true;
}

/* Serves the span's part of one extent as far as it is there. */
static bool read_extent_hits(struct hearth_cache *cache,
			     struct hearth_span *span,
			     struct hearth_ahead *ahead, u64 *due)
{
	u64 key = span->offset / HEARTH_EXTENT_BYTES;
	struct hearth_extent *ext;
	bool hit;

	rcu_read_lock();
	ext = hearth_extent_find(cache, key);
	hit = ext;
	while (hit && span->len && span->offset / HEARTH_EXTENT_BYTES == key)
		hit = read_hit(cache, ext, span, ahead, due);
	rcu_read_unlock();
	return hit;
}

/**
 * hearth_cache_read_hits() - serve a read from the cache as far as it goes
 * @cache: the cache
 * @span: the range and the memory for it; moved on over what was served
 *
 * Takes no lock and waits for nothing.
 *
 * Context: Process context.
 * Return: true if nothing is left to do.
 */
bool hearth_cache_read_hits(struct hearth_cache *cache,
			    struct hearth_span *span)
{
	struct hearth_ahead ahead = { };
	struct hearth_io *fill, *move;
	u64 due = NOT_DUE;
	bool hit = !READ_ONCE(cache->paused);

	while (hit && span->len)
		hit = read_extent_hits(cache, span, &ahead, &due);
	fill = hearth_ahead_alloc(cache, ahead, numa_mem_id());
	if (fill)
		hearth_io_submit(fill);
	move = due == NOT_DUE ? NULL : hearth_rehome_alloc(cache, due);
	if (move)
		hearth_io_submit(move);
	return hit;
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
