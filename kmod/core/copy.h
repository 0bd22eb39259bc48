/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Moving data between a request's scatterlist and pages of the cache, by
 * exchanging references to whole pages (flip) or by copying bytes.
 */
#ifndef HEARTH_CORE_COPY_H
#define HEARTH_CORE_COPY_H

#include "cache.h"

void hearth_copy_to_span(struct hearth_cache *cache, struct hearth_span *span,
			 struct page *page, u32 offset, u32 len);
void hearth_copy_sectors(struct hearth_cache *cache, struct page *to,
			 struct page *from, u8 sectors);
void hearth_copy_to_span(struct hearth_cache *cache, struct hearth_span *span,
			 struct page *page, u32 offset, u32 len);
void hearth_give_page(struct hearth_cache *cache, struct hearth_span *span,
		      struct page *page, u32 offset, u32 len);
void hearth_take_page(struct hearth_cache *cache, struct hearth_span *span,
		      struct page *page, u32 offset, u32 len);
struct page *hearth_span_whole_page(const struct hearth_span *span);
void hearth_span_skip(struct hearth_span *span, u64 len);
u32 hearth_span_piece(const struct hearth_span *span, struct page **ret_page,
		      u32 *ret_offset);
void hearth_span_advance(struct hearth_span *span, u32 len);

#endif /* HEARTH_CORE_COPY_H */
