// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copying at home: on the node where the copy's pages lie.
 *
 * A page that changes hands by reference does so anywhere.  A byte that has to
 * be copied should be loaded and stored by a CPU of the node that it lies on.
 * So the request travels: it copies what it can where it is, then is handed to
 * the workers of the next node, once for each node that has a part in it:
 *
 *     submitting CPU        node 0                    node 2
 *     flips, its part  -->  the part that lies  -->   the rest, done
 *                           on node 0
 *
 * It is owned by one thread at a time, as ever; nothing has to be gathered at
 * the end, and nothing is allocated for it.
 *
 * Whose part a byte is:
 *
 *  - of a write: the node of the cache's new page.  Its workers load from the
 *    request's memory, wherever that is, and store at home.
 *  - of a read into pages that may be exchanged: the node of the cache's page.
 *    Its workers put a new page of their own node into the scatterlist and copy
 *    into that: both sides are local.  An entry that begins with one frame and
 *    goes on with the next has one owner, the node of the first; where the
 *    second lives on another node (at the border of two stripes) its part is
 *    loaded from there.
 *  - of a read into any other memory: the node of that memory, since a remote
 *    load is the lesser evil.
 *
 * The owner follows from pages alone, and these stay as they are until the last
 * part is done: nodes may lose their CPUs, and the administrator may change his
 * mind, while the request is on its way.  Nodes are visited in ascending order
 * from the one where it began, around the end, so each is visited once.
 */
#include "cache.h"
#include "claim.h"
#include "copy.h"
#include "home.h"
#include "slot.h"

/*
 * With HEARTH_DISPATCH_AUTO less than this is copied from afar: handing it over
 * would cost more than it saves.
 */
#define AUTO_BYTES	(64U << 10)

/**
 * struct part - what one node has to copy of a request
 * @nid: the node, or NUMA_NO_NODE
 * @len: bytes
 */
struct part {
	int nid;
	u64 len;
};

/**
 * hearth_cache_set_dispatch() - choose who copies
 * @cache: the cache
 * @dispatch: see enum hearth_dispatch; with a single node it is all the same
 *
 * Context: Any.
 */
void hearth_cache_set_dispatch(struct hearth_cache *cache,
			       enum hearth_dispatch dispatch)
{
	WRITE_ONCE(cache->dispatch,
		   nr_node_ids > 1 ? dispatch : HEARTH_DISPATCH_INLINE);
}

/* Whether so much is to be copied where it belongs. */
static bool is_worth_it(struct hearth_cache *cache, u64 len)
{
	enum hearth_dispatch dispatch = READ_ONCE(cache->dispatch);

	return dispatch == HEARTH_DISPATCH_HOME ||
	       (dispatch == HEARTH_DISPATCH_AUTO && len >= AUTO_BYTES);
}

/* Whether a request is sent to a node: not where it is, nor where nobody is. */
static bool is_sent(struct hearth_cache *cache, int nid, u64 len)
{
	return nid != numa_node_id() && node_state(nid, N_CPU) &&
	       is_worth_it(cache, len);
}

/* The page that a span's place is in. */
static struct page *page_at(const struct hearth_span *span)
{
	struct page *page;
	u32 offset;

	hearth_span_piece(span, &page, &offset);
	return page;
}

/* Whether a read may put a page of its own in the place of the entry's. */
static bool is_exchangeable(const struct hearth_span *span)
{
	return span->flip && !span->sg_offset &&
	       span->sg->offset + span->sg->length <= PAGE_SIZE;
}

/**
 * hearth_home_is_away() - whether a hit should be served elsewhere
 * @cache: the cache
 * @span: where the data goes; what it has left goes with it
 * @page: where it is
 * @len: how much of it
 *
 * Context: Process context.
 * Return: true if somebody else should copy.
 */
bool hearth_home_is_away(struct hearth_cache *cache,
			 const struct hearth_span *span, struct page *page,
			 u32 len)
{
	int nid, there;

	if (READ_ONCE(cache->dispatch) == HEARTH_DISPATCH_INLINE ||
	    (len == HEARTH_FRAME_BYTES && hearth_span_whole_page(span)))
		return false;
	there = page_to_nid(page_at(span));
	nid = span->flip ? page_to_nid(page) : there;
	if (nid == numa_node_id())
		return there != nid && is_worth_it(cache, span->len);
	return is_sent(cache, nid, span->len);
}

/* Begins a journey, or goes on with it. */
static void arrive(struct hearth_io *io)
{
	if (io->at != NUMA_NO_NODE)
		return;
	io->at = numa_node_id();
	io->start = io->at;
}

static bool is_first_visit(const struct hearth_io *io)
{
	return io->at == io->start;
}

/* How far a node is on the way around. */
static unsigned int distance(const struct hearth_io *io, int nid)
{
	return (nid - io->start + nr_node_ids) % nr_node_ids;
}

/*
 * Whether the bytes of a node are to be copied on this visit; those of nodes
 * that are still to come are noted if no other comes before.
 */
static bool is_due(const struct hearth_io *io, int nid, u32 len,
		   struct part *next)
{
	unsigned int at = distance(io, io->at), there = distance(io, nid);

	if (there <= at)
		return there == at;
	if (next->nid == NUMA_NO_NODE || there < distance(io, next->nid))
		*next = (struct part){ .nid = nid };
	if (nid == next->nid)
		next->len += len;
	return false;
}

static void send(struct hearth_io *io, int nid)
{
	hearth_count(io->cache, nid, HEARTH_HANDED_OVER, 1);
	io->cache->ops->run_on(io, nid);
}

/* Sends the request to the next node; false if it may as well stay. */
static bool leave(struct hearth_io *io, const struct part *next,
		  enum hearth_stage stage)
{
	bool sent = is_sent(io->cache, next->nid, next->len);

	io->at = next->nid;
	if (sent) {
		io->stage = stage;
		send(io, next->nid);
	}
	return sent;
}

/* Visits nodes until the request is done or was sent away. */
static bool travel(struct hearth_io *io, enum hearth_stage stage,
		   void (*visit)(struct hearth_io *io, struct part *next))
{
	struct part next;

	arrive(io);
	for (;;) {
		next = (struct part){ .nid = NUMA_NO_NODE };
		visit(io, &next);
		if (next.nid == NUMA_NO_NODE)
			return true;
		if (leave(io, &next, stage))
			return false;
	}
}

/**
 * hearth_home_prepare() - have pages allocated at home
 * @io: a request with its claims, but without pages
 *
 * Allocating a page clears it, as a rule.  One journey is enough: to the home of
 * the first frame.
 *
 * Context: Process context, no lock held.
 * Return: false if the request was sent away; do not touch it.
 */
bool hearth_home_prepare(struct hearth_io *io)
{
	int nid;

	if (io->is_moved || !is_worth_it(io->cache, io->span.len))
		return true;
	io->is_moved = true;
	nid = hearth_slots_home(io);
	if (nid == NUMA_NO_NODE || !is_sent(io->cache, nid, io->span.len))
		return true;
	send(io, nid);
	return false;
}

static void gather_slot(struct hearth_io *io, unsigned long i,
			struct hearth_span *span)
{
	struct hearth_slot *slot = &io->slots[i];
	u64 frame_nr = io->first + i;
	u32 from, to;

	hearth_io_part(io, frame_nr, &from, &to);
	hearth_slot_keep_old(io, slot, frame_nr, hearth_sector_mask(from, to));
	hearth_take_page(io->cache, span, slot->page, from, to - from);
}

/* What the request brings for a frame; nothing if the frame keeps its page. */
static u32 bytes_to_gather(const struct hearth_io *io, unsigned long i,
			   const struct hearth_span *span)
{
	u32 from, to;

	hearth_io_part(io, io->first + i, &from, &to);
	return sg_page(span->sg) == io->slots[i].page ? 0 : to - from;
}

static void gather_here(struct hearth_io *io, struct part *next)
{
	struct hearth_span span = io->span;
	unsigned long i;
	u32 from, to, len;

	for (i = 0; i < io->nr_slots; i++) {
		len = bytes_to_gather(io, i, &span);
		if (len ? is_due(io, page_to_nid(io->slots[i].page), len, next) :
			  is_first_visit(io)) {
			gather_slot(io, i, &span);
			continue;
		}
		hearth_io_part(io, io->first + i, &from, &to);
		hearth_span_skip(&span, to - from);
	}
}

/**
 * hearth_home_gather() - gather the data of a write in its new pages
 * @io: the write; its slots are prepared
 *
 * Context: Process context, no lock held.
 * Return: false if the request was sent away; do not touch it.
 */
bool hearth_home_gather(struct hearth_io *io)
{
	struct hearth_span span = io->span;
	unsigned long i;

	if (READ_ONCE(io->cache->dispatch) != HEARTH_DISPATCH_INLINE ||
	    io->at != NUMA_NO_NODE)
		return travel(io, HEARTH_STAGE_GATHER, gather_here);
	for (i = 0; i < io->nr_slots; i++)
		gather_slot(io, i, &span);
	return true;
}

/* Puts a page of the node in the place of an entry that nothing is in yet. */
static void bring_home(struct hearth_span *span, int nid)
{
	struct page *old = sg_page(span->sg);
	struct page *page;

	if (page_to_nid(old) == nid)
		return;
	page = hearth_page_alloc(nid);
	if (!page)
		return;
	sg_assign_page(span->sg, page);
	__free_page(old);
}

/*
 * Copies a frame's bytes into the entries that are due; @owner is that of the
 * entry that the span is in the middle of.
 */
static void scatter_slot(struct hearth_io *io, struct hearth_span *span,
			 struct page *page, u32 from, u32 to, int *owner,
			 struct part *next)
{
	struct page *other;
	u32 offset, n;

	for (; from < to; from += n) {
		n = min(to - from, hearth_span_piece(span, &other, &offset));
		if (is_exchangeable(span))
			*owner = page_to_nid(page);
		else if (!span->flip || *owner == NUMA_NO_NODE)
			*owner = page_to_nid(other);
		if (!is_due(io, *owner, n, next)) {
			hearth_span_advance(span, n);
			continue;
		}
		if (is_exchangeable(span))
			bring_home(span, *owner);
		hearth_copy_to_span(io->cache, span, page, from, n);
	}
}

/* On the first visit, hands out whole pages as well: that needs no node. */
static void scatter_here(struct hearth_io *io, struct part *next)
{
	struct hearth_span span = io->span;
	int owner = NUMA_NO_NODE;
	struct hearth_slot *slot;
	unsigned long i;
	u32 from, to;

	for (i = 0; i < io->nr_slots; i++) {
		slot = &io->slots[i];
		hearth_io_part(io, io->first + i, &from, &to);
		if (!slot->page) {
			hearth_span_skip(&span, to - from);
		} else if (to - from == HEARTH_FRAME_BYTES &&
			   hearth_span_whole_page(&span)) {
			hearth_give_page(io->cache, &span, slot->page, from,
					 to - from);
			slot->page = NULL;
		} else {
			scatter_slot(io, &span, slot->page, from, to, &owner,
				     next);
		}
	}
}

/**
 * hearth_home_scatter() - hand over what a read asked for
 * @io: the read; all slots have a page and a reference, no claim
 *
 * What could not be handed over keeps its reference until the slots are freed.
 *
 * Context: Process context, no lock held.
 * Return: false if the request was sent away; do not touch it.
 */
bool hearth_home_scatter(struct hearth_io *io)
{
	struct hearth_span span = io->span;
	struct hearth_slot *slot;
	unsigned long i;
	u32 from, to;

	if (READ_ONCE(io->cache->dispatch) != HEARTH_DISPATCH_INLINE ||
	    io->at != NUMA_NO_NODE)
		return travel(io, HEARTH_STAGE_SCATTER, scatter_here);
	for (i = 0; i < io->nr_slots; i++) {
		slot = &io->slots[i];
		hearth_io_part(io, io->first + i, &from, &to);
		hearth_give_page(io->cache, &span, slot->page, from, to - from);
		slot->page = NULL;
	}
	return true;
}
