// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing back in passes.
 *
 * A pass goes once over all that is dirty, each node over its own part of the
 * index, in order of address, with a few requests under way at a time:
 *
 *     pool 0   |--- written back ---|== under way ==|cursor ...... dirty ......|
 *     pool 1   |-- written back --|=== under way ===|cursor ..... dirty .......|
 *
 * One pass runs at a time.  Whatever was dirty when a pass began has been
 * written back when it ends, or has failed: a frame that is claimed is waited
 * for, and what becomes dirty behind the cursor is the next pass's.  So a flush
 * waits for the end of a pass that began after the flush came: the next one if
 * one is running, of which it makes use too, since all that is left to be
 * written there was dirty before.
 *
 * A request for write-back waits for a claim, or for a range, only while it
 * holds nothing; when it meets an obstacle later it goes with what it has and
 * the cursor comes back to the rest.  So whoever waits for it waits for the
 * device only.
 *
 * A pass that failed somewhere leaves the next one careful: it writes frame by
 * frame, so that in the end only what cannot be written stays dirty.
 */
#include "claim.h"
#include "dirty.h"
#include "flush.h"
#include "pool.h"
#include "slot.h"
#include "sync.h"

/* Of one node at a time: requests, and extents in each. */
#define MAX_REQUESTS	8
#define MAX_EXTENTS	16

void hearth_flush_init(struct hearth_flush *flush)
{
	spin_lock_init(&flush->lock);
	INIT_LIST_HEAD(&flush->waiters);
}

static void begin_pass(struct hearth_flush *flush)
{
	lockdep_assert_held(&flush->lock);
	flush->nr_started++;
	flush->nr_busy = 1;
	WRITE_ONCE(flush->is_careful, flush->last_error);
	flush->error = 0;
	flush->bad_first = U64_MAX;
	flush->bad_last = 0;
}

/* Sets a node to work; returns false if it has nothing to do. */
static bool start_pool(struct hearth_pool *pool)
{
	struct hearth_flush *flush = &pool->cache->flush;
	bool is_dirty;

	spin_lock(&pool->dirty_lock);
	is_dirty = !RB_EMPTY_ROOT(&pool->dirty_extents);
	pool->is_flushing = is_dirty;
	pool->cursor = 0;
	if (is_dirty) {
		/* before it can be over */
		spin_lock(&flush->lock);
		flush->nr_busy++;
		spin_unlock(&flush->lock);
	}
	spin_unlock(&pool->dirty_lock);
	return is_dirty;
}

/* Sets the nodes to work on a pass that has begun. */
static void start_pools(struct hearth_cache *cache)
{
	int nid;

	for_each_node(nid) {
		if (cache->pools[nid] && start_pool(cache->pools[nid]))
			cache->ops->flush(cache, nid);
	}
}

/* Whether what a flush asks for could not be written. */
static bool is_hit(const struct hearth_flush *flush, const struct hearth_io *io)
{
	u64 last;

	if (!flush->error || !io->span.len)
		return flush->error;
	last = (io->span.offset + io->span.len - 1) >> HEARTH_FRAME_SHIFT;
	return io->span.offset >> HEARTH_FRAME_SHIFT <= flush->bad_last &&
	       last >= flush->bad_first;
}

/* The pass is over: takes off the queue who has waited for it. */
static void end_pass(struct hearth_flush *flush, struct list_head *woken)
{
	struct hearth_io *io, *next;

	lockdep_assert_held(&flush->lock);
	WRITE_ONCE(flush->last_error, flush->error);
	list_for_each_entry_safe(io, next, &flush->waiters, wait) {
		if (io->pass != flush->nr_started)
			continue;
		io->error = is_hit(flush, io) ? flush->error : 0;
		list_move_tail(&io->wait, woken);
	}
}

/*
 * One of those who are at work on the pass is done.  The last one ends it, and
 * begins the next if anybody waits for that.
 */
static void leave_pass(struct hearth_cache *cache)
{
	struct hearth_flush *flush = &cache->flush;
	bool again;

	do {
		LIST_HEAD(woken);

		again = false;
		spin_lock(&flush->lock);
		if (!--flush->nr_busy) {
			end_pass(flush, &woken);
			again = !list_empty(&flush->waiters);
			if (again)
				begin_pass(flush);
		}
		spin_unlock(&flush->lock);
		hearth_claim_run(&woken);
		if (again)
			start_pools(cache);
	} while (again);
}

/**
 * hearth_flush_start() - begin a pass unless one is running
 * @cache: the cache
 *
 * Context: Process context, no lock held; waits for nothing.
 */
void hearth_flush_start(struct hearth_cache *cache)
{
	struct hearth_flush *flush = &cache->flush;
	bool start;

	spin_lock(&flush->lock);
	start = !flush->nr_busy;
	if (start)
		begin_pass(flush);
	spin_unlock(&flush->lock);
	if (!start)
		return;
	start_pools(cache);
	leave_pass(cache);
}

/**
 * hearth_flush_if_due() - write back if a write has left much behind
 * @cache: the cache
 * @nid: node of the write's data
 * @offset: where it began in the LUN
 *
 * While the device fails, only the owner tries again.
 *
 * Context: Process context, no lock held; waits for nothing.
 */
void hearth_flush_if_due(struct hearth_cache *cache, int nid, u64 offset)
{
	if (hearth_dirty_is_high(cache, nid, offset) &&
	    !hearth_cache_flush_error(cache))
		hearth_flush_start(cache);
}

/**
 * hearth_flush_wait() - have a flush run when all that is dirty now is written
 * @io: a HEARTH_OP_FLUSH request; its error will be that of the write-back
 *
 * Context: Process context, no lock held; waits for nothing itself.
 */
void hearth_flush_wait(struct hearth_io *io)
{
	struct hearth_cache *cache = io->cache;
	struct hearth_flush *flush = &cache->flush;

	if (!hearth_dirty_any(cache)) {
		hearth_sync_start(io);
		return;
	}
	io->stage = HEARTH_STAGE_FLUSH;
	spin_lock(&flush->lock);
	io->pass = flush->nr_started + 1;
	list_add_tail(&io->wait, &flush->waiters);
	spin_unlock(&flush->lock);
	hearth_flush_start(cache);
}

enum pick {
	PICK_RUN,	/* there is something to write */
	PICK_NOTHING,	/* not now */
	PICK_LAST,	/* all of the pool's part of the pass is done */
};

/* Takes what comes next: frames of extents that lie one behind the other. */
static enum pick pick_run(struct hearth_pool *pool, u64 *ret_first,
			  u64 *ret_end)
{
	bool is_careful = READ_ONCE(pool->cache->flush.is_careful);
	struct hearth_extent *ext;
	unsigned int nr = 0;
	u64 base, end = 0;
	u16 mask;

	lockdep_assert_held(&pool->dirty_lock);
	if (!pool->is_flushing || pool->nr_cleaning >= MAX_REQUESTS)
		return PICK_NOTHING;
	while (nr < MAX_EXTENTS) {
		ext = hearth_dirty_next(pool, pool->cursor, &mask);
		if (!ext)
			break;
		base = ext->key << HEARTH_EXTENT_SHIFT;
		if (!nr++)
			*ret_first = base + __ffs(mask);
		else if (base != round_down(end - 1, HEARTH_EXTENT_FRAMES) +
				 HEARTH_EXTENT_FRAMES)
			break;
		end = is_careful ? *ret_first + 1 : base + __fls(mask) + 1;
		pool->cursor = end;
		if (is_careful)
			break;
	}
	if (end) {
		*ret_end = end;
		pool->nr_cleaning++;
		return PICK_RUN;
	}
	if (pool->nr_cleaning)
		return PICK_NOTHING;
	pool->is_flushing = false;
	return PICK_LAST;
}

/**
 * hearth_flush_run() - go on with a node's part of a pass
 * @cache: the cache
 * @nid: the node
 *
 * Context: Process context, no lock held; may wait for memory for requests.
 */
void hearth_flush_run(struct hearth_cache *cache, int nid)
{
	struct hearth_pool *pool = cache->pools[nid];
	u64 first, end, offset;
	struct hearth_io *io;
	enum pick pick;

	do {
		spin_lock(&pool->dirty_lock);
		pick = pick_run(pool, &first, &end);
		spin_unlock(&pool->dirty_lock);
		if (pick != PICK_RUN)
			break;
		offset = first << HEARTH_FRAME_SHIFT;
		io = cache->ops->alloc(cache, HEARTH_OP_CLEAN, offset,
				       min(end << HEARTH_FRAME_SHIFT,
					   cache->size_bytes) - offset, nid);
		hearth_io_submit(io);
	} while (pick == PICK_RUN);
	if (pick == PICK_LAST)
		leave_pass(cache);
}

/**
 * hearth_flush_rewind() - a request goes without its last part
 * @io: a HEARTH_OP_CLEAN request; &hearth_io.nr_slots was cut
 *
 * Context: Any, under an extent's lock at most.
 */
void hearth_flush_rewind(struct hearth_io *io)
{
	struct hearth_pool *pool = io->cache->pools[io->nid];
	u64 end = io->first + io->nr_slots;

	spin_lock(&pool->dirty_lock);
	pool->cursor = min(pool->cursor, end);
	spin_unlock(&pool->dirty_lock);
}

static void note_error(struct hearth_io *io)
{
	struct hearth_flush *flush = &io->cache->flush;

	spin_lock(&flush->lock);
	flush->error = io->error;
	flush->bad_first = min(flush->bad_first, io->first);
	flush->bad_last = max(flush->bad_last, io->first + io->nr_slots - 1);
	spin_unlock(&flush->lock);
}

/**
 * hearth_flush_done() - a request for write-back is over
 * @io: a HEARTH_OP_CLEAN request that holds nothing any more
 *
 * Context: Process context, no lock held.
 */
void hearth_flush_done(struct hearth_io *io)
{
	struct hearth_cache *cache = io->cache;
	struct hearth_pool *pool = cache->pools[io->nid];

	if (io->error)
		note_error(io);
	spin_lock(&pool->dirty_lock);
	pool->nr_cleaning--;
	spin_unlock(&pool->dirty_lock);
	cache->ops->flush(cache, io->nid);
}
