/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Windows: pages that are to become frames' pages when they are full.
 */
#ifndef HEARTH_CORE_WINDOW_H
#define HEARTH_CORE_WINDOW_H

#include "cache.h"

int hearth_window_get_pages(struct hearth_cache *cache, u64 frame_nr,
			    unsigned int nr, unsigned long owner,
			    struct page **pages);
void hearth_window_put_page(struct hearth_cache *cache, struct page *page);
void hearth_window_bring(struct hearth_io *io, struct hearth_slot *slot,
			 struct page *page, struct hearth_frame *frame);
void hearth_window_take(struct hearth_cache *cache,
			const struct hearth_slot *slot);

/* Whether a page is prepared, and so no frame's. */
static inline bool hearth_page_is_prepared(const struct page *page)
{
	return page_private(page) & HEARTH_PREPARED;
}

/* Whose a prepared page is. */
static inline unsigned long hearth_page_owner(const struct page *page)
{
	return page_private(page) & ~HEARTH_PREPARED;
}

#endif /* HEARTH_CORE_WINDOW_H */
