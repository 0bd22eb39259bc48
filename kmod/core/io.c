// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of one request through the cache.
 *
 *   submit --> claim --> prepare --> backing I/O --> settle, release --> done
 *                |          |
 *                |          |-- nothing to transfer: all hits ---------> done
 *                |          `-- to be written back: settle, release ---> done
 *                `-- no memory, too large, or not for the cache:
 *                    range: publish --> drain --> backing I/O ---------> done
 *
 * A request is owned by one thread at a time: by the one that runs it, by a
 * queue it waits in, or by the backing I/O.  Nobody sleeps on behalf of it
 * except to read again, block by block, what could not be read at once.
 */
#include "cache.h"
#include "claim.h"
#include "copy.h"
#include "dirty.h"
#include "flush.h"
#include "home.h"
#include "range.h"
#include "readahead.h"
#include "rehome.h"
#include "show.h"
#include "slot.h"
#include "sync.h"
#include "window.h"

/* The next run of a frame's sectors, at or behind byte @ret_to. */
static bool next_run(u8 sectors, u32 *ret_from, u32 *ret_to)
{
	unsigned int from = *ret_to >> HEARTH_SECTOR_SHIFT, to;

	while (from < HEARTH_FRAME_SECTORS && !(sectors & BIT(from)))
		from++;
	for (to = from; to < HEARTH_FRAME_SECTORS && sectors & BIT(to);)
		to++;
	*ret_from = from << HEARTH_SECTOR_SHIFT;
	*ret_to = to << HEARTH_SECTOR_SHIFT;
	return from < to;
}

/**
 * hearth_io_transfers() - what the backing I/O has to do next for a slot
 * @io: a request with slots
 * @slot: which
 * @ret_from: first byte within the frame
 * @ret_to: first byte behind; 0 to begin with, else what the last call left
 *
 * The page is &hearth_slot.page; the place on the device that of frame
 * &hearth_io.first + @slot.  Neighbouring slots may go into one bio.
 *
 * Return: false if there is nothing more to do.
 */
bool hearth_io_transfers(const struct hearth_io *io, unsigned long slot,
			 u32 *ret_from, u32 *ret_to)
{
	if (io->slots[slot].kind == HEARTH_SLOT_CLEAN)
		return next_run(io->slots[slot].good, ret_from, ret_to);
	if (*ret_to)
		return false;
	switch (io->slots[slot].kind) {
	case HEARTH_SLOT_FILL:
		*ret_from = 0;
		*ret_to = hearth_io_frame_bytes(io, io->first + slot);
		return true;
	case HEARTH_SLOT_WRITE:
	case HEARTH_SLOT_ADOPT:
		hearth_io_part(io, io->first + slot, ret_from, ret_to);
		return true;
	default:
		return false;
	}
}

/* Goes past the cache because there is no room in it, keeping nothing. */
static void bypass_for_want(struct hearth_io *io)
{
	io->behind = false;
	hearth_count(io->cache, hearth_cache_shard(io->cache, io->span.offset),
		     HEARTH_BYPASSES, 1);
	if (io->slots) {
		hearth_slots_release(io);
		hearth_slots_free(io);
	}
	hearth_range_start(io);
}

/* Counts what was found and what has to be filled. */
static bool count_read(struct hearth_io *io, enum hearth_counter fills)
{
	struct hearth_slot *slot;
	bool missed = false;
	unsigned long i;

	for (i = 0; i < io->nr_slots; i++) {
		slot = &io->slots[i];
		if (hearth_slot_is_claimed(slot)) {
			hearth_count(io->cache, page_to_nid(slot->page), fills,
				     1);
			missed = true;
		} else if (slot->page) {
			hearth_count(io->cache, page_to_nid(slot->page),
				     HEARTH_HITS, 1);
		}
	}
	return missed;
}

static void finish_read(struct hearth_io *io)
{
	if (!io->error && !hearth_home_scatter(io))
		return;
	hearth_slots_free(io);
	io->cache->ops->done(io);
}

static void start_read(struct hearth_io *io)
{
	bool missed = count_read(io, HEARTH_MISSES);
	struct hearth_io *ahead;

	if (missed)
		hearth_ahead_miss(io);
	/* made first: the cache may go with the last of its requests */
	ahead = hearth_ahead_alloc(io->cache, io->ahead, io->nid);
	if (missed)
		io->cache->ops->submit(io);
	else
		finish_read(io);
	if (ahead)
		hearth_io_submit(ahead);
}

/* Fetching is over, or could not even start. */
static void finish_prefetch(struct hearth_io *io)
{
	if (io->slots) {
		hearth_slots_release(io);
		hearth_slots_free(io);
	}
	hearth_ahead_done(io);
	io->cache->ops->done(io);
}

static void start_prefetch(struct hearth_io *io)
{
	if (count_read(io, HEARTH_AHEAD))
		io->cache->ops->submit(io);
	else
		finish_prefetch(io);
}

static void complete_write(struct hearth_io *io)
{
	unsigned long i;

	for (i = 0; i < io->nr_slots; i++)
		io->slots[i].good = io->error ? 0 :
				    hearth_io_sectors(io, io->first + i);
	hearth_show_store(io);
	if (io->around && !io->error && !io->fua)
		hearth_sync_written_past(io);
	hearth_slots_release(io);
	hearth_slots_free(io);
	if (io->behind)
		hearth_flush_if_due(io->cache, io->nid, io->span.offset);
	io->cache->ops->done(io);
}

static void start_write(struct hearth_io *io)
{
	if (!hearth_home_gather(io))
		return;		/* goes on elsewhere */
	if (io->behind)
		complete_write(io);
	else
		io->cache->ops->submit(io);
}

/* Write-back is over, or there was nothing to write any more. */
static void finish_clean(struct hearth_io *io)
{
	unsigned long i;

	for (i = 0; io->error && i < io->nr_slots; i++)
		io->slots[i].good = 0;
	hearth_slots_release(io);
	hearth_slots_free(io);
	hearth_flush_done(io);
	io->cache->ops->done(io);
}

static void start_clean(struct hearth_io *io)
{
	if (io->held_end)
		io->cache->ops->submit(io);
	else
		finish_clean(io);
}

/* Showing is over, or could not even start; or so could a write of a window. */
static void finish_show(struct hearth_io *io)
{
	if (io->slots) {
		hearth_slots_release(io);
		hearth_slots_free(io);
	}
	io->cache->ops->done(io);
}

static void start_show(struct hearth_io *io)
{
	if (hearth_show_start(io))
		io->cache->ops->submit(io);
	else
		finish_show(io);
}

/* There is no room in the cache: go past it, or give up. */
static void want(struct hearth_io *io)
{
	if (io->op == HEARTH_OP_PREFETCH) {
		io->error = -ENOMEM;
		finish_prefetch(io);
	} else if (io->op == HEARTH_OP_SHOW || io->span.prepared) {
		io->error = -ENOMEM;
		finish_show(io);
	} else if (io->op == HEARTH_OP_REHOME) {
		hearth_rehome_start(io);	/* moves what it has: nothing */
	} else {
		bypass_for_want(io);
	}
}

/* All claims are there: get pages and start the transfer. */
static void start_transfer(struct hearth_io *io)
{
	if (io->op == HEARTH_OP_CLEAN)
		start_clean(io);
	else if (io->op == HEARTH_OP_REHOME)
		hearth_rehome_start(io);
	else if (io->op == HEARTH_OP_SHOW)
		start_show(io);
	else if (!hearth_home_prepare(io))
		return;		/* goes on elsewhere */
	else if (!hearth_slots_prepare(io))
		want(io);
	else if (io->op == HEARTH_OP_READ)
		start_read(io);
	else if (io->op == HEARTH_OP_PREFETCH)
		start_prefetch(io);
	else
		start_write(io);
}

static void claim(struct hearth_io *io)
{
	switch (hearth_claim_all(io)) {
	case HEARTH_CLAIMED:
		start_transfer(io);
		break;
	case HEARTH_NO_MEMORY:
		want(io);
		break;
	case HEARTH_WAITS:
		break;
	}
}

/* Remembers a bad block if the request asked for it. */
static void note_bad_block(struct hearth_io *io, u64 offset, int error)
{
	if (offset + io->cache->block_bytes <= io->span.offset ||
	    offset >= io->span.offset + io->span.len)
		return;
	io->error = error;
	io->bad_offset = offset;
}

/*
 * Reads a frame again block by block, but for sectors that are there already.
 * Stops at the first block that the request asked for and cannot have.
 */
static u8 reread_frame(struct hearth_io *io, struct hearth_slot *slot,
		       u64 frame_nr, u8 there)
{
	struct hearth_cache *cache = io->cache;
	u64 start = frame_nr << HEARTH_FRAME_SHIFT;
	u32 end = hearth_io_frame_bytes(io, frame_nr);
	u32 block = cache->block_bytes;
	u8 good = there;
	int error;
	u32 at;
	u8 mask;

	for (at = 0; at < end && !io->error; at += block) {
		mask = hearth_sector_mask(at, at + block);
		if (!(mask & ~there))
			continue;
		error = cache->ops->read_block(cache, start + at, block,
					       slot->page, at);
		if (!error) {
			good |= mask;
			continue;
		}
		/* the page may come from elsewhere, and stays in the cache */
		memzero_page(slot->page, at, block);
		note_bad_block(io, start + at, error);
	}
	return good;
}

/* Makes filled pages whole: what a frame holds wins over what was read. */
static void complete_fills(struct hearth_io *io, bool failed)
{
	struct hearth_slot *slot;
	unsigned long i;
	u64 frame_nr;
	u8 there;
	u32 end;

	for (i = 0; i < io->nr_slots; i++) {
		slot = &io->slots[i];
		frame_nr = io->first + i;
		if (!hearth_slot_is_claimed(slot) ||
		    slot->kind != HEARTH_SLOT_FILL)
			continue;
		there = hearth_slot_keep_old(io, slot, frame_nr, 0);
		end = hearth_io_frame_bytes(io, frame_nr);
		if (failed && hearth_io_is_ahead(io))
			slot->good = there;
		else if (failed)
			slot->good = reread_frame(io, slot, frame_nr, there);
		else
			slot->good = hearth_sector_mask(0, end);
	}
}

static void complete_read(struct hearth_io *io)
{
	bool failed = io->error;

	io->error = 0;
	complete_fills(io, failed);
	hearth_slots_release(io);
	finish_read(io);
}

static void complete_prefetch(struct hearth_io *io)
{
	bool failed = io->error;

	io->error = 0;
	complete_fills(io, failed);
	finish_prefetch(io);
}

static void complete_show(struct hearth_io *io)
{
	bool failed = io->error;

	io->error = 0;
	complete_fills(io, failed);
	finish_show(io);
}

/* A read past the cache failed: read again to find the block. */
static void reread_span(struct hearth_io *io)
{
	struct hearth_cache *cache = io->cache;
	struct hearth_span span = io->span;
	struct page *page;
	int first_error = io->error, error;
	u32 offset, len;

	io->error = 0;
	while (span.len && !io->error) {
		len = hearth_span_piece(&span, &page, &offset);
		if (len < cache->block_bytes) {
			io->error = first_error; /* a block in two pieces */
			return;
		}
		len = cache->block_bytes;
		error = cache->ops->read_block(cache, span.offset, len, page,
					       offset);
		if (error && !hearth_dirty_covers(cache, span.offset, len))
			note_bad_block(io, span.offset, error);
		hearth_span_advance(&span, len);
	}
}

static void complete_range(struct hearth_io *io)
{
	if (io->op == HEARTH_OP_READ && io->error)
		reread_span(io);
	if (io->op == HEARTH_OP_READ && !io->error)
		hearth_dirty_overlay(io);
	hearth_show_refresh(io);
	hearth_range_finish(io);
	io->cache->ops->done(io);
}

static void complete_io(struct hearth_io *io)
{
	if (io->op == HEARTH_OP_FLUSH)
		hearth_sync_end(io);
	else if (!io->slots)
		complete_range(io);
	else if (io->op == HEARTH_OP_READ)
		complete_read(io);
	else if (io->op == HEARTH_OP_PREFETCH)
		complete_prefetch(io);
	else if (io->op == HEARTH_OP_SHOW)
		complete_show(io);
	else if (io->op == HEARTH_OP_CLEAN)
		finish_clean(io);
	else
		complete_write(io);
}

/**
 * hearth_io_run() - go on with a request
 * @io: a request that &hearth_cache_ops.run was called for
 *
 * Context: Process context, no lock held; may sleep.
 */
void hearth_io_run(struct hearth_io *io)
{
	switch (io->stage) {
	case HEARTH_STAGE_CLAIM:
		if (io->pos < io->first + io->nr_slots)
			claim(io);
		else
			start_transfer(io);
		break;
	case HEARTH_STAGE_GATHER:
		start_write(io);
		break;
	case HEARTH_STAGE_SCATTER:
		finish_read(io);
		break;
	case HEARTH_STAGE_DRAIN:
		hearth_range_drain(io);
		break;
	case HEARTH_STAGE_COMPLETE:
		complete_io(io);
		break;
	case HEARTH_STAGE_FLUSH:
		if (io->error)
			io->cache->ops->done(io);
		else
			hearth_sync_start(io);
		break;
	case HEARTH_STAGE_RESTART:
		hearth_flush_wait(io);
		break;
	case HEARTH_STAGE_DONE:
		io->cache->ops->done(io);
		break;
	}
}

/**
 * hearth_io_end() - the backing I/O of a request is over
 * @io: the request
 * @error: 0 or -errno
 *
 * Context: Any.
 */
void hearth_io_end(struct hearth_io *io, int error)
{
	io->error = error;
	io->stage = HEARTH_STAGE_COMPLETE;
	io->cache->ops->run(io);
}

static bool may_be_cached(const struct hearth_io *io, enum hearth_mode mode)
{
	bool paused = READ_ONCE(io->cache->paused);

	switch (io->op) {
	case HEARTH_OP_CLEAN:
	case HEARTH_OP_SHOW:
	case HEARTH_OP_REHOME:
		return true;
	case HEARTH_OP_READ:
	case HEARTH_OP_PREFETCH:
		return !paused;
	case HEARTH_OP_WRITE:
		return !paused && mode != HEARTH_WRITEAROUND;
	default:
		return false;
	}
}

/* Whether a write is done when the cache has it. */
static bool may_be_behind(const struct hearth_io *io, enum hearth_mode mode)
{
	return mode == HEARTH_WRITEBACK && io->op == HEARTH_OP_WRITE &&
	       !io->fua &&
	       hearth_dirty_may_grow(io->cache, io->nid, io->span.offset,
				     io->nr_slots);
}

/* Write-back goes on without memory, a few frames at a time. */
static void use_inline_slots(struct hearth_io *io)
{
	io->nr_slots = min_t(unsigned long, io->nr_slots,
			     HEARTH_INLINE_SLOTS);
	hearth_flush_rewind(io);
	hearth_slots_alloc(io);
}

static bool get_slots(struct hearth_io *io)
{
	if (io->op == HEARTH_OP_CLEAN) {
		if (!hearth_slots_alloc(io))
			use_inline_slots(io);
		return true;
	}
	return io->nr_slots <= READ_ONCE(io->cache->max_io_frames) &&
	       hearth_slots_alloc(io);
}

/**
 * hearth_io_submit() - start a request
 * @io: the request, with all that is "set by the owner"
 *
 * The range must lie within the LUN, and must not be empty but for a flush.
 * &hearth_cache_ops.done is called when it is over, perhaps before this
 * returns.
 *
 * Context: Process context, no lock held; waits for no I/O.
 */
void hearth_io_submit(struct hearth_io *io)
{
	enum hearth_mode mode = READ_ONCE(io->cache->mode);
	bool cached = may_be_cached(io, mode);

	io->error = 0;
	io->bad_offset = U64_MAX;
	io->nr_failed = READ_ONCE(io->cache->sync.nr_failed);
	io->slots = NULL;
	io->held_end = 0;
	io->ahead.order = 0;
	io->behind = false;
	io->is_moved = false;
	io->at = NUMA_NO_NODE;
	io->stage = HEARTH_STAGE_CLAIM;
	if (io->op == HEARTH_OP_FLUSH) {
		hearth_flush_wait(io);
		return;
	}
	/* what was begun before the LUN became smaller may lie behind its end */
	io->lun_bytes = max(READ_ONCE(io->cache->size_bytes),
			    io->span.offset + io->span.len);
	io->first = io->span.offset >> HEARTH_FRAME_SHIFT;
	io->pos = io->first;
	io->nr_slots = ((io->span.offset + io->span.len - 1) >>
			HEARTH_FRAME_SHIFT) - io->first + 1;
	io->behind = cached && may_be_behind(io, mode);
	/* the pages of a window are claimed for anyway: somebody may see them */
	io->around = !cached && io->span.prepared;
	cached |= io->around;
	if (!cached && io->op == HEARTH_OP_PREFETCH)
		finish_prefetch(io);
	else if (!cached)
		hearth_range_start(io);
	else if (get_slots(io))
		claim(io);
	else
		want(io);
}
