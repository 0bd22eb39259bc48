// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the device has acknowledged and may still lose.
 *
 * A device with a volatile cache keeps what was written before a flush if the
 * flush succeeds.  If it fails, that may be lost, and the next flush may succeed
 * nevertheless: it speaks of what came since.  So a failed flush must not be
 * forgotten as soon as it was reported.
 *
 * Flushes of the device go in *rounds*, one at a time; requests that come during
 * a round share the next one:
 *
 *     epoch 6    | epoch 7           | epoch 8
 *     . . w . . .|. . . . w . . . . .|. . . . . .
 *                ^ round 6 begins    ^ round 7 begins
 *
 * What was written in epoch 6 or before is safe if round 6 succeeds; until then
 * it is *at risk*.  Each extent remembers the epoch in which the device last
 * acknowledged something of it, the cache that of the last round which is over.
 * So a round that succeeds costs nothing.
 *
 * When a round fails, everything that the cache holds of extents at risk becomes
 * dirty again, and the flush fails.  The next one finds it dirty, has it written
 * anew, and succeeds only after a round that began behind that.  What was being
 * written when the round failed is written again as well.
 *
 * What is at risk and not in the cache has *escaped*: evicted, dropped, or
 * written past the cache.  It cannot be written again.  If a round fails then,
 * data that was acknowledged may be *lost*, and every flush fails until the
 * administrator has said that he knows.
 */
#include "claim.h"
#include "dirty.h"
#include "flush.h"
#include "index.h"
#include "sync.h"

void hearth_sync_init(struct hearth_sync *sync)
{
	spin_lock_init(&sync->lock);
	INIT_LIST_HEAD(&sync->members);
	INIT_LIST_HEAD(&sync->waiters);
	sync->epoch = 1;
}

/* Whether epoch @a is later than @b, although the count may wrap. */
static bool is_after(u32 a, u32 b)
{
	return (s32)(a - b) > 0;
}

static bool is_at_risk(const struct hearth_sync *sync,
		       const struct hearth_extent *ext)
{
	return ext->written && is_after(ext->written, READ_ONCE(sync->settled));
}

static void begin_round(struct hearth_sync *sync)
{
	lockdep_assert_held(&sync->lock);
	sync->is_running = true;
	WRITE_ONCE(sync->epoch, sync->epoch + 1 ?: 1);
}

/**
 * hearth_sync_start() - flush the device
 * @io: a HEARTH_OP_FLUSH request; all that it covers was written back
 *
 * Context: Process context, no lock held; waits for nothing itself.
 */
void hearth_sync_start(struct hearth_io *io)
{
	struct hearth_sync *sync = &io->cache->sync;
	bool is_first;

	spin_lock(&sync->lock);
	is_first = !sync->is_running;
	if (is_first)
		begin_round(sync);
	else
		list_add_tail(&io->wait, &sync->waiters);
	spin_unlock(&sync->lock);
	if (is_first)
		io->cache->ops->submit(io);
}

static bool make_dirty(struct hearth_extent *ext, void *arg)
{
	struct hearth_cache *cache = arg;
	unsigned int i;

	if (!is_at_risk(&cache->sync, ext))
		return false;
	for (i = 0; i < HEARTH_EXTENT_FRAMES; i++) {
		if (ext->frames[i])
			hearth_dirty_set(cache, ext->frames[i],
					 ext->frames[i]->valid);
	}
	return false;
}

/**
 * hearth_sync_distrust() - the device may have lost what was not flushed
 * @cache: the cache
 *
 * What the cache holds of it becomes dirty again; whether that is all shows in
 * hearth_cache_is_lost().
 *
 * Context: Process context, no lock held.
 */
void hearth_sync_distrust(struct hearth_cache *cache)
{
	struct hearth_sync *sync = &cache->sync;

	spin_lock(&sync->lock);
	/* first: what is being written sees this or is seen by the walk */
	WRITE_ONCE(sync->nr_failed, sync->nr_failed + 1);
	spin_unlock(&sync->lock);
	hearth_index_walk(cache, 0, U64_MAX, make_dirty, cache);
	spin_lock(&sync->lock);
	if (is_after(sync->escaped, sync->settled)) {
		WRITE_ONCE(sync->is_lost, true);
		WRITE_ONCE(sync->escaped, sync->settled);
	}
	spin_unlock(&sync->lock);
}

/* All that waits has to look again at what is dirty now. */
static void restart_waiters(struct hearth_sync *sync, struct list_head *woken)
{
	struct hearth_io *io;

	list_for_each_entry(io, &sync->waiters, wait)
		io->stage = HEARTH_STAGE_RESTART;
	list_splice_init(&sync->waiters, woken);
}

/* Has those who came meanwhile share a round; returns who stands for them. */
static struct hearth_io *next_round(struct hearth_sync *sync)
{
	struct hearth_io *io;

	lockdep_assert_held(&sync->lock);
	if (list_empty(&sync->waiters))
		return NULL;
	io = list_first_entry(&sync->waiters, struct hearth_io, wait);
	list_del(&io->wait);
	list_splice_init(&sync->waiters, &sync->members);
	begin_round(sync);
	return io;
}

/**
 * hearth_sync_end() - the device was flushed, or could not be
 * @io: the request that hearth_sync_start() had submitted; it is done then
 *
 * Context: Process context, no lock held.
 */
void hearth_sync_end(struct hearth_io *io)
{
	struct hearth_cache *cache = io->cache;
	struct hearth_sync *sync = &cache->sync;
	struct hearth_io *member, *next = NULL;
	int error = io->error;
	LIST_HEAD(woken);

	if (error)
		hearth_sync_distrust(cache);
	spin_lock(&sync->lock);
	WRITE_ONCE(sync->error, error);
	/* settled for good or bad: it is safe, dirty again, or lost */
	WRITE_ONCE(sync->settled, sync->epoch - 1);
	if (sync->is_lost && !error)
		error = -EIO;
	list_for_each_entry(member, &sync->members, wait) {
		member->error = error;
		member->stage = HEARTH_STAGE_DONE;
	}
	list_splice_init(&sync->members, &woken);
	sync->is_running = false;
	if (io->error)
		restart_waiters(sync, &woken);
	else
		next = next_round(sync);
	spin_unlock(&sync->lock);
	hearth_claim_run(&woken);
	if (next)
		cache->ops->submit(next);
	io->error = error;
	cache->ops->done(io);
}

/**
 * hearth_sync_written() - the device has acknowledged sectors of a frame
 * @io: the write or write-back
 * @frame: the frame, which holds them
 * @sectors: which
 *
 * Context: Under the extent's lock.
 */
void hearth_sync_written(struct hearth_io *io, struct hearth_frame *frame,
			 u8 sectors)
{
	struct hearth_sync *sync = &io->cache->sync;

	lockdep_assert_held(&frame->extent->lock);
	if (io->fua)
		return;
	frame->extent->written = READ_ONCE(sync->epoch);
	if (io->nr_failed != READ_ONCE(sync->nr_failed))
		hearth_dirty_set(io->cache, frame, sectors);
}

/**
 * hearth_sync_written_past() - the device was changed past the cache
 * @io: the request; it succeeded
 *
 * Context: Process context, no lock held.
 */
void hearth_sync_written_past(struct hearth_io *io)
{
	struct hearth_sync *sync = &io->cache->sync;

	spin_lock(&sync->lock);
	WRITE_ONCE(sync->escaped, sync->epoch);
	if (io->nr_failed != sync->nr_failed)
		WRITE_ONCE(sync->is_lost, true);
	spin_unlock(&sync->lock);
}

/**
 * hearth_sync_escapes() - something of an extent leaves the cache
 * @cache: the cache
 * @ext: the extent
 *
 * Context: Under the extent's lock.
 */
void hearth_sync_escapes(struct hearth_cache *cache,
			 const struct hearth_extent *ext)
{
	struct hearth_sync *sync = &cache->sync;

	lockdep_assert_held(&ext->lock);
	if (!is_at_risk(sync, ext) ||
	    !is_after(ext->written, READ_ONCE(sync->escaped)))
		return;
	spin_lock(&sync->lock);
	WRITE_ONCE(sync->escaped, sync->epoch);
	spin_unlock(&sync->lock);
}

/**
 * hearth_cache_accept_loss() - flushes may succeed again
 * @cache: the cache; whoever needs to know knows what the device has lost
 *
 * Context: Any.
 */
void hearth_cache_accept_loss(struct hearth_cache *cache)
{
	spin_lock(&cache->sync.lock);
	WRITE_ONCE(cache->sync.is_lost, false);
	spin_unlock(&cache->sync.lock);
}
