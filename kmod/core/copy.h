/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Moving data between a request's scatterlist and pages of the cache, by
 * exchanging references to whole pages (flip) or by copying bytes.
 */
#ifndef HEARTH_CORE_COPY_H
#define HEARTH_CORE_COPY_H

#include "cache.h"

void hearth_copy_sectors(struct hearth_cache *cache, struct page *to,
			 struct page *from, u8 sectors);
void hearth_copy_to_span(struct hearth_cache *cache, struct hearth_span *span,
			 struct page *page, u32 offset, u32 len);
void hearth_give_page(struct hearth_cache *cache, struct hearth_span *span,
		      struct page *page, u32 offset, u32 len);
void hearth_take_page(struct hearth_cache *cache, struct hearth_span *span,
		      struct page *page, u32 offset, u32 len);
void hearth_span_skip(struct hearth_span *span, u64 len);
u32 hearth_span_piece(const struct hearth_span *span, struct page **ret_page,
		      u32 *ret_offset);

/* As sg_next(), but for a call for each page. */
static inline struct scatterlist *hearth_sg_next(struct scatterlist *sg)
{
	if (sg_is_last(sg))
		return NULL;
	sg++;
	return sg_is_chain(sg) ? sg_chain_ptr(sg) : sg;
}

/**
 * hearth_span_advance() - move a span on
 * @span: the span
 * @len: at most what hearth_span_piece() returned
 */
static inline void hearth_span_advance(struct hearth_span *span, u32 len)
{
	span->offset += len;
	span->len -= len;
	span->sg_offset += len;
	if (span->sg_offset == span->sg->length) {
		span->sg = hearth_sg_next(span->sg);
		span->sg_offset = 0;
	}
}

/**
 * hearth_span_whole_page() - the page at a span's place that can be flipped
 * @span: the span, with bytes left
 *
 * Return: The page, if the next 4096 bytes are a frame of the LUN and an entry
 * of the scatterlist that is just this page, else NULL.
 */
static inline struct page *
hearth_span_whole_page(const struct hearth_span *span)
{
	struct scatterlist *sg = span->sg;

	if (!span->flip || span->offset % HEARTH_FRAME_BYTES ||
	    span->sg_offset || sg->offset ||
	    sg->length != HEARTH_FRAME_BYTES || span->len < sg->length)
		return NULL;
	return sg_page(sg);
}

/**
 * hearth_span_nr_flips() - how many pages at a span's place can be flipped
 * @span: the span, with bytes left
 * @max: count no further
 *
 * Return: The number of entries, from this one on, for which
 * hearth_span_whole_page() holds.
 */
static inline unsigned int
hearth_span_nr_flips(const struct hearth_span *span, unsigned int max)
{
	struct scatterlist *sg = span->sg;
	unsigned int nr = 0;

	if (!span->flip || span->offset % HEARTH_FRAME_BYTES || span->sg_offset)
		return 0;
	max = min_t(u64, max, span->len >> HEARTH_FRAME_SHIFT);
	while (nr < max && !sg->offset && sg->length == HEARTH_FRAME_BYTES) {
		nr++;
		sg = hearth_sg_next(sg);
	}
	return nr;
}

/* Moves a span on over @nr whole pages, to @sg. */
static inline void hearth_span_pass(struct hearth_span *span,
				    struct scatterlist *sg, unsigned int nr)
{
	span->sg = sg;
	span->offset += (u64)nr << HEARTH_FRAME_SHIFT;
	span->len -= (u64)nr << HEARTH_FRAME_SHIFT;
}

/**
 * hearth_span_flip() - exchange pages with a scatterlist
 * @span: the span; moved on
 * @pages: what its entries get; holds what they had afterwards
 * @nr: how many, at most what hearth_span_nr_flips() said
 *
 * The references go with the pages.
 */
static inline void hearth_span_flip(struct hearth_span *span,
				    struct page **pages, unsigned int nr)
{
	struct scatterlist *sg = span->sg;
	struct page *old;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		old = sg_page(sg);
		sg_assign_page(sg, pages[i]);
		pages[i] = old;
		sg = hearth_sg_next(sg);
	}
	hearth_span_pass(span, sg, nr);
}

#endif /* HEARTH_CORE_COPY_H */
