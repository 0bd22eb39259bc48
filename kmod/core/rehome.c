// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moving frames to the node that they are mostly read from.
 *
 * With HEARTH_HOME_TOUCH a block lives where it came in first.  If it turns out
 * that another node reads it, it should live there.
 *
 * One in 61 hits has a vote on its extent (the 16 frames are moved together).
 * The votes are kept in a table of suitors of fixed size: an entry names an
 * extent, a node, and the lead of that node.  A hit from the suitor's node adds
 * to the lead; a hit from any other node, the home included, takes one away, and
 * so does a hit on another extent that falls on the same entry; who finds a lead
 * of nothing takes the entry over.  So only what is hot, and read by one node
 * more often than by all the others together, comes to LEAD_TO_MOVE, after some
 * 500 hits at least, and starts again from nothing after it was moved.
 *
 * To move is to evict and to fill from memory: a request claims the frames like
 * a fill, copies them into new pages of the new home by that node's workers, and
 * replaces frame and page.  Nobody waits for it but who would wait for a fill,
 * and it waits for nobody: what is claimed, or being evicted, stays where it is.
 * There is one such request at a time.
 */
#include "claim.h"
#include "copy.h"
#include "index.h"
#include "pool.h"
#include "rehome.h"
#include "show.h"
#include "slot.h"

#define NR_SUITORS	256
#define LEAD_TO_MOVE	8

/* An entry of the table: extent, node and lead in one word. */
#define KEY_BITS	44
#define NODE_BITS	12
#define NODE_SHIFT	KEY_BITS
#define LEAD_SHIFT	(KEY_BITS + NODE_BITS)

static u64 make_entry(u64 key, int nid, unsigned int lead)
{
	return key | (u64)nid << NODE_SHIFT | (u64)lead << LEAD_SHIFT;
}

static unsigned int lead_of(u64 entry)
{
	return entry >> LEAD_SHIFT;
}

/**
 * hearth_rehome_init() - make the table of suitors
 * @cache: the cache
 *
 * Return: 0 or -ENOMEM.  With a single node there is none.
 */
int hearth_rehome_init(struct hearth_cache *cache)
{
	if (nr_node_ids == 1)
		return 0;
	cache->suitors = kcalloc(NR_SUITORS, sizeof(u64), GFP_KERNEL);
	return cache->suitors ? 0 : -ENOMEM;
}

void hearth_rehome_exit(struct hearth_cache *cache)
{
	kfree(cache->suitors);
}

/**
 * hearth_rehome_vote() - count a hit for, or against, the node it came from
 * @cache: the cache, with suitors
 * @frame_nr: what was hit
 * @nid: where that lives
 *
 * The entry is read and written without a lock: a vote that is lost is a vote.
 *
 * Context: Any.
 * Return: true if the extent should move to this CPU's node.
 */
bool hearth_rehome_vote(struct hearth_cache *cache, u64 frame_nr, int nid)
{
	u64 key = frame_nr >> HEARTH_EXTENT_SHIFT;
	u64 *at = &cache->suitors[hash_64(key, ilog2(NR_SUITORS))];
	u64 entry = READ_ONCE(*at);
	unsigned int lead = lead_of(entry);
	int here = numa_node_id();

	if (key >> KEY_BITS || READ_ONCE(cache->home) != HEARTH_HOME_TOUCH)
		return false;
	if (nid != here && entry == make_entry(key, here, lead)) {
		lead++;
	} else if (lead) {
		lead--;
	} else {
		if (nid == here || !cache->pools[here])
			return false;	/* no suitor */
		entry = make_entry(key, here, 0);
		lead = 1;
	}
	entry &= ~(~0ULL << LEAD_SHIFT);
	WRITE_ONCE(*at, entry | (u64)(lead % LEAD_TO_MOVE) << LEAD_SHIFT);
	return lead == LEAD_TO_MOVE;
}

/**
 * hearth_rehome_alloc() - make the request that moves an extent here
 * @cache: the cache
 * @frame_nr: a frame of it
 *
 * The caller submits it.
 *
 * Context: Process context, no lock held.
 * Return: The request, or NULL: one is under way, or there is no memory.
 */
struct hearth_io *hearth_rehome_alloc(struct hearth_cache *cache, u64 frame_nr)
{
	u64 offset = round_down(frame_nr, (u64)HEARTH_EXTENT_FRAMES)
		     << HEARTH_FRAME_SHIFT;
	u64 len = min_t(u64, HEARTH_EXTENT_BYTES, cache->size_bytes - offset);
	struct hearth_io *io = NULL;
	int nid = numa_node_id();

	if (atomic_long_add_return(1, &cache->nr_rehomes) == 1 &&
	    cache->pools[nid])
		io = cache->ops->alloc(cache, HEARTH_OP_REHOME, offset, len,
				       nid);
	if (!io)
		atomic_long_sub(1, &cache->nr_rehomes);
	return io;
}

/**
 * hearth_rehome_wants() - the frames of an extent that may be moved
 * @io: the request
 * @ext: the extent
 *
 * Context: Under the extent's lock.
 * Return: Those that hold something, are clean and live elsewhere.
 */
u16 hearth_rehome_wants(const struct hearth_io *io,
			const struct hearth_extent *ext)
{
	const struct hearth_frame *frame;
	unsigned int i;
	u16 wants = 0;

	lockdep_assert_held(&ext->lock);
	for (i = 0; i < HEARTH_EXTENT_FRAMES; i++) {
		frame = ext->frames[i];
		if (frame && frame->valid && frame->nid != io->nid &&
		    !hearth_frame_is_shown(frame))
			wants |= BIT(i);
	}
	/* what is dirty has its place in its node's order of writing back */
	return wants & ~ext->dirty;
}

static void finish(struct hearth_io *io)
{
	hearth_slots_release(io);
	hearth_slots_free(io);
	atomic_long_sub(1, &io->cache->nr_rehomes);
	io->cache->ops->done(io);
}

/* Copies a frame; one for which there is no room at its new home stays. */
static void copy_slot(struct hearth_io *io, unsigned long i)
{
	struct hearth_slot *slot = &io->slots[i];

	slot->page = hearth_pool_get_page(io->cache, io->nid, NULL, false);
	if (!slot->page)
		return;
	slot->spare = hearth_frame_alloc(io->cache,
					 page_to_nid(slot->page));
	if (slot->spare)
		slot->good = hearth_slot_keep_old(io, slot, io->first + i, 0);
}

/**
 * hearth_rehome_start() - move what is claimed
 * @io: the request, with its claims, or without slots
 *
 * Context: Process context, no lock held.
 */
void hearth_rehome_start(struct hearth_io *io)
{
	unsigned long i;

	if (!io->slots)
		io->nr_slots = 0;
	if (io->held_end && !io->is_moved) {
		io->is_moved = true;
		io->cache->ops->run_on(io, io->nid);
		return;
	}
	for (i = 0; i < io->nr_slots; i++) {
		if (hearth_slot_is_claimed(&io->slots[i]))
			copy_slot(io, i);
	}
	finish(io);
}

/**
 * hearth_rehome_settle() - put the new frame in the place of the old one
 * @io: the request
 * @slot: one that it claims
 * @index: which frame of the extent that is
 *
 * Context: Under the extent's lock.
 */
void hearth_rehome_settle(struct hearth_io *io, struct hearth_slot *slot,
			  unsigned int index)
{
	struct hearth_frame *old = slot->ext->frames[index];

	/* it may have become dirty meanwhile, see sync.c */
	if (!slot->good || old->dirty)
		return;
	slot->good = hearth_frame_replace(io->cache, slot->ext, old,
					  slot->spare, slot->page);
	if (!slot->good)
		return;
	hearth_count(io->cache, io->nid, HEARTH_REHOMED, 1);
	slot->spare = NULL;
	slot->page = NULL;
}
