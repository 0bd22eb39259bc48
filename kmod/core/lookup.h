/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Looking at a frame without a lock: inline, since a large read does it 256 times.
 */
#ifndef HEARTH_CORE_LOOKUP_H
#define HEARTH_CORE_LOOKUP_H

#include "policy.h"

/**
 * hearth_frame_get_page() - look at a frame without a lock
 * @ext: its extent
 * @index: which slot
 * @need: the sectors that must be valid
 * @ret_ahead: set to the frame's mark, which is cleared, if it has one
 *
 * See frame.h for the barriers.
 *
 * Context: Under rcu_read_lock() or the extent's lock.
 * Return: The page with a reference of its own, or NULL if @need is not there.
 */
static inline struct page *hearth_frame_get_page(struct hearth_extent *ext,
						 unsigned int index, u8 need,
						 u8 *ret_ahead)
{
	struct hearth_frame *frame = READ_ONCE(ext->frames[index]);
	struct page *page;
	u32 version;

	if (!frame)
		return NULL;
	/* pairs with the release in hearth_frame_change_end() */
	version = smp_load_acquire(&frame->version);
	page = READ_ONCE(frame->page);
	if (version & 1 || !page || need & ~READ_ONCE(frame->valid) ||
	    !get_page_unless_zero(page))
		return NULL;
	/* the slot before the version; pairs with hearth_frame_change_begin() */
	if (smp_load_acquire(&ext->frames[index]) != frame ||
	    READ_ONCE(frame->version) != version) {
		put_page(page);
		return NULL;
	}
	hearth_policy_touch(frame);
	if (READ_ONCE(frame->ahead))
		*ret_ahead = xchg(&frame->ahead, 0);
	return page;
}

#endif /* HEARTH_CORE_LOOKUP_H */
