// SPDX-License-Identifier: GPL-2.0-only
/*
 * What needs no request of its own: reads of what the cache holds, and writes
 * over it.
 *
 * Both go from extent to extent and end at the first frame that they cannot
 * serve at once; what is left then is made a request (io.c).
 *
 * A read takes no lock.  It collects the pages of an extent under RCU, then
 * hands them out.
 *
 * A write is served here if it is to be written back and brings whole pages, each
 * for a frame that there is, of the page's own node.  So nothing is allocated and
 * no limit is touched: a page comes and a page goes.  A request would claim its
 * frames, make them dirty, and give them back without any I/O in between; here
 * the extent's lock stands for the claim.  It is held for one extent at a time,
 * so two writes that overlap may each win a part: SBC leaves the order of
 * commands that are under way at once to the device.  Whatever a request would
 * have to wait for (a claim, a queue, a range) is left to a request.
 */
#include "cache.h"
#include "copy.h"
#include "dirty.h"
#include "flush.h"
#include "home.h"
#include "index.h"
#include "lookup.h"
#include "readahead.h"
#include "rehome.h"

#define NOT_DUE	U64_MAX

/* Frames of the extent at a span's place that it touches, from the first on. */
static unsigned int frames_in_extent(const struct hearth_span *span)
{
	u64 first = span->offset >> HEARTH_FRAME_SHIFT;
	u64 last = (span->offset + span->len - 1) >> HEARTH_FRAME_SHIFT;

	return min_t(u64, last - first + 1,
		     HEARTH_EXTENT_FRAMES - first % HEARTH_EXTENT_FRAMES);
}

/* Where in its extent the frame at a span's place is. */
static unsigned int index_of(const struct hearth_span *span)
{
	return (span->offset >> HEARTH_FRAME_SHIFT) % HEARTH_EXTENT_FRAMES;
}

/* The sectors of the @i-th frame of a span that it touches. */
static u8 sectors_of(const struct hearth_span *span, unsigned int i)
{
	u64 start = round_down(span->offset, HEARTH_FRAME_BYTES) +
		    ((u64)i << HEARTH_FRAME_SHIFT);
	u64 from = max(start, span->offset);
	u64 to = min(start + HEARTH_FRAME_BYTES, span->offset + span->len);

	return hearth_sector_mask(from - start, to - start);
}

/* How many of the pages lie on the node of the first. */
static unsigned int nr_alike(struct page **pages, unsigned int nr)
{
	int nid = page_to_nid(pages[0]);
	unsigned int i;

	for (i = 1; i < nr && page_to_nid(pages[i]) == nid;)
		i++;
	return i;
}

static void count_flips(struct hearth_cache *cache, struct page **pages,
			unsigned int nr, bool are_hits)
{
	unsigned int n;

	for (; nr; nr -= n, pages += n) {
		n = nr_alike(pages, nr);
		hearth_count(cache, page_to_nid(pages[0]), HEARTH_FLIPPED_BYTES,
			     n * HEARTH_FRAME_BYTES);
		if (are_hits)
			hearth_count(cache, page_to_nid(pages[0]), HEARTH_HITS,
				     n);
	}
}

static void put_pages(struct page **pages, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		__free_page(pages[i]);
}

/* Collects the pages of an extent up to the first that is not there. */
static unsigned int get_pages(struct hearth_cache *cache,
			      const struct hearth_span *span, unsigned int nr,
			      struct page **pages, struct hearth_ahead *ahead)
{
	u64 frame_nr = span->offset >> HEARTH_FRAME_SHIFT;
	unsigned int first = index_of(span), i = 0;
	struct hearth_extent *ext;
	bool are_whole = !((span->offset | span->len) % HEARTH_FRAME_BYTES);
	u8 need, mark = 0;

	rcu_read_lock();
	ext = hearth_extent_find(cache, frame_nr >> HEARTH_EXTENT_SHIFT);
	for (; ext && i < nr; i++) {
		/* only the first and the last can be wanted in part */
		need = are_whole || (i && i < nr - 1) ? HEARTH_FRAME_ALL :
							sectors_of(span, i);
		pages[i] = hearth_frame_get_page(ext, first + i, need, &mark);
		if (!pages[i])
			break;
		if (mark)
			hearth_ahead_note(ahead, frame_nr + i, mark);
		mark = 0;
	}
	rcu_read_unlock();
	return i;
}

/* Copies what a span wants of a page unless somebody else should do that. */
static bool copy_part(struct hearth_cache *cache, struct hearth_span *span,
		      struct page *page)
{
	u32 from = span->offset & (HEARTH_FRAME_BYTES - 1);
	u32 len = min_t(u64, HEARTH_FRAME_BYTES - from, span->len);

	if (hearth_home_is_away(cache, span, page, len))
		return false;
	hearth_copy_to_span(cache, span, page, from, len);
	hearth_count(cache, page_to_nid(page), HEARTH_HITS, 1);
	return true;
}

/* How many of the pages, from the first on, no process may see. */
static unsigned int nr_not_shown(struct page **pages, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr && !hearth_page_is_shown(pages[i]);)
		i++;
	return i;
}

/* Hands out pages for as long as this CPU should; returns how many. */
static unsigned int give_pages(struct hearth_cache *cache,
			       struct hearth_span *span, struct page **pages,
			       unsigned int nr)
{
	unsigned int nr_given = 0, n;

	while (nr_given < nr) {
		n = hearth_span_nr_flips(span, nr - nr_given);
		n = nr_not_shown(pages + nr_given, n);
		if (n) {
			count_flips(cache, pages + nr_given, n, true);
			hearth_span_flip(span, pages + nr_given, n);
		} else if (copy_part(cache, span, pages[nr_given])) {
			n = 1;
		} else {
			break;
		}
		nr_given += n;
	}
	return nr_given;
}

/* Serves the span's part of one extent as far as it is there. */
static bool read_extent(struct hearth_cache *cache, struct hearth_span *span,
			struct hearth_ahead *ahead, u64 *due)
{
	u64 frame_nr = span->offset >> HEARTH_FRAME_SHIFT;
	unsigned int wanted = frames_in_extent(span), nr, nr_given;
	struct page *pages[HEARTH_EXTENT_FRAMES] HEARTH_UNINITIALIZED;
	int nid;

	nr = get_pages(cache, span, wanted, pages, ahead);
	if (!nr)
		return false;
	nid = page_to_nid(pages[0]);
	nr_given = give_pages(cache, span, pages, nr);
	put_pages(pages, nr);
	if (nr_given)
		hearth_rehome_note(cache, frame_nr, nid, nr_given, due);
	return nr_given == wanted;
}

/**
 * hearth_cache_read_hits() - serve a read from the cache as far as it goes
 * @cache: the cache
 * @span: the range and the memory for it; moved on over what was served
 *
 * Takes no lock and waits for nothing.
 *
 * Context: Process context.
 * Return: true if nothing is left to do.
 */
bool hearth_cache_read_hits(struct hearth_cache *cache,
			    struct hearth_span *span)
{
	struct hearth_ahead ahead = { };
	struct hearth_io *fill, *move;
	u64 due = NOT_DUE;
	bool hit = !READ_ONCE(cache->paused);

	while (hit && span->len)
		hit = read_extent(cache, span, &ahead, &due);
	fill = ahead.order ? hearth_ahead_alloc(cache, ahead, numa_mem_id()) :
			     NULL;
	if (fill)
		hearth_io_submit(fill);
	move = due == NOT_DUE ? NULL : hearth_rehome_alloc(cache, due);
	if (move)
		hearth_io_submit(move);
	return hit;
}

/*
 * Puts a page in the place of a frame's, which it returns, or NULL: the frame is
 * not to be had like this.
 */
static struct page *exchange_page(struct hearth_extent *ext, unsigned int index,
				  struct page *page)
{
	struct hearth_frame *frame = ext->frames[index];
	struct page *old;

	lockdep_assert_held(&ext->lock);
	if (!frame || !frame->page || ext->busy & BIT(index) ||
	    hearth_page_is_shown(frame->page) ||
	    frame->nid != page_to_nid(page))
		return NULL;
	get_page(page);
	old = frame->page;
	hearth_frame_change_begin(frame);
	WRITE_ONCE(frame->page, page);
	WRITE_ONCE(frame->valid, HEARTH_FRAME_ALL);
	hearth_frame_change_end(frame);
	return old;
}

/*
 * Takes up to @nr pages of a span for an extent, up to the first that it cannot
 * take; the frames' old ones are in @old then.
 */
static unsigned int take_pages(struct hearth_extent *ext,
			       struct hearth_span *span, unsigned int nr,
			       struct page **old)
{
	struct scatterlist *sg = span->sg;
	unsigned int first = index_of(span), i;

	for (i = 0; i < nr; i++) {
		old[i] = exchange_page(ext, first + i, sg_page(sg));
		if (!old[i])
			break;
		sg = hearth_sg_next(sg);
	}
	hearth_span_pass(span, sg, i);
	return i;
}

/* Whether somebody waits for this extent, or for a part of the LUN. */
static bool is_wanted(struct hearth_cache *cache, struct hearth_extent *ext)
{
	lockdep_assert_held(&ext->lock);
	return !list_empty(&ext->waiters) || READ_ONCE(cache->nr_ranges);
}

/* Takes the span's part of one extent as far as it can. */
static bool write_extent(struct hearth_cache *cache, struct hearth_span *span)
{
	unsigned int wanted = frames_in_extent(span), first = index_of(span);
	unsigned int nr = hearth_span_nr_flips(span, wanted);
	struct page *old[HEARTH_EXTENT_FRAMES] HEARTH_UNINITIALIZED;
	struct hearth_extent *ext;

	ext = hearth_extent_lock_existing(cache,
					  span->offset / HEARTH_EXTENT_BYTES);
	if (!ext)
		return false;
	__acquire(&ext->lock);	/* hearth_extent_lock_existing() did */
	nr = is_wanted(cache, ext) ? 0 : take_pages(ext, span, nr, old);
	if (nr)
		hearth_dirty_set_frames(cache, ext,
					GENMASK(first + nr - 1, first));
	spin_unlock(&ext->lock);
	/* each lies on the node of the one that took its place */
	count_flips(cache, old, nr, false);
	put_pages(old, nr);
	return nr == wanted;
}

/**
 * hearth_cache_write_hits() - take over a write as far as the cache has room
 * @cache: the cache
 * @span: the range and its data; moved on over what was taken
 *
 * What was taken is dirty: this is for writes that need not be durable when they
 * are done.  In another mode than write-back nothing is taken.
 *
 * Context: Process context, no lock held; waits for no I/O.
 * Return: true if nothing is left to do.
 */
bool hearth_cache_write_hits(struct hearth_cache *cache,
			     struct hearth_span *span)
{
	u64 offset = span->offset;
	unsigned long nr = span->len >> HEARTH_FRAME_SHIFT;
	int nid = page_to_nid(sg_page(span->sg));
	bool hit;

	rcu_read_lock();	/* who changes the mode waits for us */
	hit = READ_ONCE(cache->mode) == HEARTH_WRITEBACK &&
	      !READ_ONCE(cache->paused) &&
	      hearth_dirty_may_grow(cache, nid, offset, nr);
	while (hit && span->len)
		hit = write_extent(cache, span);
	rcu_read_unlock();
	if (span->offset != offset)
		hearth_flush_if_due(cache, nid, offset);
	return hit;
}
