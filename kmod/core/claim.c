// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claiming frames, waiting for them, passing them on.
 *
 * A write claims every frame that it touches, a read those that it has to fill,
 * write-back those that are dirty; readahead takes what nobody claims.  A
 * request goes through its extents in ascending order; at the first one where it
 * cannot have all that it wants it joins the extent's queue.  Whoever gives
 * claims back serves that queue in order: a waiter gets its claims handed over
 * before it is run, so that no newcomer overtakes it.  A waiting read whose frames
 * became valid needs no claim any more: this is how concurrent misses share one
 * fill.
 */
#include "cache.h"
#include "claim.h"
#include "flush.h"
#include "index.h"
#include "lookup.h"
#include "policy.h"
#include "range.h"
#include "readahead.h"
#include "rehome.h"

/* Frames that a request cannot have: write-back is in the way of I/O only. */
static u16 claimed(const struct hearth_io *io, const struct hearth_extent *ext)
{
	return io->behind ? ext->busy : ext->busy | ext->cleaning;
}

/* The claims of an extent that a request makes. */
static u16 *claims_of(const struct hearth_io *io, struct hearth_extent *ext)
{
	return io->op == HEARTH_OP_CLEAN ? &ext->cleaning : &ext->busy;
}

/* What a newcomer must wait for: claims, and what those want who came earlier. */
static u16 blocked(const struct hearth_io *io, const struct hearth_extent *ext)
{
	const struct hearth_io *waiter;
	u16 blocked = claimed(io, ext);

	lockdep_assert_held(&ext->lock);
	list_for_each_entry(waiter, &ext->waiters, wait)
		blocked |= waiter->wait_mask;
	return blocked;
}

/* Takes what a read finds valid; returns the frames that it must fill. */
static u16 take_hits(struct hearth_io *io, struct hearth_extent *ext)
{
	unsigned long todo = hearth_io_frames(io, ext->key);
	u64 base = ext->key << HEARTH_EXTENT_SHIFT;
	struct hearth_slot *slot;
	unsigned int i;
	u16 missing = 0;

	for_each_set_bit(i, &todo, HEARTH_EXTENT_FRAMES) {
		u8 need = hearth_io_sectors(io, base + i);
		u8 ahead = 0;

		slot = hearth_io_slot(io, ext->key, i);
		if (slot->kind == HEARTH_SLOT_HIT)
			continue;
		slot->page = hearth_frame_get_page(ext, i, need, &ahead);
		if (slot->page)
			slot->kind = HEARTH_SLOT_HIT;
		else
			missing |= BIT(i);
		if (ahead)
			hearth_ahead_note(&io->ahead, base + i, ahead);
	}
	return missing;
}

/*
 * The frames that do not hold all that a request covers of them; the others have been
 * asked for once more, unless that is readahead.
 */
static u16 missing_frames(struct hearth_io *io, struct hearth_extent *ext)
{
	unsigned long todo = hearth_io_frames(io, ext->key);
	u64 base = ext->key << HEARTH_EXTENT_SHIFT;
	struct hearth_frame *frame;
	unsigned int i;
	u16 missing = 0;

	lockdep_assert_held(&ext->lock);
	for_each_set_bit(i, &todo, HEARTH_EXTENT_FRAMES) {
		frame = ext->frames[i];
		if (!frame || hearth_io_sectors(io, base + i) & ~frame->valid)
			missing |= BIT(i);
		else if (!hearth_io_is_ahead(io))
			hearth_policy_touch(frame);
	}
	return missing;
}

static u16 wanted(struct hearth_io *io, struct hearth_extent *ext)
{
	switch (io->op) {
	case HEARTH_OP_WRITE:
	case HEARTH_OP_SHOW:
		return hearth_io_frames(io, ext->key);
	case HEARTH_OP_PREFETCH:
		return missing_frames(io, ext);
	case HEARTH_OP_CLEAN:
		return hearth_io_frames(io, ext->key) & ext->dirty;
	case HEARTH_OP_REHOME:
		return hearth_rehome_wants(io, ext);
	default:
		return take_hits(io, ext);
	}
}

static enum hearth_slot_kind slot_kind(const struct hearth_io *io)
{
	switch (io->op) {
	case HEARTH_OP_WRITE:
		return HEARTH_SLOT_WRITE;
	case HEARTH_OP_CLEAN:
		return HEARTH_SLOT_CLEAN;
	default:
		return HEARTH_SLOT_FILL;
	}
}

/* Marks the frames as the request's and moves it on to the next extent. */
static void take_claims(struct hearth_io *io, struct hearth_extent *ext,
			u16 mask)
{
	u64 base = ext->key << HEARTH_EXTENT_SHIFT;
	unsigned long todo = mask;
	struct hearth_slot *slot;
	unsigned int i;

	lockdep_assert_held(&ext->lock);
	*claims_of(io, ext) |= mask;
	for_each_set_bit(i, &todo, HEARTH_EXTENT_FRAMES) {
		slot = hearth_io_slot(io, ext->key, i);
		slot->kind = slot_kind(io);
		if (slot->kind == HEARTH_SLOT_CLEAN) {
			slot->page = ext->frames[i]->page;
			slot->good = ext->frames[i]->dirty;
			get_page(slot->page);
		}
		slot->ext = ext;
		io->held_end = base + i + 1;
	}
	io->pos = base + HEARTH_EXTENT_FRAMES;
}

/* Drops the extent's lock, and the extent if it is of no use any more. */
static void unlock_extent(struct hearth_cache *cache, struct hearth_extent *ext)
	__releases(&ext->lock)
{
	bool empty = !ext->nr_frames && !ext->busy;

	rcu_read_lock();	/* keeps ext for the next look */
	spin_unlock(&ext->lock);
	if (empty)
		hearth_extent_reap(cache, ext);
	rcu_read_unlock();
}

/* What a request finds that waits for nobody, or not now. */
static u16 free_frames(struct hearth_io *io, struct hearth_extent *ext,
		       u16 mask)
{
	return mask && hearth_range_overlaps(io) ? 0 : mask & ~blocked(io, ext);
}

/* Write-back that holds something already goes without what it cannot have. */
static void claim_or_cut(struct hearth_io *io, struct hearth_extent *ext,
			 u16 mask)
{
	u64 base = ext->key << HEARTH_EXTENT_SHIFT;

	if (free_frames(io, ext, mask) == mask) {
		take_claims(io, ext, mask);
		return;
	}
	io->nr_slots = base - io->first;
	hearth_flush_rewind(io);
}

static struct hearth_extent *lock_extent(const struct hearth_io *io)
{
	u64 key = io->pos >> HEARTH_EXTENT_SHIFT;

	return io->op == HEARTH_OP_CLEAN ?
	       hearth_extent_lock_existing(io->cache, key) :
	       hearth_extent_lock(io->cache, key);
}

static enum hearth_claim_result claim_extent(struct hearth_io *io)
{
	enum hearth_claim_result result = HEARTH_CLAIMED;
	struct hearth_extent *ext;
	u16 mask;

	ext = lock_extent(io);
	if (!ext && io->op == HEARTH_OP_CLEAN) {
		io->pos = round_down(io->pos, HEARTH_EXTENT_FRAMES) +
			  HEARTH_EXTENT_FRAMES;
		return HEARTH_CLAIMED;
	}
	if (!ext)
		return HEARTH_NO_MEMORY;
	__acquire(&ext->lock);	/* lock_extent() did */
	mask = wanted(io, ext);
	if (io->op == HEARTH_OP_PREFETCH || io->op == HEARTH_OP_REHOME) {
		take_claims(io, ext, free_frames(io, ext, mask));
	} else if (io->op == HEARTH_OP_CLEAN && io->held_end) {
		claim_or_cut(io, ext, mask);
	} else if (mask && hearth_range_blocks(io)) {
		result = HEARTH_WAITS;
	} else if (mask & blocked(io, ext)) {
		io->wait_mask = mask;
		list_add_tail(&io->wait, &ext->waiters);
		result = HEARTH_WAITS;
	} else {
		take_claims(io, ext, mask);
	}
	if (result == HEARTH_CLAIMED)
		unlock_extent(io->cache, ext);
	else
		spin_unlock(&ext->lock);	/* io may be gone */
	return result;
}

/**
 * hearth_claim_all() - claim what a request needs, from &hearth_io.pos on
 * @io: the request, with slots
 *
 * Context: Process context, no lock held.
 * Return: HEARTH_CLAIMED: it has them all; HEARTH_WAITS: hearth_io_run() will
 * go on, and may be doing so by now; HEARTH_NO_MEMORY: it has some of them.
 */
enum hearth_claim_result hearth_claim_all(struct hearth_io *io)
{
	enum hearth_claim_result result = HEARTH_CLAIMED;

	while (result == HEARTH_CLAIMED && io->pos < io->first + io->nr_slots)
		result = claim_extent(io);
	return result;
}

/*
 * Hands what was given back to those who wait, first come first served.  A
 * range became active meanwhile perhaps: then that is what a request waits for
 * now.  A range waits for claims only, not for those who wait themselves: they
 * may wait for somebody who waits for the range.
 */
static void serve_waiters(struct hearth_extent *ext, struct list_head *woken)
{
	struct hearth_io *io, *next;
	u16 ahead = 0;	/* wanted by those who go on waiting */
	u16 mask;

	lockdep_assert_held(&ext->lock);
	list_for_each_entry_safe(io, next, &ext->waiters, wait) {
		bool drains = io->stage == HEARTH_STAGE_DRAIN;

		mask = drains ? io->wait_mask : wanted(io, ext);
		if (mask & (claimed(io, ext) | (drains ? 0 : ahead))) {
			io->wait_mask = mask;
			ahead |= mask;
			continue;
		}
		list_del(&io->wait);
		if (!drains) {
			if (mask && hearth_range_blocks(io))
				continue;
			take_claims(io, ext, mask);
		}
		list_add_tail(&io->wait, woken);
	}
}

/**
 * hearth_claim_run() - let requests go on that were taken off a queue
 * @woken: the requests
 *
 * Context: Process context, no lock held.
 */
void hearth_claim_run(struct list_head *woken)
{
	struct hearth_io *io, *next;

	list_for_each_entry_safe(io, next, woken, wait) {
		list_del(&io->wait);
		io->cache->ops->run(io);
	}
}

/**
 * hearth_claim_unlock() - give claims back and drop the extent's lock
 * @io: whose they are
 * @ext: the extent, locked
 * @mask: the frames
 *
 * The extent may be gone on return.
 *
 * Context: Process context, no other lock held.
 */
void hearth_claim_unlock(struct hearth_io *io, struct hearth_extent *ext,
			 u16 mask)
	__releases(&ext->lock)
{
	LIST_HEAD(woken);

	lockdep_assert_held(&ext->lock);
	*claims_of(io, ext) &= ~mask;
	serve_waiters(ext, &woken);
	unlock_extent(io->cache, ext);
	hearth_claim_run(&woken);
}
