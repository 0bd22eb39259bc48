// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of one node: taking, counting, giving back.
 *
 * A page comes from the request itself, if that can spare it; else from the
 * pool's free list, from the node while the pool is below its limit, or from a
 * frame that is given up for it, see reclaim.c.
 * Nobody waits here: who gets no page goes past the cache.
 */
#include "cache.h"
#include "dirty.h"
#include "pool.h"
#include "share.h"

/* Free pages that are kept for reuse; what is above goes back to the node. */
#define KEEP_FREE	256

/**
 * hearth_pool_alloc() - make a node's share of a cache
 * @cache: the cache
 * @nid: the node
 * @min_pages: memory that it is guaranteed, frames and metadata
 * @max_pages: the most that it may take
 *
 * Return: The pool, or NULL if there is no memory for its index.
 */
struct hearth_pool *hearth_pool_alloc(struct hearth_cache *cache, int nid,
				      unsigned long min_pages,
				      unsigned long max_pages)
{
	struct hearth_pool *pool;

	pool = kzalloc_node(sizeof(*pool), GFP_KERNEL, nid);
	if (!pool)
		return NULL;
	pool->cache = cache;
	pool->nid = nid;
	spin_lock_init(&pool->lock);
	hearth_dirty_init(pool);
	INIT_LIST_HEAD(&pool->free);
	pool->hash_bits = max(6, ilog2(max_pages) - 1);
	pool->buckets = kvzalloc_node(sizeof(*pool->buckets) << pool->hash_bits,
				      GFP_KERNEL, nid);
	hearth_share_join(pool, min_pages, max_pages);
	if (hearth_policy_init(&pool->policy, max_pages, nid) ||
	    !pool->buckets) {
		hearth_share_leave(pool);
		hearth_pool_free(pool);
		return NULL;
	}
	return pool;
}

/**
 * hearth_pool_free() - give a node's share back
 * @pool: the pool; no request is under way
 *
 * Context: Process context.
 */
void hearth_pool_free(struct hearth_pool *pool)
{
	struct page *page, *next;

	if (!pool)
		return;
	list_for_each_entry_safe(page, next, &pool->free, lru) {
		list_del(&page->lru);
		put_page(page);
	}
	hearth_policy_exit(&pool->policy);
	kvfree(pool->buckets);
	kfree(pool);
}

static struct page *pop_free_page(struct hearth_pool *pool)
{
	struct page *page;

	lockdep_assert_held(&pool->lock);
	page = list_first_entry(&pool->free, struct page, lru);
	list_del(&page->lru);
	pool->nr_free--;
	return page;
}

/* Bytes that the pool itself takes, however full it is. */
u64 hearth_pool_fixed(const struct hearth_pool *pool)
{
	return sizeof(*pool) + (sizeof(*pool->buckets) << pool->hash_bits) +
	       hearth_policy_bytes(&pool->policy);
}

/**
 * hearth_pool_metadata() - the memory of a pool that is no page of a frame
 * @pool: the pool
 *
 * Context: Any; a moment's value unless the pool is at rest.
 * Return: Bytes.
 */
u64 hearth_pool_metadata(const struct hearth_pool *pool)
{
	return hearth_pool_fixed(pool) +
	       atomic_long_read(&pool->nr_frames) * HEARTH_FRAME_COST +
	       atomic_long_read(&pool->nr_extents) * HEARTH_EXTENT_COST;
}

/* Pages that a pool takes in all, under its lock. */
unsigned long hearth_pool_used(const struct hearth_pool *pool)
{
	lockdep_assert_held(&pool->lock);
	return pool->nr_pages +
	       DIV_ROUND_UP_ULL(hearth_pool_metadata(pool), PAGE_SIZE);
}

/* Whether that many pages more, each with a frame, are within the limit. */
static bool has_room(const struct hearth_pool *pool, unsigned long nr_pages,
		     unsigned long nr_frames)
{
	u64 metadata = hearth_pool_metadata(pool) +
		       nr_frames * HEARTH_FRAME_COST;

	lockdep_assert_held(&pool->lock);
	return pool->nr_pages + nr_pages +
	       DIV_ROUND_UP_ULL(metadata, PAGE_SIZE) <= READ_ONCE(pool->limit);
}

/* A page from the free list or the node for a new frame; NULL at the limit. */
static struct page *take_page(struct hearth_pool *pool)
{
	struct page *page = NULL;
	bool may_grow;

	spin_lock(&pool->lock);
	if (pool->nr_free && has_room(pool, 0, 1))
		page = pop_free_page(pool);
	may_grow = !page && has_room(pool, 1, 1);
	if (may_grow)
		pool->nr_pages++;
	spin_unlock(&pool->lock);

	if (!may_grow)
		return page;
	page = hearth_page_alloc(pool->nid);
	if (!page) {
		spin_lock(&pool->lock);
		pool->nr_pages--;
		spin_unlock(&pool->lock);
	}
	return page;
}

/* Gives a page of the free list back to the node; false if there is none. */
bool hearth_pool_release_page(struct hearth_pool *pool)
{
	struct page *page = NULL;

	spin_lock(&pool->lock);
	if (pool->nr_free) {
		page = pop_free_page(pool);
		pool->nr_pages--;
	}
	spin_unlock(&pool->lock);
	if (page)
		put_page(page);
	return page;
}

/* Gets a page of the pool by giving up frames. */
static struct page *evict_page(struct hearth_cache *cache,
			       struct hearth_pool *pool)
{
	struct page *page = NULL;
	int nr;

	for (nr = 0; nr < HEARTH_MAX_TRIM && !page; nr++) {
		if (!hearth_pool_evict(cache, pool))
			break;
		page = take_page(pool);
	}
	return page;
}

/* Has the pool looked at by whoever trims next. */
void hearth_pool_note_over(struct hearth_pool *pool)
{
	if (!READ_ONCE(pool->is_over))
		WRITE_ONCE(pool->is_over, true);
	if (!READ_ONCE(pool->cache->is_over))
		WRITE_ONCE(pool->cache->is_over, true);
}

/**
 * hearth_pool_check_over() - note whether a pool is above its limit
 * @pool: the pool
 *
 * Context: Under the pool's lock.
 * Return: Whether it is.
 */
bool hearth_pool_check_over(struct hearth_pool *pool)
{
	bool over = !has_room(pool, 0, 0);

	if (over)
		hearth_pool_note_over(pool);
	else if (READ_ONCE(pool->is_over))
		WRITE_ONCE(pool->is_over, false);
	return over;
}

static struct page *take_page_elsewhere(struct hearth_cache *cache, int nid)
{
	struct page *page = NULL;
	int other;

	for_each_node(other) {
		if (other == nid || !cache->pools[other])
			continue;
		page = take_page(cache->pools[other]);
		if (page)
			break;
	}
	return page;
}

/* Makes room for a page from outside if none has to be evicted for it. */
static bool adopt_page(struct hearth_pool *pool)
{
	struct page *surplus = NULL;
	bool adopt = true;

	spin_lock(&pool->lock);
	if (has_room(pool, 1, 1))
		pool->nr_pages++;
	else if (pool->nr_free && has_room(pool, 0, 1))
		surplus = pop_free_page(pool);
	else
		adopt = false;
	spin_unlock(&pool->lock);
	if (surplus)
		__free_page(surplus);
	return adopt;
}

/**
 * hearth_pool_get_page() - get a page for a frame
 * @cache: the cache
 * @nid: the node it should come from; one that has a pool
 * @offered: a page of that node that the cache may have, or NULL
 * @may_spill: take another node's unused share before evicting from this one
 *
 * An offered page is taken rather than one allocated; the cache gets a
 * reference of its own.
 *
 * Context: Process context, no lock held, waits for no I/O.
 * Return: A page; its contents are those of @offered or undefined.  NULL if
 * every frame is claimed or the node has no memory.
 */
struct page *hearth_pool_get_page(struct hearth_cache *cache, int nid,
				  struct page *offered, bool may_spill)
{
	struct hearth_pool *pool = cache->pools[nid];
	struct page *page = NULL;

	if (offered && (adopt_page(pool) ||
			(hearth_share_borrow(pool) && adopt_page(pool)))) {
		get_page(offered);
		return offered;
	}
	if (!offered)
		page = take_page(pool);
	if (!page && !offered && hearth_share_borrow(pool))
		page = take_page(pool);
	if (!page && may_spill)
		page = take_page_elsewhere(cache, nid);
	if (page)
		return page;
	page = evict_page(cache, pool);
	if (page && offered) {
		put_page(page);
		get_page(offered);
		return offered;
	}
	return page;
}

/**
 * hearth_pool_put_page() - give up a page of the cache
 * @cache: the cache
 * @page: a page that no frame points to any more; may be NULL
 *
 * It is reused unless somebody else still reads it: then it leaves the cache
 * and the last reader frees it.
 *
 * Context: Any number of extent locks may be held.
 */
void hearth_pool_put_page(struct hearth_cache *cache, struct page *page)
{
	struct hearth_pool *pool;
	bool keep;

	if (!page)
		return;
	pool = cache->pools[page_to_nid(page)];
	/* pairs with get_page_unless_zero() in hearth_frame_get_page() */
	smp_mb();
	spin_lock(&pool->lock);
	keep = page_ref_count(page) == 1 && pool->nr_free < KEEP_FREE &&
	       has_room(pool, 0, 0);
	if (keep) {
		list_add(&page->lru, &pool->free);
		pool->nr_free++;
	} else {
		pool->nr_pages--;
	}
	spin_unlock(&pool->lock);
	if (!keep)
		__free_page(page);
}

/* Puts a frame that was just installed into its queue. */
void hearth_pool_insert(struct hearth_cache *cache, struct hearth_frame *frame)
{
	struct hearth_pool *pool = cache->pools[frame->nid];

	spin_lock(&pool->lock);
	hearth_policy_insert(&pool->policy, frame);
	hearth_pool_check_over(pool);
	spin_unlock(&pool->lock);
}

/* The same for a frame that was there, but had no page. */
void hearth_pool_renew(struct hearth_cache *cache, struct hearth_frame *frame)
{
	struct hearth_pool *pool = cache->pools[frame->nid];

	spin_lock(&pool->lock);
	hearth_policy_renew(&pool->policy, frame);
	spin_unlock(&pool->lock);
}
