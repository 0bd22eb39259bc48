// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages and frames of one node: taking, reclaiming, giving back.
 *
 * A page comes from the request itself, if that can spare it; else from the
 * pool's free list, from the node while the pool is below its limit, or from the
 * frame that the replacement policy gives up.
 * Nobody waits here: who gets no page goes past the cache.
 */
#include "cache.h"
#include "dirty.h"
#include "index.h"
#include "pin.h"
#include "pool.h"
#include "share.h"

/* Free pages that are kept for reuse; what is above goes back to the node. */
#define KEEP_FREE	256

/* Frames that reclaim passes over before it gives up: in use ones, dirty ones. */
#define MAX_KEPT	32
#define MAX_DIRTY	512UL

/* Frames that one request gives up at most while a pool is above its limit. */
#define MAX_TRIM	32

static struct kmem_cache *frame_slab;

/* Once per piece of memory, however often it becomes a frame. */
static void construct_frame(void *frame)
{
	((struct hearth_frame *)frame)->version = 0;
}

int hearth_frames_init(void)
{
	frame_slab = kmem_cache_create("hearth_frame",
				       sizeof(struct hearth_frame), 0,
				       SLAB_TYPESAFE_BY_RCU, construct_frame);
	return frame_slab ? 0 : -ENOMEM;
}

void hearth_frames_exit(void)
{
	kmem_cache_destroy(frame_slab);
}

/**
 * hearth_frame_alloc() - get an empty frame
 * @cache: the cache
 * @nid: the home node; its own state lies there too
 *
 * Only what no lock-free look-up reads is initialised here: the memory may be
 * the frame that such a look-up is still holding.  The rest is set when the
 * frame is installed.
 *
 * Context: Process context, waits for no I/O.
 * Return: The frame, in no queue, or NULL.
 */
struct hearth_frame *hearth_frame_alloc(struct hearth_cache *cache, int nid)
{
	struct hearth_frame *frame;

	frame = kmem_cache_alloc_node(frame_slab, GFP_NOIO | __GFP_NOWARN, nid);
	if (!frame)
		return NULL;
	atomic_long_inc(&cache->pools[nid]->nr_frames);
	WRITE_ONCE(frame->page, NULL);
	WRITE_ONCE(frame->valid, 0);
	WRITE_ONCE(frame->freq, 0);
	WRITE_ONCE(frame->ahead, 0);
	frame->dirty = 0;
	frame->nid = nid;
	frame->queue = HEARTH_QUEUE_NONE;
	return frame;
}

/* Frees a frame that is in no slot and no queue. */
void hearth_frame_free(struct hearth_cache *cache, struct hearth_frame *frame)
{
	if (!frame)
		return;
	atomic_long_dec(&cache->pools[frame->nid]->nr_frames);
	kmem_cache_free(frame_slab, frame);
}

/**
 * hearth_frame_get_page() - look at a frame without a lock
 * @ext: its extent
 * @index: which slot
 * @need: the sectors that must be valid
 * @ret_ahead: set to the frame's mark, which is cleared, if it has one
 *
 * See frame.h for the barriers.
 *
 * Context: Under rcu_read_lock() or the extent's lock.
 * Return: The page with a reference of its own, or NULL if @need is not there.
 */
struct page *hearth_frame_get_page(struct hearth_extent *ext,
				   unsigned int index, u8 need, u8 *ret_ahead)
{
	struct hearth_frame *frame = READ_ONCE(ext->frames[index]);
	struct page *page;
	u32 version;

	if (!frame)
		return NULL;
	/* pairs with the release in hearth_frame_change_end() */
	version = smp_load_acquire(&frame->version);
	page = READ_ONCE(frame->page);
	if (version & 1 || !page || need & ~READ_ONCE(frame->valid) ||
	    !get_page_unless_zero(page))
		return NULL;
	/* the slot before the version; pairs with hearth_frame_change_begin() */
	if (smp_load_acquire(&ext->frames[index]) != frame ||
	    READ_ONCE(frame->version) != version) {
		put_page(page);
		return NULL;
	}
	hearth_policy_touch(frame);
	if (READ_ONCE(frame->ahead))
		*ret_ahead = xchg(&frame->ahead, 0);
	return page;
}

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
static bool release_free_page(struct hearth_pool *pool)
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

/* Empties the frame's slot; returns whether that was the extent's last. */
static bool take_out(struct hearth_extent *ext, struct hearth_frame *frame,
		     struct page **ret_page)
{
	lockdep_assert_held(&ext->lock);
	*ret_page = frame->page;
	hearth_frame_change_begin(frame);
	WRITE_ONCE(ext->frames[frame->index], NULL);
	WRITE_ONCE(frame->valid, 0);
	WRITE_ONCE(frame->page, NULL);
	hearth_frame_change_end(frame);
	return --ext->nr_frames == 0;
}

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
	if (result == RETRACTED)
		empty = take_out(ext, frame, ret_page);
	spin_unlock(&ext->lock);
	if (empty)
		hearth_extent_reap(cache, ext);
	rcu_read_unlock();
	return result;
}

/**
 * hearth_frame_replace() - put a frame of another node in the place of one
 * @cache: the cache
 * @ext: the extent
 * @old: its frame, claimed by the caller; freed
 * @new: an empty frame
 * @page: for it: a copy of what @old holds
 *
 * Context: Under the extent's lock.
 * Return: What @new holds now; 0: @old is being evicted, nothing was done.
 */
u8 hearth_frame_replace(struct hearth_cache *cache, struct hearth_extent *ext,
			struct hearth_frame *old, struct hearth_frame *new,
			struct page *page)
{
	struct hearth_pool *from = cache->pools[old->nid];
	struct hearth_pool *to = cache->pools[new->nid];
	struct page *old_page;
	u8 valid = old->valid;
	bool queued;

	lockdep_assert_held(&ext->lock);
	spin_lock(&from->lock);
	queued = hearth_policy_remove(&from->policy, old);
	spin_unlock(&from->lock);
	if (!queued)
		return 0;
	new->extent = ext;
	new->index = old->index;
	take_out(ext, old, &old_page);
	hearth_frame_change_begin(new);
	WRITE_ONCE(new->page, page);
	WRITE_ONCE(new->valid, valid);
	WRITE_ONCE(new->freq, READ_ONCE(old->freq));
	WRITE_ONCE(new->ahead, READ_ONCE(old->ahead));
	/* pairs with the address dependency of a look-up */
	smp_store_release(&ext->frames[new->index], new);
	ext->nr_frames++;
	hearth_frame_change_end(new);
	spin_lock(&to->lock);
	hearth_policy_adopt(&to->policy, new);
	spin_unlock(&to->lock);
	hearth_pool_put_page(cache, old_page);
	hearth_frame_free(cache, old);
	return valid;
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

/* Gets a page of the pool by giving up frames. */
static struct page *evict_page(struct hearth_cache *cache,
			       struct hearth_pool *pool)
{
	struct page *page = NULL;
	int nr;

	for (nr = 0; nr < MAX_TRIM && !page; nr++) {
		if (!evict_frame(cache, pool, HEARTH_TAKE_CLEAN, MAX_KEPT))
			break;
		page = take_page(pool);
	}
	return page;
}

/* Whether more is in use than the limit allows; notes it, or that it is not. */
static bool check_over(struct hearth_pool *pool)
{
	bool over = !has_room(pool, 0, 0);

	if (over != pool->is_over)
		WRITE_ONCE(pool->is_over, over);
	return over;
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

	for (nr = 0; nr <= MAX_TRIM; nr++) {
		spin_lock(&pool->lock);
		over = check_over(pool);
		if (over && !may_park(pool))
			hearth_policy_unpark(&pool->policy, 1);
		spin_unlock(&pool->lock);
		if (!over)
			return false;
		if (!release_free_page(pool) &&
		    !evict_frame(cache, pool, HEARTH_TAKE_CLEAN, MAX_KEPT))
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
		if (release_free_page(pool)) {
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
		more = hearth_policy_unpark(&pool->policy, MAX_TRIM);
		spin_unlock(&pool->lock);
		cond_resched();
	} while (more);
}

/* The same for each pool that was found above its limit; looks are cheap. */
void hearth_pools_trim(struct hearth_cache *cache)
{
	int nid;

	for_each_node(nid) {
		if (cache->pools[nid] && READ_ONCE(cache->pools[nid]->is_over))
			hearth_pool_trim(cache, cache->pools[nid]);
	}
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
		put_page(surplus);
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
		put_page(page);
}

/* Puts a frame that was just installed into its queue. */
void hearth_pool_insert(struct hearth_cache *cache, struct hearth_frame *frame)
{
	struct hearth_pool *pool = cache->pools[frame->nid];

	spin_lock(&pool->lock);
	hearth_policy_insert(&pool->policy, frame);
	check_over(pool);
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

/**
 * hearth_frame_drop() - forget sectors of a frame
 * @cache: the cache
 * @frame: the frame, or NULL; claimed, or in a range that runs alone
 * @sectors: which; those that are dirty stay
 *
 * A frame that holds nothing any more gives its page back and is reclaimed
 * first.
 *
 * Context: Under the extent's lock.
 */
void hearth_frame_drop(struct hearth_cache *cache, struct hearth_frame *frame,
		       u8 sectors)
{
	struct hearth_pool *pool;
	struct page *page;

	if (!frame)
		return;
	lockdep_assert_held(&frame->extent->lock);
	page = frame->page;
	hearth_frame_change_begin(frame);
	WRITE_ONCE(frame->valid, frame->valid & (~sectors | frame->dirty));
	if (!frame->valid)
		WRITE_ONCE(frame->page, NULL);
	hearth_frame_change_end(frame);
	if (frame->valid || !page)
		return;
	hearth_pool_put_page(cache, page);
	pool = cache->pools[frame->nid];
	spin_lock(&pool->lock);
	hearth_policy_demote(&pool->policy, frame);
	spin_unlock(&pool->lock);
}
