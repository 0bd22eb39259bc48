/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames whose pages a process may see.
 */
#ifndef HEARTH_CORE_SHOW_H
#define HEARTH_CORE_SHOW_H

#include "cache.h"

void hearth_show_mark(struct hearth_cache *cache, struct page *page);
bool hearth_show_start(struct hearth_io *io);
void hearth_show_settle(struct hearth_io *io, struct hearth_slot *slot,
			unsigned int index);
void hearth_show_store(struct hearth_io *io);
void hearth_show_settle_store(struct hearth_io *io, struct hearth_slot *slot,
			      struct hearth_frame *frame);
void hearth_show_unmark(struct hearth_cache *cache, struct hearth_frame *frame);

struct page *hearth_show_get_page(struct hearth_cache *cache, u64 frame_nr,
				  bool may_store);
unsigned long hearth_show_max(const struct hearth_cache *cache);

/* shown.c */
void hearth_show_init(struct hearth_cache *cache);
void hearth_show_exit(struct hearth_cache *cache);
bool hearth_shown_add(struct hearth_cache *cache, struct hearth_extent *ext);
void hearth_show_refresh(struct hearth_io *io);
unsigned long hearth_show_sweep(struct hearth_cache *cache);

/* Whether a process may see the frame's page. */
static inline bool hearth_frame_is_shown(const struct hearth_frame *frame)
{
	return frame->page && hearth_page_is_shown(frame->page);
}

/* Whether it may store into it, too: then it is dirty whatever is written. */
static inline bool hearth_frame_is_stored(const struct hearth_frame *frame)
{
	return frame->page && page_private(frame->page) & HEARTH_STORED;
}

/* Whether a frame, or NULL, keeps its page although what was filled lacks there. */
static inline bool hearth_show_keeps(const struct hearth_frame *frame)
{
	return frame && hearth_frame_is_shown(frame);
}

#endif /* HEARTH_CORE_SHOW_H */
