/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the device does not hold yet.
 */
#ifndef HEARTH_CORE_DIRTY_H
#define HEARTH_CORE_DIRTY_H

#include "cache.h"

struct hearth_pool;

void hearth_dirty_init(struct hearth_pool *pool);
void hearth_dirty_set(struct hearth_cache *cache, struct hearth_frame *frame,
		      u8 sectors);
void hearth_dirty_set_frames(struct hearth_cache *cache,
			     struct hearth_extent *ext, u16 frames);
void hearth_dirty_clear(struct hearth_cache *cache, struct hearth_frame *frame,
			u8 sectors);
struct hearth_extent *hearth_dirty_next(struct hearth_pool *pool, u64 frame_nr,
					u16 *ret_mask);
bool hearth_dirty_any(const struct hearth_cache *cache);
bool hearth_dirty_may_grow(struct hearth_cache *cache, int nid, u64 offset,
			   unsigned long nr);
bool hearth_dirty_is_high(struct hearth_cache *cache, int nid, u64 offset);
bool hearth_dirty_covers(struct hearth_cache *cache, u64 offset, u32 len);
void hearth_dirty_overlay(struct hearth_io *io);

#endif /* HEARTH_CORE_DIRTY_H */
