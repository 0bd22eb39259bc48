// SPDX-License-Identifier: GPL-2.0-only
/*
 * Getting pages for claimed frames, installing them, giving claims back.
 */
#include "claim.h"
#include "copy.h"
#include "dirty.h"
#include "index.h"
#include "policy.h"
#include "pool.h"
#include "rehome.h"
#include "show.h"
#include "slot.h"
#include "sync.h"
#include "window.h"

/**
 * hearth_slots_alloc() - make a request's slots
 * @io: the request; &hearth_io.nr_slots says how many
 *
 * Context: Process context, waits for no I/O.
 * Return: false if there is no memory.
 */
bool hearth_slots_alloc(struct hearth_io *io)
{
	if (io->nr_slots <= HEARTH_INLINE_SLOTS) {
		memset(io->inline_slots, 0, sizeof(io->inline_slots));
		io->slots = io->inline_slots;
	} else {
		io->slots = kvcalloc(io->nr_slots, sizeof(*io->slots),
				     GFP_NOIO | __GFP_NOWARN);
	}
	return io->slots;
}

/* The frame of a claimed slot, if there is one; the claim keeps it there. */
static struct hearth_frame *frame_of(const struct hearth_slot *slot,
				     u64 frame_nr)
{
	return slot->ext->frames[frame_nr % HEARTH_EXTENT_FRAMES];
}

/* Where the page of a frame that does not exist yet should come from. */
static int new_nid(struct hearth_io *io, struct page *offered, u64 frame_nr,
		   bool touch)
{
	int nid = offered ? page_to_nid(offered) : io->nid;

	if (touch && io->cache->pools[nid])
		return nid;
	return hearth_cache_shard(io->cache, frame_nr << HEARTH_FRAME_SHIFT);
}

/*
 * Where a claimed slot's page should come from.  @offered is the request's own,
 * or NULL; it stays only if it is of use.
 */
static int home_of(struct hearth_io *io, struct hearth_slot *slot,
		   u64 frame_nr, bool touch, struct page **offered)
{
	struct hearth_frame *frame = frame_of(slot, frame_nr);
	int nid = frame ? frame->nid : new_nid(io, *offered, frame_nr, touch);

	if (*offered && page_to_nid(*offered) != nid)
		*offered = NULL;
	return nid;
}

/**
 * hearth_slots_home() - where a request's pages will be taken
 * @io: the request, with its claims
 *
 * Return: The home of its first claimed frame, or NUMA_NO_NODE: it claims none,
 * or brings the page.
 */
int hearth_slots_home(struct hearth_io *io)
{
	bool touch = READ_ONCE(io->cache->home) == HEARTH_HOME_TOUCH;
	struct hearth_span span = io->span;
	struct page *offered;
	unsigned long i;
	u32 from, to;
	int nid;

	if (io->span.prepared)
		return NUMA_NO_NODE;
	for (i = 0; i < io->nr_slots; i++) {
		if (hearth_slot_is_claimed(&io->slots[i])) {
			offered = hearth_span_whole_page(&span);
			nid = home_of(io, &io->slots[i], io->first + i, touch,
				      &offered);
			return offered ? NUMA_NO_NODE : nid;
		}
		hearth_io_part(io, io->first + i, &from, &to);
		hearth_span_skip(&span, to - from);
	}
	return NUMA_NO_NODE;
}

/**
 * hearth_slot_prepare() - get the page, and a frame if there is none yet
 * @io: the request
 * @slot: one that it claims
 * @span: what it brings, from this frame on
 * @frame_nr: which frame that is
 *
 * Context: Process context, waits for no I/O.
 * Return: false if something is missing.
 */
bool hearth_slot_prepare(struct hearth_io *io, struct hearth_slot *slot,
			 const struct hearth_span *span, u64 frame_nr)
{
	bool touch = READ_ONCE(io->cache->home) == HEARTH_HOME_TOUCH;
	struct hearth_frame *frame = frame_of(slot, frame_nr);
	struct page *offered = hearth_span_whole_page(span);
	int nid = home_of(io, slot, frame_nr, touch, &offered);

	if (span->prepared)
		hearth_window_bring(io, slot, sg_page(span->sg), frame);
	else
		slot->page = hearth_pool_get_page(io->cache, nid, offered,
						  touch && !frame);
	if (!slot->page)
		return false;
	if (!frame)
		slot->spare = hearth_frame_alloc(io->cache,
						 page_to_nid(slot->page));
	return frame || slot->spare;
}

/**
 * hearth_slots_prepare() - get pages and frames for what is claimed
 * @io: the request
 *
 * Context: Process context, waits for no I/O.
 * Return: false if something is missing; hearth_slots_release() cleans up.
 */
bool hearth_slots_prepare(struct hearth_io *io)
{
	struct hearth_span span = io->span;
	unsigned long i;
	u64 end;

	for (i = 0; i < io->nr_slots; i++) {
		if (hearth_slot_is_claimed(&io->slots[i]) &&
		    !hearth_slot_prepare(io, &io->slots[i], &span,
					 io->first + i))
			return false;
		end = (io->first + i + 1) << HEARTH_FRAME_SHIFT;
		hearth_span_skip(&span, min(end - span.offset, span.len));
	}
	return true;
}

/**
 * hearth_slot_keep_old() - take over what the frame holds already
 * @io: the request
 * @slot: a claimed slot with a new page
 * @frame_nr: which frame that is
 * @except: sectors that the new page has better ones of
 *
 * Return: the sectors that were copied.
 */
u8 hearth_slot_keep_old(struct hearth_io *io, struct hearth_slot *slot,
			u64 frame_nr, u8 except)
{
	struct hearth_frame *frame = frame_of(slot, frame_nr);
	u8 keep = frame ? frame->valid & ~except : 0;

	if (keep)
		hearth_copy_sectors(io->cache, slot->page, frame->page, keep);
	return keep;
}

/* Whether the slot's page is what a write brings, and the frame's own then. */
static bool is_written(const struct hearth_slot *slot)
{
	return slot->kind == HEARTH_SLOT_WRITE ||
	       slot->kind == HEARTH_SLOT_ADOPT;
}

/*
 * Puts the slot's page into the frame, which is made if there is none.  The
 * page that was there goes back to its pool.
 */
static void install_page(struct hearth_io *io, struct hearth_slot *slot,
			 unsigned int index)
{
	struct hearth_extent *ext = slot->ext;
	struct hearth_frame *frame = ext->frames[index];
	bool is_new = !frame;
	struct page *old;

	lockdep_assert_held(&ext->lock);
	if (is_new) {
		frame = slot->spare;
		slot->spare = NULL;
		frame->extent = ext;
		frame->index = index;
	}
	old = frame->page;
	hearth_frame_change_begin(frame);
	WRITE_ONCE(frame->page, slot->page);
	WRITE_ONCE(frame->valid, frame->valid | slot->good);
	if (is_new) {
		/* pairs with the address dependency of a look-up */
		smp_store_release(&ext->frames[index], frame);
		ext->nr_frames++;
	}
	hearth_frame_change_end(frame);
	if (io->op == HEARTH_OP_PREFETCH && slot == io->slots)
		WRITE_ONCE(frame->ahead, io->order);
	if (is_new)
		hearth_pool_insert(io->cache, frame);
	else if (!old)
		hearth_pool_renew(io->cache, frame);
	/* to be fetched by name is to be asked for */
	if (io->op == HEARTH_OP_PREFETCH && !hearth_io_is_ahead(io))
		hearth_policy_touch(frame);
	hearth_pool_put_page(io->cache, old);
	if (io->behind) {
		hearth_dirty_set(io->cache, frame, slot->good);
	} else if (is_written(slot)) {
		hearth_dirty_clear(io->cache, frame, slot->good);
		hearth_sync_written(io, frame, slot->good);
	}
	if (slot->kind == HEARTH_SLOT_ADOPT)
		hearth_dirty_set(io->cache, frame, frame->valid);
}

/* What was written back is clean unless it was written anew meanwhile. */
static void settle_clean(struct hearth_io *io, struct hearth_slot *slot,
			 struct hearth_frame *frame)
{
	if (slot->good && frame->page == slot->page) {
		/* the same page may have been written to meanwhile */
		if (!hearth_frame_is_shown(frame))
			hearth_dirty_clear(io->cache, frame, slot->good);
		hearth_sync_written(io, frame, slot->good);
		hearth_count(io->cache, frame->nid, HEARTH_CLEANED, 1);
	}
	slot->kind = HEARTH_SLOT_HIT;
}

/*
 * Leaves in the frame what the request has for it.  A read goes on using the
 * page that it filled, so it keeps a reference.
 */
static void settle_slot(struct hearth_io *io, struct hearth_slot *slot,
			u64 frame_nr)
{
	unsigned int index = frame_nr % HEARTH_EXTENT_FRAMES;

	if (io->op == HEARTH_OP_REHOME) {
		hearth_rehome_settle(io, slot, index);
		return;
	}
	if (slot->kind == HEARTH_SLOT_CLEAN) {
		settle_clean(io, slot, slot->ext->frames[index]);
		return;
	}
	if (slot->kind == HEARTH_SLOT_SHOW) {
		hearth_show_settle(io, slot, index);
		return;
	}
	if (slot->kind == HEARTH_SLOT_STORE) {
		hearth_show_settle_store(io, slot, slot->ext->frames[index]);
		return;
	}
	if (!slot->good) {
		if (is_written(slot) && io->stage == HEARTH_STAGE_COMPLETE)
			hearth_frame_drop(io->cache, slot->ext->frames[index],
					  hearth_io_sectors(io, frame_nr));
		return;
	}
	if (slot->kind == HEARTH_SLOT_FILL) {
		if (io->op == HEARTH_OP_SHOW && !io->error)
			hearth_show_mark(io->cache, slot->page);
		get_page(slot->page);
		if (hearth_show_keeps(slot->ext->frames[index]))
			hearth_pool_put_page(io->cache, slot->page);
		else
			install_page(io, slot, index);
		slot->kind = HEARTH_SLOT_HIT;
	} else if (io->around && slot->kind == HEARTH_SLOT_WRITE) {
		hearth_dirty_clear(io->cache, slot->ext->frames[index],
				   slot->good);
		hearth_frame_drop(io->cache, slot->ext->frames[index],
				  slot->good);
	} else {
		hearth_window_take(io->cache, slot);
		install_page(io, slot, index);
		slot->page = NULL;
	}
}

/*
 * Settles and gives back the claims on one extent, which end at slot @end.
 * Returns where they begin.
 */
static unsigned long release_extent(struct hearth_io *io, unsigned long end)
{
	struct hearth_extent *ext = io->slots[end - 1].ext;
	struct hearth_slot *slot;
	u16 mask = 0;

	spin_lock(&ext->lock);
	for (; end; end--) {
		u64 frame_nr = io->first + end - 1;

		if (frame_nr >> HEARTH_EXTENT_SHIFT != ext->key)
			break;
		slot = &io->slots[end - 1];
		if (!hearth_slot_is_claimed(slot))
			continue;
		settle_slot(io, slot, frame_nr);
		slot->ext = NULL;
		mask |= BIT(frame_nr % HEARTH_EXTENT_FRAMES);
	}
	hearth_claim_unlock(io, ext, mask);
	return end;
}

/**
 * hearth_slots_release() - give all claims back
 * @io: the request
 *
 * Slots that are &hearth_slot.good are installed; the frames of a write that
 * came to the device and failed are dropped.  The highest extent goes first:
 * range.c relies on that.
 *
 * Context: Process context, no lock held.
 */
void hearth_slots_release(struct hearth_io *io)
{
	unsigned long end = io->nr_slots;

	while (end) {
		if (hearth_slot_is_claimed(&io->slots[end - 1]))
			end = release_extent(io, end);
		else
			end--;
	}
	io->held_end = 0;
}

/**
 * hearth_slots_free() - give up pages, references and the slots themselves
 * @io: the request; holds no claim any more
 *
 * Context: Process context, no lock held.
 */
void hearth_slots_free(struct hearth_io *io)
{
	struct hearth_slot *slot;
	unsigned long i;

	for (i = 0; i < io->nr_slots; i++) {
		slot = &io->slots[i];
		if (slot->page && (slot->kind == HEARTH_SLOT_HIT ||
				   hearth_page_is_prepared(slot->page)))
			__free_page(slot->page);
		else
			hearth_pool_put_page(io->cache, slot->page);
		hearth_frame_free(io->cache, slot->spare);
	}
	if (io->slots != io->inline_slots)
		kvfree(io->slots);
	io->slots = NULL;
	hearth_pools_trim(io->cache);
}
