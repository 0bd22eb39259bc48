// SPDX-License-Identifier: GPL-2.0-only
/*
 * A range request runs alone on its part of the LUN without owning a frame.
 *
 * It may be far larger than the cache (UNMAP of a whole LUN) and needs no
 * memory of its own, so it cannot claim frame by frame.  Instead:
 *
 *  - publish: it enters the cache's list of ranges.  It becomes active when no
 *    earlier range that overlaps is left;
 *  - from then on a request that wants a frame within waits for the range,
 *    unless it holds a frame within already;
 *  - drain: it walks the extents that exist and waits for each that is claimed
 *    until one whole walk finds nothing;
 *  - the I/O runs; what it changed is made invalid; the range is withdrawn.
 *
 * Dirty frames are not written back for it.  Who changes the device takes away
 * what it has overwritten there; who reads it looks at them afterwards.
 *
 * Why a clean walk is enough.  A claim within the active range that the walk
 * has already passed can only be made by a request that holds a lower frame
 * within, one claimed before the range became active (who was only queued for
 * it finds the range when his turn comes).  Claims are given back in descending
 * order, so while anything higher is held, that lower frame is too, and the
 * walk cannot have found its extent idle.
 *
 * Why nobody misses anybody.  A claim is made under the extent's lock and looks
 * at nr_ranges there.  A range is published before the walk takes that lock
 * (or, where there is no extent yet, the bucket's, which whoever adds it takes
 * later).  So either the walk sees the claim or the claim sees the range.
 *
 * Why nothing deadlocks.  Follow who waits for whom from one holder of a frame
 * to the next.  A request waits in an extent above all that it holds, there in
 * the end for the holder of a frame of that extent (whoever is ahead of it in
 * the queue waits for one as well); or for an active range that lies above all
 * that it holds, and so for the holder of a frame in there.  Either way the
 * frame that is waited for lies above the frames that the waiting request
 * holds, so the chain only rises and never closes.  This is why a range must not
 * wait for those who are only queued: they may wait for a frame below it.
 * A range that is not active yet blocks nobody but later ranges.
 */
#include "cache.h"
#include "claim.h"
#include "dirty.h"
#include "index.h"
#include "pool.h"
#include "range.h"
#include "show.h"
#include "sync.h"

static bool overlaps(const struct hearth_io *a, const struct hearth_io *b)
{
	return a->first < b->first + b->nr_slots &&
	       b->first < a->first + a->nr_slots;
}

/* Makes a range active and ready to run unless an earlier one overlaps. */
static void try_activate(struct hearth_io *io, struct list_head *woken)
{
	struct hearth_cache *cache = io->cache;
	struct hearth_io *earlier;

	lockdep_assert_held(&cache->range_lock);
	list_for_each_entry(earlier, &cache->ranges, range_node) {
		if (earlier == io)
			break;
		if (overlaps(earlier, io))
			return;
	}
	io->range_active = true;
	list_add_tail(&io->wait, woken);
}

/**
 * hearth_range_start() - run a request past the cache
 * @io: the request; holds no claim and has no slots
 *
 * Its backing I/O is started when it is alone on its range.
 *
 * Context: Process context, no lock held.
 */
void hearth_range_start(struct hearth_io *io)
{
	struct hearth_cache *cache = io->cache;
	LIST_HEAD(woken);

	io->stage = HEARTH_STAGE_DRAIN;
	io->range_active = false;
	INIT_LIST_HEAD(&io->range_waiters);
	spin_lock(&cache->range_lock);
	list_add_tail(&io->range_node, &cache->ranges);
	WRITE_ONCE(cache->nr_ranges, cache->nr_ranges + 1);
	try_activate(io, &woken);
	spin_unlock(&cache->range_lock);
	hearth_claim_run(&woken);
}

/* Queues the range behind the first extent that is not idle. */
static bool wait_for_extent(struct hearth_extent *ext, void *arg)
{
	struct hearth_io *io = arg;
	u16 mask = hearth_io_frames(io, ext->key);

	if (!(mask & (ext->busy | ext->cleaning)))
		return false;
	io->wait_mask = mask;
	list_add_tail(&io->wait, &ext->waiters);
	return true;
}

/**
 * hearth_range_drain() - wait for earlier claims, then start the I/O
 * @io: a published, active range
 *
 * Context: Process context, no lock held.
 */
void hearth_range_drain(struct hearth_io *io)
{
	u64 last = (io->first + io->nr_slots - 1) >> HEARTH_EXTENT_SHIFT;

	if (hearth_index_walk(io->cache, io->first >> HEARTH_EXTENT_SHIFT, last,
			      wait_for_extent, io))
		return;
	if (io->op == HEARTH_OP_FORGET)
		hearth_io_end(io, 0);
	else
		io->cache->ops->submit(io);
}

/* The active range that keeps a request from the extent at its position. */
static struct hearth_io *find_blocker(struct hearth_io *io)
{
	struct hearth_cache *cache = io->cache;
	u64 from = max(io->pos, io->first);
	u64 to = min(round_down(io->pos, HEARTH_EXTENT_FRAMES) +
		     HEARTH_EXTENT_FRAMES, io->first + io->nr_slots);
	struct hearth_io *range;

	lockdep_assert_held(&cache->range_lock);
	list_for_each_entry(range, &cache->ranges, range_node) {
		if (range->range_active && range->first < to &&
		    range->first + range->nr_slots > from &&
		    io->held_end <= range->first)
			return range;
	}
	return NULL;
}

/**
 * hearth_range_blocks() - whether a request must wait for a range
 * @io: the request, about to claim frames of the extent at &hearth_io.pos
 *
 * If so, it is queued there and will be run again.
 *
 * Context: Under the extent's lock.
 */
bool hearth_range_blocks(struct hearth_io *io)
{
	struct hearth_cache *cache = io->cache;
	struct hearth_io *range;

	if (!READ_ONCE(cache->nr_ranges))
		return false;
	spin_lock(&cache->range_lock);
	range = find_blocker(io);
	if (range)
		list_add_tail(&io->wait, &range->range_waiters);
	spin_unlock(&cache->range_lock);
	return range;
}

/**
 * hearth_range_overlaps() - the same for a request that does not wait
 * @io: the request
 *
 * Context: Under the extent's lock.
 */
bool hearth_range_overlaps(struct hearth_io *io)
{
	struct hearth_cache *cache = io->cache;
	bool overlaps;

	if (!READ_ONCE(cache->nr_ranges))
		return false;
	spin_lock(&cache->range_lock);
	overlaps = find_blocker(io);
	spin_unlock(&cache->range_lock);
	return overlaps;
}

static bool changes_device(const struct hearth_io *io)
{
	return io->op == HEARTH_OP_WRITE || io->op == HEARTH_OP_DISCARD ||
	       io->op == HEARTH_OP_WRITE_SAME;
}

static bool invalidate_extent(struct hearth_extent *ext, void *arg)
{
	struct hearth_io *io = arg;
	unsigned long todo = hearth_io_frames(io, ext->key);
	u64 base = ext->key << HEARTH_EXTENT_SHIFT;
	struct hearth_frame *frame;
	unsigned int i;
	u8 sectors;

	for_each_set_bit(i, &todo, HEARTH_EXTENT_FRAMES) {
		frame = ext->frames[i];
		sectors = hearth_io_sectors(io, base + i);
		if (!io->error && io->op != HEARTH_OP_ALONE &&
		    !(frame && hearth_frame_is_stored(frame)))
			hearth_dirty_clear(io->cache, frame, sectors);
		/* what is shown is as new as the device, see show.c */
		if (frame && !hearth_frame_is_shown(frame))
			hearth_frame_drop(io->cache, frame, sectors);
	}
	return false;
}

/**
 * hearth_range_finish() - take back what was changed, withdraw the range
 * @io: the range; its I/O is over, for good or bad
 *
 * Context: Process context, no lock held.
 */
void hearth_range_finish(struct hearth_io *io)
{
	u64 last = (io->first + io->nr_slots - 1) >> HEARTH_EXTENT_SHIFT;
	struct hearth_cache *cache = io->cache;
	struct hearth_io *later;
	LIST_HEAD(woken);

	if (!io->error && !io->fua && changes_device(io))
		hearth_sync_written_past(io);
	if (io->op != HEARTH_OP_READ)
		hearth_index_walk(cache, io->first >> HEARTH_EXTENT_SHIFT, last,
				  invalidate_extent, io);
	spin_lock(&cache->range_lock);
	list_del(&io->range_node);
	WRITE_ONCE(cache->nr_ranges, cache->nr_ranges - 1);
	list_splice_init(&io->range_waiters, &woken);
	list_for_each_entry(later, &cache->ranges, range_node) {
		if (!later->range_active && overlaps(later, io))
			try_activate(later, &woken);
	}
	spin_unlock(&cache->range_lock);
	hearth_claim_run(&woken);
}
