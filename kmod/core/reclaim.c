// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reclaim: which frame goes, and when none can.
 *
 * The replacement policy names a victim; whether that can go is looked at under
 * its extent's lock, and what has to stay goes back to a queue.
 */
#include "cache.h"
#include "index.h"
#include "pin.h"
#include "pool.h"
#include "show.h"
#include "sync.h"

/* Frames that reclaim passes over before it gives up: in use ones, dirty ones. */
#define MAX_KEPT	32
#define MAX_DIRTY	512UL

enum retracted {
	RETRACTED,
	KEPT,		/* claimed, or in use */
	DIRTY,
	PINNED,
};

/* Whether the pool may set one more frame aside as pinned: up to a half. */
static bool may_park(const struct hearth_pool *pool)
{
	return READ_ONCE(pool->policy.nr[HEARTH_QUEUE_PINNED]) <
	       READ_ONCE(pool->limit) / 2;
}

/* Whether a frame can be taken away.  The only place that decides this. */
static enum retracted may_retract(struct hearth_cache *cache,
				  const struct hearth_frame *frame,
				  enum hearth_take take)
{
	const struct hearth_extent *ext = frame->extent;

	lockdep_assert_held(&ext->lock);
	if ((ext->busy | ext->cleaning) & BIT(frame->index))
		return KEPT;
	if (hearth_frame_is_shown(frame))
		return may_park(cache->pools[frame->nid]) ? PINNED : KEPT;
	if (frame->dirty)
		return DIRTY;
	if (take == HEARTH_TAKE_UNUSED && frame->page &&
	    page_ref_count(frame->page) > 1)
		return KEPT;
	if (frame->page && hearth_pin_covers(cache, frame) &&
	    may_park(cache->pools[frame->nid]))
		return PINNED;
	return RETRACTED;
}

/*
 * Takes a frame that is in no queue out of its slot, unless it has to stay.  Its
 * page is ours then.  The extent is there: only reclaim empties slots.
 */
static enum retracted retract_frame(struct hearth_cache *cache,
				    struct hearth_frame *frame,
				    enum hearth_take take,
				    struct page **ret_page)
{
	struct hearth_extent *ext = frame->extent;
	enum retracted result;
	bool empty = false;

	rcu_read_lock();	/* keeps ext for hearth_extent_reap() */
	spin_lock(&ext->lock);
	result = may_retract(cache, frame, take);
	if (result == RETRACTED) {
		hearth_sync_escapes(cache, ext);
		empty = hearth_frame_take_out(ext, frame, ret_page);
	}
	spin_unlock(&ext->lock);
	if (empty)
		hearth_extent_reap(cache, ext);
	rcu_read_unlock();
	return result;
}

/*
 * Looks at the next victim; NULL in *@ret_frame if there is none.  What has to
 * stay goes back to a queue.
 */
static enum retracted try_victim(struct hearth_cache *cache,
				 struct hearth_pool *pool,
				 enum hearth_take take,
				 struct hearth_frame **ret_frame,
				 struct page **ret_page)
{
	struct hearth_frame *frame;
	enum retracted result;

	spin_lock(&pool->lock);
	frame = hearth_policy_victim(&pool->policy);
	spin_unlock(&pool->lock);
	*ret_frame = frame;
	if (!frame)
		return KEPT;
	result = retract_frame(cache, frame, take, ret_page);
	if (result == RETRACTED)
		return result;
	spin_lock(&pool->lock);
	if (result == PINNED)
		hearth_policy_park(&pool->policy, frame);
	else
		hearth_policy_return(&pool->policy, frame);
	spin_unlock(&pool->lock);
	return result;
}

/*
 * Gives up one frame; false if there is none that can be had without looking at
 * more than @max_kept that are in use, and some that are dirty; those that are
 * pinned are set aside and not counted.  A frame that holds no page (its sectors
 * were discarded) yields none: that is in the free list.
 */
static bool evict_frame(struct hearth_cache *cache, struct hearth_pool *pool,
			enum hearth_take take, unsigned long max_kept)
{
	struct hearth_frame *frame;
	unsigned long max_dirty = max(MAX_DIRTY, max_kept);
	struct page *page = NULL;
	enum retracted result;

	for (;;) {
		result = try_victim(cache, pool, take, &frame, &page);
		if (result == RETRACTED)
			break;
		if (!frame || (result == KEPT && !max_kept--) ||
		    (result == DIRTY && !max_dirty--))
			return false;
	}
	hearth_frame_free(cache, frame);
	if (page)
		hearth_count(cache, pool->nid, HEARTH_EVICTIONS, 1);
	hearth_pool_put_page(cache, page);
	return true;
}

/**
 * hearth_pool_evict() - give up a frame of a pool for another
 * @cache: the cache
 * @pool: the pool
 *
 * Its page is in the free list then, unless somebody still reads it.
 *
 * Context: Process context, no lock held, waits for no I/O.
 * Return: false if there is none that can be had without a long search.
 */
bool hearth_pool_evict(struct hearth_cache *cache, struct hearth_pool *pool)
{
	return evict_frame(cache, pool, HEARTH_TAKE_CLEAN, MAX_KEPT);
}

/**
 * hearth_pool_trim() - give up frames of a pool that is above its limit
 * @cache: the cache
 * @pool: the pool
 *
 * Only a few: whoever comes next goes on.
 *
 * Context: Process context, no lock held, waits for no I/O.
 * Return: Whether it is still above, and calling again may help.
 */
bool hearth_pool_trim(struct hearth_cache *cache, struct hearth_pool *pool)
{
	bool over;
	int nr;

	for (nr = 0; nr <= HEARTH_MAX_TRIM; nr++) {
		spin_lock(&pool->lock);
		over = hearth_pool_check_over(pool);
		if (over && !may_park(pool))
			hearth_policy_unpark(&pool->policy, 1);
		spin_unlock(&pool->lock);
		if (!over)
			return false;
		if (!hearth_pool_release_page(pool) &&
		    !hearth_pool_evict(cache, pool))
			return false;
	}
	return true;
}

/**
 * hearth_pool_shrink() - give pages of a pool back to its node
 * @cache: the cache
 * @pool: the pool
 * @nr_pages: how many at most
 * @take: of which frames
 *
 * Ends when it has looked at about as many frames as there are.
 *
 * Context: Process context, no lock held, waits for no I/O.
 * Return: How many it was.
 */
unsigned long hearth_pool_shrink(struct hearth_cache *cache,
				 struct hearth_pool *pool,
				 unsigned long nr_pages, enum hearth_take take)
{
	long left = atomic_long_read(&pool->nr_frames);
	unsigned long nr = 0;

	while (nr < nr_pages) {
		if (hearth_pool_release_page(pool)) {
			nr++;
			cond_resched();
		} else if (left-- <= 0 || !evict_frame(cache, pool, take, left)) {
			break;
		}
	}
	return nr;
}

/* Lets go of frames that were set aside as pinned: each is looked at anew. */
void hearth_pool_unpin(struct hearth_pool *pool)
{
	bool more;

	do {
		spin_lock(&pool->lock);
		more = hearth_policy_unpark(&pool->policy, HEARTH_MAX_TRIM);
		spin_unlock(&pool->lock);
		cond_resched();
	} while (more);
}

/* The same for each pool that was found above its limit; a look is cheap. */
void hearth_pools_trim(struct hearth_cache *cache)
{
	int nid;

	if (!READ_ONCE(cache->is_over))
		return;
	WRITE_ONCE(cache->is_over, false);	/* a pool that still is says so */
	for_each_node(nid) {
		if (cache->pools[nid] && READ_ONCE(cache->pools[nid]->is_over))
			hearth_pool_trim(cache, cache->pools[nid]);
	}
}
