// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moving data between a request's scatterlist and pages of the cache.
 *
 * A whole page of a scatterlist that the target core owns changes hands by its
 * reference: it lets go of each page with __free_page(), whosoever that page is.
 * Everything else is copied.
 *
 * So does the cache.  All pages that it and the target core exchange were
 * allocated one by one for this; put_page() would spend as much again on looking
 * for page cache and memory cgroups that they might belong to.
 *
 * Every copied byte is counted for the node of the cache's page: as local when
 * both pages and the CPU are on one node, as remote otherwise, and as a remote
 * store as well when the CPU is not on the node of the page that it copied to.
 */
#include "copy.h"

static void count_copy(struct hearth_cache *cache, struct page *page,
		       struct page *to, struct page *from, u32 len)
{
	int nid = page_to_nid(page), here = numa_node_id();

	if (page_to_nid(to) == here && page_to_nid(from) == here) {
		hearth_count(cache, nid, HEARTH_LOCAL_BYTES, len);
		return;
	}
	hearth_count(cache, nid, HEARTH_REMOTE_BYTES, len);
	if (page_to_nid(to) != here)
		hearth_count(cache, nid, HEARTH_REMOTE_STORES, len);
}

/**
 * hearth_span_piece() - the next piece of a span's memory that is in one page
 * @span: the span, with a scatterlist and bytes left
 * @ret_page: the page
 * @ret_offset: where in it
 *
 * Return: Length of the piece in bytes, at least 1.
 */
u32 hearth_span_piece(const struct hearth_span *span, struct page **ret_page,
		      u32 *ret_offset)
{
	struct scatterlist *sg = span->sg;
	u32 offset = sg->offset + span->sg_offset;
	u64 len;

	*ret_page = sg_page(sg) + (offset >> PAGE_SHIFT);
	*ret_offset = offset_in_page(offset);
	len = min_t(u64, sg->length - span->sg_offset, PAGE_SIZE - *ret_offset);
	return min(len, span->len);
}

static void copy_span(struct hearth_cache *cache, struct hearth_span *span,
		      struct page *page, u32 offset, u32 len, bool to_span)
{
	struct page *other;
	u32 other_offset;
	u32 n;

	while (len) {
		n = min(len, hearth_span_piece(span, &other, &other_offset));
		if (to_span) {
			memcpy_page(other, other_offset, page, offset, n);
			count_copy(cache, page, other, page, n);
		} else {
			memcpy_page(page, offset, other, other_offset, n);
			count_copy(cache, page, page, other, n);
		}
		hearth_span_advance(span, n);
		offset += n;
		len -= n;
	}
}

/**
 * hearth_copy_to_span() - copy data of the cache to a request
 * @cache: counts the bytes
 * @span: where to; moved on
 * @page: where from
 * @offset: first byte in @page
 * @len: bytes, at most what @span has left
 *
 * Context: Process context.
 */
void hearth_copy_to_span(struct hearth_cache *cache, struct hearth_span *span,
			 struct page *page, u32 offset, u32 len)
{
	copy_span(cache, span, page, offset, len, true);
}

/**
 * hearth_span_skip() - move a span on over several pieces
 * @span: the span
 * @len: bytes, at most what @span has left
 */
void hearth_span_skip(struct hearth_span *span, u64 len)
{
	struct page *page;
	u32 offset, n;

	if (!span->sg) {
		span->offset += len;
		span->len -= len;
		return;
	}
	for (; len; len -= n) {
		n = min_t(u64, len, hearth_span_piece(span, &page, &offset));
		hearth_span_advance(span, n);
	}
}

static void count_flip(struct hearth_cache *cache, struct page *page)
{
	hearth_count(cache, page_to_nid(page), HEARTH_FLIPPED_BYTES,
		     HEARTH_FRAME_BYTES);
}

/**
 * hearth_give_page() - hand data of the cache to a request
 * @cache: counts the bytes
 * @span: where to; moved on
 * @page: where from; the caller's reference is taken over
 * @offset: first byte in @page
 * @len: bytes, at most what @span has left
 *
 * A whole page takes the place of the scatterlist's, which is freed.
 *
 * Context: Process context.
 */
void hearth_give_page(struct hearth_cache *cache, struct hearth_span *span,
		      struct page *page, u32 offset, u32 len)
{
	if (len < HEARTH_FRAME_BYTES || !hearth_span_whole_page(span) ||
	    hearth_page_is_shown(page)) {
		hearth_copy_to_span(cache, span, page, offset, len);
		__free_page(page);
		return;
	}
	count_flip(cache, page);
	hearth_span_flip(span, &page, 1);
	__free_page(page);	/* if it was filled in place, the very same */
}

/**
 * hearth_take_page() - gather data of a request in a page for the cache
 * @cache: counts the bytes
 * @span: where from; moved on
 * @page: where to: no frame points to it yet; or the scatterlist's own page
 * @offset: first byte in @page
 * @len: bytes, at most what @span has left
 *
 * Context: Process context.
 */
void hearth_take_page(struct hearth_cache *cache, struct hearth_span *span,
		      struct page *page, u32 offset, u32 len)
{
	if (page != sg_page(span->sg)) {
		copy_span(cache, span, page, offset, len, false);
		return;
	}
	count_flip(cache, page);
	hearth_span_advance(span, len);
}

/**
 * hearth_copy_sectors() - copy some sectors from one page to another
 * @cache: counts the bytes
 * @to: a page that no frame points to yet
 * @from: a page of the cache
 * @sectors: which
 *
 * Context: Process context.
 */
void hearth_copy_sectors(struct hearth_cache *cache, struct page *to,
			 struct page *from, u8 sectors)
{
	unsigned long todo = sectors;
	unsigned int i;

	for_each_set_bit(i, &todo, HEARTH_FRAME_SECTORS) {
		memcpy_page(to, i << HEARTH_SECTOR_SHIFT, from,
			    i << HEARTH_SECTOR_SHIFT, 1 << HEARTH_SECTOR_SHIFT);
		count_copy(cache, to, to, from, 1 << HEARTH_SECTOR_SHIFT);
	}
}
