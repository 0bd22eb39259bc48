// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames: taking one, changing what is in a slot.
 *
 * What a frame is and the rules it lives by, see frame.h.
 */
#include "cache.h"
#include "pool.h"
#include "sync.h"

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
 * hearth_frame_take_out() - empty a frame's slot
 * @ext: the extent
 * @frame: its frame
 * @ret_page: what the frame held; its reference is the caller's now
 *
 * Context: Under the extent's lock.
 * Return: Whether that was the extent's last.
 */
bool hearth_frame_take_out(struct hearth_extent *ext,
			   struct hearth_frame *frame, struct page **ret_page)
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
	hearth_frame_take_out(ext, old, &old_page);
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
	hearth_sync_escapes(cache, frame->extent);
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
