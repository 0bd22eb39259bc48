// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages for new contents of a LUN, prepared for a process that fills them, or has an
 * RDMA device fill them: a *window*.
 *
 *     hearth_window_get_pages()          a write with &hearth_span.prepared
 *     pool ----------------> prepared -------------------------------> frame
 *                                |     or, where the frame has another
 *       <------------------------'     page that stays: copied, given up
 *         hearth_window_put_page()
 *
 *  - A prepared page belongs to its owner, who has one reference.  It is counted
 *    like a page that is shown, and in its node's memory like a frame's, but no
 *    frame points to it: everybody else sees what the LUN holds.
 *  - Its bytes are the LUN's own, of somewhere, or zeroes: every page of a cache
 *    was cleared when it was allocated, or was filled by the LUN as a whole.
 *  - It lies where a frame that is there already lives; else where home= says, and
 *    of home=touch that is where the owner runs.
 *  - It becomes a frame's page by a write, which keeps the order rules like any
 *    other.  Before that the owner sees to it that nobody new gets the page.  So
 *    if nobody but owner and request has a reference, nobody will, and the frame
 *    is as if the page had been flipped in.  Else it is seen, and may be stored
 *    into, from then on: the frame is one that is shown (HEARTH_SLOT_ADOPT).
 *  - The page of a frame that is shown already stays (rule 12), and so does the node
 *    of a frame that came to be elsewhere meanwhile: then bytes are copied, and the
 *    prepared page is still prepared when the write is over.  Its owner takes
 *    it away from those who see it, but for memory regions: they keep a page that
 *    is nobody's.
 *  - The same holds where a write leaves nothing in the cache (writearound, paused),
 *    if nobody sees the page.
 *  - If the write fails the page is still prepared, too.
 */
#include "index.h"
#include "pool.h"
#include "show.h"
#include "window.h"

/* References of a page that nobody sees: of its owner, and of the request. */
#define UNSEEN_REFS	2

/* Where a frame that is there lives, or where one would. */
static int home_of(struct hearth_cache *cache, u64 frame_nr, bool *ret_is_new)
{
	const struct hearth_frame *frame = NULL;
	struct hearth_extent *ext;
	int nid = NUMA_NO_NODE;

	rcu_read_lock();
	ext = hearth_extent_find(cache, frame_nr >> HEARTH_EXTENT_SHIFT);
	if (ext)
		frame = READ_ONCE(ext->frames[frame_nr % HEARTH_EXTENT_FRAMES]);
	if (frame)
		nid = READ_ONCE(frame->nid);
	rcu_read_unlock();
	/* by now the frame may be another LUN's */
	*ret_is_new = nid == NUMA_NO_NODE || !cache->pools[nid];
	if (!*ret_is_new)
		return nid;
	nid = numa_mem_id();
	if (READ_ONCE(cache->home) == HEARTH_HOME_TOUCH && cache->pools[nid])
		return nid;
	return hearth_cache_shard(cache, frame_nr << HEARTH_FRAME_SHIFT);
}

static struct page *get_page_for(struct hearth_cache *cache, u64 frame_nr)
{
	bool is_new, may_spill;
	int nid = home_of(cache, frame_nr, &is_new);

	may_spill = is_new && READ_ONCE(cache->home) == HEARTH_HOME_TOUCH;
	return hearth_pool_get_page(cache, nid, NULL, may_spill);
}

/**
 * hearth_window_get_pages() - get pages for new contents
 * @cache: the cache
 * @frame_nr: of the first
 * @nr: how many
 * @owner: whose they are, a multiple of 8; see hearth_page_owner()
 * @pages: set to them
 *
 * Context: Process context, no lock held; waits for no I/O.
 * Return: 0; -ENOSPC: more than may be shown; -ENOMEM.
 */
int hearth_window_get_pages(struct hearth_cache *cache, u64 frame_nr,
			    unsigned int nr, unsigned long owner,
			    struct page **pages)
{
	unsigned long max = hearth_show_max(cache);
	unsigned int i;

	if (atomic_long_add_return(nr, &cache->nr_shown) > max) {
		atomic_long_sub(nr, &cache->nr_shown);
		return -ENOSPC;
	}
	for (i = 0; i < nr; i++) {
		pages[i] = get_page_for(cache, frame_nr + i);
		if (!pages[i])
			break;
		set_page_private(pages[i], owner | HEARTH_PREPARED);
	}
	if (i == nr)
		return 0;
	atomic_long_sub(nr - i, &cache->nr_shown);
	while (i)
		hearth_window_put_page(cache, pages[--i]);
	return -ENOMEM;
}

/**
 * hearth_window_put_page() - give up a page that is, or was, prepared
 * @cache: the cache
 * @page: the page; the reference is the owner's
 *
 * If it became a frame's the frame keeps it.  If others have it still it leaves
 * the cache, and the last of them frees it.
 *
 * Context: Process context, no lock held.
 */
void hearth_window_put_page(struct hearth_cache *cache, struct page *page)
{
	if (!hearth_page_is_prepared(page)) {
		__free_page(page);
		return;
	}
	set_page_private(page, 0);
	atomic_long_dec(&cache->nr_shown);
	hearth_pool_put_page(cache, page);
}

/*
 * Whether somebody sees the page of a frame, claimed.  It may be marked although the
 * last of them has gone, until a sweep comes.
 */
static bool is_seen(struct hearth_cache *cache, struct hearth_frame *frame)
{
	struct hearth_extent *ext = frame->extent;
	bool seen;

	if (!hearth_frame_is_shown(frame))
		return false;
	spin_lock(&ext->lock);
	seen = ext->cleaning & BIT(frame->index) ||
	       page_ref_count(frame->page) > 1;
	if (!seen)
		hearth_show_unmark(cache, frame);
	spin_unlock(&ext->lock);
	return seen;
}

/**
 * hearth_window_bring() - get ready what a write brings for a frame
 * @io: the write
 * @slot: one that it claims; its page is set, or left NULL for want of memory
 * @page: prepared for the frame
 * @frame: the frame, or NULL if there is none yet
 *
 * Context: Process context, no lock held; waits for no I/O.
 */
void hearth_window_bring(struct hearth_io *io, struct hearth_slot *slot,
			 struct page *page, struct hearth_frame *frame)
{
	if (frame && frame->nid != page_to_nid(page)) {
		slot->page = hearth_pool_get_page(io->cache, frame->nid, NULL,
						  false);
		return;
	}
	get_page(page);
	if (!(frame && is_seen(io->cache, frame)) &&
	    page_ref_count(page) > UNSEEN_REFS) {
		if (!hearth_shown_add(io->cache, slot->ext)) {
			__free_page(page);
			return;
		}
		slot->kind = HEARTH_SLOT_ADOPT;
	}
	slot->page = page;
}

/**
 * hearth_window_take() - a page is about to become a frame's
 * @cache: the cache
 * @slot: it is this one's, prepared or not
 *
 * Context: Under the extent's lock, before the frame points to it.
 */
void hearth_window_take(struct hearth_cache *cache,
			const struct hearth_slot *slot)
{
	struct page *page = slot->page;

	if (!hearth_page_is_prepared(page))
		return;
	if (slot->kind == HEARTH_SLOT_ADOPT) {
		set_page_private(page, HEARTH_SHOWN | HEARTH_STORED);
		atomic_long_inc(&cache->pools[page_to_nid(page)]->nr_stored);
	} else {
		set_page_private(page, 0);
		atomic_long_dec(&cache->nr_shown);
	}
}
