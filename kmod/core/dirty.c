// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the device does not hold yet.
 *
 * A frame knows its dirty sectors, an extent its dirty frames, and a pool, in
 * order of their addresses, the extents of its shard that have any: flush.c goes
 * through them in that order.  How many dirty frames there are is counted where
 * they live, since it is there that they cannot be reclaimed.
 */
#include "copy.h"
#include "dirty.h"
#include "index.h"
#include "pool.h"

/* Above this share of the hard watermark frames are written back unasked. */
#define BACKGROUND_SHARE	2

void hearth_dirty_init(struct hearth_pool *pool)
{
	spin_lock_init(&pool->dirty_lock);
	pool->dirty_extents = RB_ROOT;
}

static struct hearth_pool *shard_of(struct hearth_cache *cache,
				    const struct hearth_extent *ext)
{
	return cache->pools[hearth_cache_shard(cache, ext->key *
						      HEARTH_EXTENT_BYTES)];
}

static u64 key_of(const struct rb_node *node)
{
	return rb_entry(node, struct hearth_extent, dirty_node)->key;
}

static void link_extent(struct hearth_pool *pool, struct hearth_extent *ext)
{
	struct rb_node **link = &pool->dirty_extents.rb_node;
	struct rb_node *parent = NULL;

	lockdep_assert_held(&pool->dirty_lock);
	while (*link) {
		parent = *link;
		if (ext->key < key_of(parent))
			link = &parent->rb_left;
		else
			link = &parent->rb_right;
	}
	rb_link_node(&ext->dirty_node, parent, link);
	rb_insert_color(&ext->dirty_node, &pool->dirty_extents);
}

/* Sets the extent's mask; it is linked while that is not empty. */
static void set_mask(struct hearth_cache *cache, struct hearth_extent *ext,
		     u16 mask)
{
	struct hearth_pool *pool = shard_of(cache, ext);
	bool was_dirty = ext->dirty;

	spin_lock(&pool->dirty_lock);
	ext->dirty = mask;
	if (mask && !was_dirty)
		link_extent(pool, ext);
	else if (!mask && was_dirty)
		rb_erase(&ext->dirty_node, &pool->dirty_extents);
	spin_unlock(&pool->dirty_lock);
}

/**
 * hearth_dirty_set() - the cache has sectors that the device has not
 * @cache: the cache
 * @frame: their frame, in its slot
 * @sectors: which; they are valid
 *
 * Context: Under the extent's lock.
 */
void hearth_dirty_set(struct hearth_cache *cache, struct hearth_frame *frame,
		      u8 sectors)
{
	struct hearth_extent *ext = frame->extent;
	bool was_clean = !frame->dirty;

	lockdep_assert_held(&ext->lock);
	WRITE_ONCE(frame->dirty, frame->dirty | sectors);
	if (!was_clean || !sectors)
		return;
	atomic_long_inc(&cache->pools[frame->nid]->nr_dirty);
	set_mask(cache, ext, ext->dirty | BIT(frame->index));
}

/**
 * hearth_dirty_set_frames() - the same for all sectors of some frames
 * @cache: the cache
 * @ext: their extent
 * @frames: which; they are valid
 *
 * Context: Under the extent's lock.
 */
void hearth_dirty_set_frames(struct hearth_cache *cache,
			     struct hearth_extent *ext, u16 frames)
{
	unsigned long todo = frames;
	struct hearth_frame *frame;
	u16 mask = ext->dirty;
	unsigned int i;

	lockdep_assert_held(&ext->lock);
	for_each_set_bit(i, &todo, HEARTH_EXTENT_FRAMES) {
		frame = ext->frames[i];
		if (!frame->dirty) {
			atomic_long_inc(&cache->pools[frame->nid]->nr_dirty);
			mask |= BIT(i);
		}
		WRITE_ONCE(frame->dirty, HEARTH_FRAME_ALL);
	}
	if (mask != ext->dirty)
		set_mask(cache, ext, mask);
}

/**
 * hearth_dirty_clear() - the device has sectors now, or nobody wants them
 * @cache: the cache
 * @frame: their frame, or NULL
 * @sectors: which
 *
 * Context: Under the extent's lock.
 */
void hearth_dirty_clear(struct hearth_cache *cache, struct hearth_frame *frame,
			u8 sectors)
{
	struct hearth_extent *ext;

	if (!frame || !(frame->dirty & sectors))
		return;
	ext = frame->extent;
	lockdep_assert_held(&ext->lock);
	WRITE_ONCE(frame->dirty, frame->dirty & ~sectors);
	if (frame->dirty)
		return;
	atomic_long_dec(&cache->pools[frame->nid]->nr_dirty);
	set_mask(cache, ext, ext->dirty & ~BIT(frame->index));
}

/**
 * hearth_dirty_next() - the next extent with dirty frames
 * @pool: its shard
 * @frame_nr: where to begin
 * @ret_mask: which of its frames are dirty, from @frame_nr on; not empty
 *
 * Context: Under the pool's dirty_lock, which keeps the extent.
 * Return: The extent or NULL.
 */
struct hearth_extent *hearth_dirty_next(struct hearth_pool *pool, u64 frame_nr,
					u16 *ret_mask)
{
	struct rb_node *node = pool->dirty_extents.rb_node;
	u64 key = frame_nr >> HEARTH_EXTENT_SHIFT;
	struct hearth_extent *ext, *next = NULL;
	u16 above;

	lockdep_assert_held(&pool->dirty_lock);
	above = ~0U << frame_nr % HEARTH_EXTENT_FRAMES;
	while (node) {
		ext = rb_entry(node, struct hearth_extent, dirty_node);
		if (ext->key > key || (ext->key == key && ext->dirty & above)) {
			next = ext;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	if (next)
		*ret_mask = next->dirty & (next->key == key ? above : ~0);
	return next;
}

/**
 * hearth_cache_set_dirty() - set the hard watermark
 * @cache: the cache
 * @bytes: how much may be dirty; split over the nodes by their shares
 *
 * Writes above it go through to the device.
 *
 * Context: Any.
 */
void hearth_cache_set_dirty(struct hearth_cache *cache, u64 bytes)
{
	unsigned long total = 0;
	struct hearth_pool *pool;
	u64 limit;
	int nid;

	for_each_node(nid)
		total += cache->pools[nid] ? cache->pools[nid]->max_pages : 0;
	limit = min_t(u64, bytes >> HEARTH_FRAME_SHIFT, total);
	for_each_node(nid) {
		pool = cache->pools[nid];
		if (pool)
			WRITE_ONCE(pool->max_dirty,
				   mul_u64_u64_div_u64(limit, pool->max_pages,
						       total));
	}
}

/* Frames of a node that have dirty sectors. */
unsigned long hearth_cache_dirty(const struct hearth_cache *cache, int nid)
{
	return cache->pools[nid] ?
	       atomic_long_read(&cache->pools[nid]->nr_dirty) : 0;
}

/* Whether the device lacks anything. */
bool hearth_dirty_any(const struct hearth_cache *cache)
{
	int nid;

	for_each_node(nid) {
		if (hearth_cache_dirty(cache, nid))
			return true;
	}
	return false;
}

/* Where the frames of a write live, or most of them. */
static struct hearth_pool *home_pool(struct hearth_cache *cache, int nid,
				     u64 offset)
{
	if (READ_ONCE(cache->home) == HEARTH_HOME_TOUCH && cache->pools[nid])
		return cache->pools[nid];
	return cache->pools[hearth_cache_shard(cache, offset)];
}

/* Dirty frames that writing back makes clean. */
static unsigned long nr_cleanable(const struct hearth_pool *pool)
{
	unsigned long nr_dirty = atomic_long_read(&pool->nr_dirty);
	unsigned long nr_stored = atomic_long_read(&pool->nr_stored);

	return nr_dirty - min(nr_dirty, nr_stored);
}

/**
 * hearth_dirty_may_grow() - whether a write may leave dirty frames behind
 * @cache: the cache
 * @nid: node of its data
 * @offset: where it begins in the LUN
 * @nr: how many frames it is
 *
 * Context: Any; a moment's answer.
 */
bool hearth_dirty_may_grow(struct hearth_cache *cache, int nid, u64 offset,
			   unsigned long nr)
{
	struct hearth_pool *pool = home_pool(cache, nid, offset);

	return nr_cleanable(pool) + nr <=
	       min(READ_ONCE(pool->max_dirty), READ_ONCE(pool->limit));
}

/* Whether it is time to write back where a write has left dirty frames. */
bool hearth_dirty_is_high(struct hearth_cache *cache, int nid, u64 offset)
{
	struct hearth_pool *pool = home_pool(cache, nid, offset);

	return nr_cleanable(pool) * BACKGROUND_SHARE >
	       READ_ONCE(pool->max_dirty);
}

/* The dirty ones of a frame's sectors, and a reference to its page. */
static u8 get_dirty(struct hearth_cache *cache, u64 frame_nr,
		    struct page **ret_page)
{
	struct hearth_extent *ext;
	struct hearth_frame *frame;
	u8 dirty = 0;

	ext = hearth_extent_lock_existing(cache,
					  frame_nr >> HEARTH_EXTENT_SHIFT);
	if (!ext)
		return 0;
	__acquire(&ext->lock);	/* hearth_extent_lock_existing() did */
	frame = ext->frames[frame_nr % HEARTH_EXTENT_FRAMES];
	if (frame && frame->dirty) {
		dirty = frame->dirty;
		*ret_page = frame->page;
		get_page(frame->page);
	}
	spin_unlock(&ext->lock);
	return dirty;
}

/**
 * hearth_dirty_covers() - whether a block is dirty
 * @cache: the cache
 * @offset: of the block in the LUN
 * @len: its bytes, all in one frame
 *
 * Context: Process context, no lock held.
 */
bool hearth_dirty_covers(struct hearth_cache *cache, u64 offset, u32 len)
{
	u32 from = offset & (HEARTH_FRAME_BYTES - 1);
	struct page *page;
	u8 dirty;

	dirty = get_dirty(cache, offset >> HEARTH_FRAME_SHIFT, &page);
	if (!dirty)
		return false;
	put_page(page);
	return !(hearth_sector_mask(from, from + len) & ~dirty);
}

/* Copies the dirty ones of a frame's sectors into the span, which moves on. */
static void overlay_frame(struct hearth_io *io, struct hearth_span *span,
			  u32 from, u32 to)
{
	unsigned int sector;
	struct page *page;
	u32 len;
	u8 dirty;

	dirty = get_dirty(io->cache, span->offset >> HEARTH_FRAME_SHIFT, &page);
	for (; from < to; from += len) {
		sector = from >> HEARTH_SECTOR_SHIFT;
		len = min((sector + 1U) << HEARTH_SECTOR_SHIFT, to) - from;
		if (dirty & BIT(sector))
			hearth_copy_to_span(io->cache, span, page, from, len);
		else
			hearth_span_skip(span, len);
	}
	if (dirty)
		put_page(page);
}

/**
 * hearth_dirty_overlay() - put what is dirty over what the device delivered
 * @io: a read that went past the cache, and is still alone on its range
 *
 * Context: Process context, no lock held.
 */
void hearth_dirty_overlay(struct hearth_io *io)
{
	struct hearth_span span = io->span;
	u32 from, to;

	if (!hearth_dirty_any(io->cache))
		return;
	while (span.len) {
		from = span.offset & (HEARTH_FRAME_BYTES - 1);
		to = min_t(u64, from + span.len, HEARTH_FRAME_BYTES);
		overlay_frame(io, &span, from, to);
	}
}
