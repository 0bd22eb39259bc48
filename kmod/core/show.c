// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames whose pages a process may see: mapped, or pinned by somebody who mapped
 * them (a memory region outlives its mapping).
 *
 * Such a page is the exception from rule 1 of frame.h: it is the one page of its
 * block for as long as it is shown, and its bytes change.
 *
 *  - To show a frame, a HEARTH_OP_SHOW request claims it, fills what is missing,
 *    and marks its page.  If others have a reference, to whom the page was
 *    promised to stay as it is, a copy takes its place.  A look-up raises the
 *    count (full barrier), then looks whether the page is marked before it gives
 *    it away; this marks the page (full barrier), then looks at the count.
 *  - Reads copy out of it.  Writes copy into it, while they have the claim.
 *  - It is not reclaimed, nor moved, nor dropped.
 *  - What went past the cache is read back into it, while the range is alone.
 *  - What is dirty of it stays so, whatever was written back, until it is not
 *    shown any more; then it is written back once more.  Once somebody may store
 *    into it all of it is dirty.
 *  - It is shown until nobody but the frame has a reference.  Nobody says so when
 *    a memory region goes: hearth_show_sweep() has to look, again and again.
 *    While a frame is claimed it is not given to anybody, nor swept.
 */
#include "claim.h"
#include "copy.h"
#include "dirty.h"
#include "index.h"
#include "pool.h"
#include "show.h"
#include "slot.h"
#include "sync.h"

/* How many frames may be shown at once: half of what fits. */
unsigned long hearth_show_max(const struct hearth_cache *cache)
{
	return hearth_cache_total(cache) / 2;
}

/* From now on the page of a frame, claimed, is one that a process may see. */
void hearth_show_mark(struct hearth_cache *cache, struct page *page)
{
	set_page_private(page, HEARTH_SHOWN);
	atomic_long_inc(&cache->nr_shown);
}

/* Nobody sees a frame's page any more.  Under the extent's lock. */
void hearth_show_unmark(struct hearth_cache *cache, struct hearth_frame *frame)
{
	lockdep_assert_held(&frame->extent->lock);
	if (hearth_frame_is_stored(frame))
		atomic_long_dec(&cache->pools[frame->nid]->nr_stored);
	set_page_private(frame->page, 0);
	atomic_long_dec(&cache->nr_shown);
}

/* A page that replaces a frame's, for which others have a reference. */
static bool copy_frame(struct hearth_io *io, struct hearth_slot *slot,
		       struct hearth_frame *frame)
{
	slot->page = hearth_pool_get_page(io->cache, frame->nid, NULL, false);
	if (!slot->page)
		return false;
	hearth_copy_sectors(io->cache, slot->page, frame->page, frame->valid);
	return true;
}

/* What lies behind the end of the LUN comes from elsewhere. */
static void clear_tail(struct page *page, u8 whole)
{
	u32 end = hweight8(whole) << HEARTH_SECTOR_SHIFT;

	memzero_page(page, end, HEARTH_FRAME_BYTES - end);
}

/* The frame is all there: marks it; @slot->good says that this has. */
static bool show_frame(struct hearth_io *io, struct hearth_slot *slot,
		       struct hearth_frame *frame, u8 whole)
{
	slot->kind = HEARTH_SLOT_SHOW;
	if (hearth_frame_is_shown(frame))
		return true;
	hearth_show_mark(io->cache, frame->page);
	slot->good = whole;
	/* pairs with get_page_unless_zero() in hearth_frame_get_page() */
	smp_mb();
	if (page_ref_count(frame->page) == 1 && whole == HEARTH_FRAME_ALL)
		return true;
	if (!copy_frame(io, slot, frame))
		return false;
	clear_tail(slot->page, whole);
	return true;
}

static int prepare(struct hearth_io *io, unsigned long i)
{
	struct hearth_slot *slot = &io->slots[i];
	u64 frame_nr = io->first + i;
	struct hearth_frame *frame;
	u8 whole;

	whole = hearth_sector_mask(0, hearth_io_frame_bytes(io, frame_nr));
	frame = slot->ext->frames[frame_nr % HEARTH_EXTENT_FRAMES];
	if (!hearth_shown_add(io->cache, slot->ext))
		return -ENOMEM;
	if (frame && frame->page && !(whole & ~frame->valid))
		return show_frame(io, slot, frame, whole) ? 0 : -ENOMEM;
	if (frame && hearth_frame_is_shown(frame))
		return -EIO;	/* could not be read back */
	if (!hearth_slot_prepare(io, slot, &io->span, frame_nr))
		return -ENOMEM;
	clear_tail(slot->page, whole);
	return 0;
}

/**
 * hearth_show_start() - get ready what a request shows
 * @io: a HEARTH_OP_SHOW request, with its claims
 *
 * Context: Process context, no lock held; waits for no I/O.
 * Return: Whether there is anything to be read; &hearth_io.error is set if not.
 */
bool hearth_show_start(struct hearth_io *io)
{
	unsigned long max = hearth_show_max(io->cache);
	bool missing = false;
	unsigned long i;

	if (atomic_long_read(&io->cache->nr_shown) + io->nr_slots > max)
		io->error = -ENOSPC;
	for (i = 0; i < io->nr_slots && !io->error; i++) {
		io->error = prepare(io, i);
		missing |= io->slots[i].kind == HEARTH_SLOT_FILL;
	}
	for (i = 0; i < io->nr_slots && io->error; i++) {
		if (io->slots[i].kind == HEARTH_SLOT_FILL)
			io->slots[i].good = 0;
	}
	return missing && !io->error;
}

/**
 * hearth_show_settle() - leave in a frame what a request has shown
 * @io: the request
 * @slot: one that it claims and has not filled
 * @index: which frame of the extent that is
 *
 * Context: Under the extent's lock.
 */
void hearth_show_settle(struct hearth_io *io, struct hearth_slot *slot,
			unsigned int index)
{
	struct hearth_frame *frame = slot->ext->frames[index];
	struct page *old = frame->page;

	lockdep_assert_held(&slot->ext->lock);
	if (io->error) {
		/* nobody was given it meanwhile: it is claimed */
		if (slot->good)
			hearth_show_unmark(io->cache, frame);
		return;
	}
	if (!slot->page)
		return;
	set_page_private(slot->page, HEARTH_SHOWN);
	hearth_frame_change_begin(frame);
	WRITE_ONCE(frame->page, slot->page);
	hearth_frame_change_end(frame);
	set_page_private(old, 0);
	hearth_pool_put_page(io->cache, old);
	slot->page = NULL;
}

/**
 * hearth_show_get_page() - give a frame's page to a process
 * @cache: the cache
 * @frame_nr: which
 * @may_store: the process may store into it
 *
 * Context: Process context, no lock held.
 * Return: The page with a reference, or NULL: it has to be shown first.
 */
struct page *hearth_show_get_page(struct hearth_cache *cache, u64 frame_nr,
				  bool may_store)
{
	unsigned int index = frame_nr % HEARTH_EXTENT_FRAMES;
	struct hearth_extent *ext;
	struct hearth_frame *frame;
	struct page *page = NULL;

	ext = hearth_extent_lock_existing(cache,
					  frame_nr >> HEARTH_EXTENT_SHIFT);
	if (!ext)
		return NULL;
	__acquire(&ext->lock);	/* hearth_extent_lock_existing() did */
	frame = ext->frames[index];
	if (frame && !(ext->busy & BIT(index)) &&
	    hearth_frame_is_shown(frame)) {
		page = frame->page;
		get_page(page);
	}
	if (page && may_store && !hearth_frame_is_stored(frame)) {
		set_page_private(page, HEARTH_SHOWN | HEARTH_STORED);
		atomic_long_inc(&cache->pools[frame->nid]->nr_stored);
		hearth_dirty_set(cache, frame, frame->valid);
	}
	spin_unlock(&ext->lock);
	return page;
}

/**
 * hearth_show_store() - copy what a write brings into pages that are shown
 * @io: the write, with its claims; the device has it, or will be given it later
 *
 * Context: Process context, no lock held.
 */
void hearth_show_store(struct hearth_io *io)
{
	struct hearth_slot *slot;
	struct hearth_frame *frame;
	unsigned long i;
	u64 frame_nr;

	if (!atomic_long_read(&io->cache->nr_shown))
		return;
	for (i = 0; i < io->nr_slots; i++) {
		slot = &io->slots[i];
		frame_nr = io->first + i;
		frame = slot->ext->frames[frame_nr % HEARTH_EXTENT_FRAMES];
		if (!frame || !hearth_frame_is_shown(frame))
			continue;
		slot->kind = HEARTH_SLOT_STORE;
		if (slot->good)
			hearth_copy_sectors(io->cache, frame->page, slot->page,
					    slot->good);
	}
}

/**
 * hearth_show_settle_store() - account for what hearth_show_store() copied
 * @io: the write
 * @slot: one of its
 * @frame: the frame
 *
 * What the device refused it may have in part: the frame's own is written again.
 *
 * Context: Under the extent's lock.
 */
void hearth_show_settle_store(struct hearth_io *io, struct hearth_slot *slot,
			      struct hearth_frame *frame)
{
	u64 frame_nr = (frame->extent->key << HEARTH_EXTENT_SHIFT) +
		       frame->index;

	lockdep_assert_held(&frame->extent->lock);
	if (!slot->good) {
		hearth_dirty_set(io->cache, frame, frame->valid &
				 hearth_io_sectors(io, frame_nr));
		return;
	}
	hearth_frame_change_begin(frame);
	WRITE_ONCE(frame->valid, frame->valid | slot->good);
	hearth_frame_change_end(frame);
	if (io->behind || hearth_frame_is_stored(frame))
		hearth_dirty_set(io->cache, frame, slot->good);
	else
		hearth_dirty_clear(io->cache, frame, slot->good);
	if (!io->behind)
		hearth_sync_written(io, frame, slot->good);
}
