// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readahead without a table of streams.
 *
 * All that a stream needs to be known by lies in the cache already:
 *
 *      read before    asked for, missing    window 1          window 2
 *     |. . . . . . . |==================|m . . . . . . . |m . . . . . . . . . .|
 *
 *  - A read that misses right behind a frame that came in just now is taken for
 *    sequential.  A first window, twice its size, is filled asynchronously.
 *    Behind one that came in long ago it is chance: in a cache that holds half
 *    of the LUN every other random read finds such a neighbour.
 *  - The first frame of every window carries a mark (m): log2 of its length.
 *    Whoever hits a marked frame has reached the window; the mark is taken off
 *    and the window behind it is started, twice as long up to the limit.
 *
 * So while a reader is in one window the next is on its way.  Any number of
 * streams may interleave; one that stops, or jumps, hits no mark, and nothing
 * has to be cancelled.  A hit looks at one more byte of the line that it looks
 * at anyway.
 *
 * Readahead waits for nobody: it takes frames that nobody claims, is dropped
 * where there is no memory, and its errors are nobody's: the block is read
 * again when it is asked for.  What is under way is bounded by a share of the
 * cache.
 */
#include "index.h"
#include "pool.h"
#include "readahead.h"

#define MIN_ORDER	5	/* 128 KiB */

/* Just now: among the last 1/64 of a pool's frames, or among the last few. */
#define YOUNG_SHARE	64
#define MIN_YOUNG	64UL

/**
 * hearth_cache_set_ahead() - set the largest readahead window
 * @cache: the cache
 * @bytes: the window; less than 128 KiB: no readahead
 *
 * Context: Any.
 */
void hearth_cache_set_ahead(struct hearth_cache *cache, u64 bytes)
{
	u64 nr_frames = bytes >> HEARTH_FRAME_SHIFT;
	u8 order = nr_frames ? ilog2(nr_frames) : 0;

	WRITE_ONCE(cache->max_ahead_order, order < MIN_ORDER ? 0 : order);
}

/**
 * hearth_ahead_note() - a marked frame was hit
 * @ahead: where what is due is noted
 * @frame_nr: the frame
 * @order: its mark
 */
void hearth_ahead_note(struct hearth_ahead *ahead, u64 frame_nr, u8 order)
{
	ahead->frame = frame_nr + (1ULL << order);
	ahead->order = order + 1;
}

/* Whether a frame came in just now, compared with the size of its pool. */
static bool is_young(struct hearth_cache *cache,
		     const struct hearth_frame *frame)
{
	const struct hearth_pool *pool = cache->pools[frame->nid];
	u32 age = READ_ONCE(pool->policy.nr_inserted) - frame->born;

	return age <= max(READ_ONCE(pool->limit) / YOUNG_SHARE, MIN_YOUNG);
}

static bool was_just_read(struct hearth_cache *cache, u64 frame_nr)
{
	struct hearth_extent *ext;
	struct hearth_frame *frame;
	bool is = false;

	rcu_read_lock();
	ext = hearth_extent_find(cache, frame_nr >> HEARTH_EXTENT_SHIFT);
	if (ext) {
		spin_lock(&ext->lock);
		frame = ext->frames[frame_nr % HEARTH_EXTENT_FRAMES];
		is = frame && frame->valid && is_young(cache, frame);
		spin_unlock(&ext->lock);
	}
	rcu_read_unlock();
	return is;
}

/**
 * hearth_ahead_miss() - a read has to fill frames: is it sequential?
 * @io: the read; what is due is noted in &hearth_io.ahead
 *
 * Context: Process context.
 */
void hearth_ahead_miss(struct hearth_io *io)
{
	if (io->ahead.order || !io->first ||
	    !was_just_read(io->cache, io->first - 1))
		return;
	io->ahead.frame = io->first + io->nr_slots;
	io->ahead.order = max(MIN_ORDER, ilog2(io->nr_slots) + 1);
}

/**
 * hearth_ahead_alloc() - make the request that fills the window that is due
 * @cache: the cache
 * @ahead: the window, or nothing
 * @nid: where its frames should live if they have no home by address
 *
 * The caller submits it, if need be when the request that asked for it is over:
 * until then it keeps the cache alive.
 *
 * Context: Process context, no lock held.
 * Return: The request, or NULL: nothing is due, or too much is under way.
 */
struct hearth_io *hearth_ahead_alloc(struct hearth_cache *cache,
				     struct hearth_ahead ahead, int nid)
{
	u8 order = min3(ahead.order, READ_ONCE(cache->max_ahead_order),
			(u8)ilog2(READ_ONCE(cache->max_io_frames)));
	u64 offset = ahead.frame << HEARTH_FRAME_SHIFT;
	u64 lun_bytes = READ_ONCE(cache->size_bytes);
	struct hearth_io *io = NULL;
	long nr_frames;
	u64 len;

	if (!order || offset >= lun_bytes)
		return NULL;
	len = min(1ULL << (order + HEARTH_FRAME_SHIFT),
		  lun_bytes - offset);
	nr_frames = DIV_ROUND_UP_ULL(len, HEARTH_FRAME_BYTES);
	if (atomic_long_add_return(nr_frames, &cache->nr_ahead) <=
	    cache->max_io_frames)
		io = cache->ops->alloc(cache, HEARTH_OP_PREFETCH, offset, len,
				       nid);
	if (io)
		io->order = order;
	else
		atomic_long_sub(nr_frames, &cache->nr_ahead);
	return io;
}

/**
 * hearth_ahead_done() - a window is filled, or was given up
 * @io: the request; one that was asked for is not readahead
 *
 * Context: Any.
 */
void hearth_ahead_done(struct hearth_io *io)
{
	if (io->order)
		atomic_long_sub(io->nr_slots, &io->cache->nr_ahead);
}
