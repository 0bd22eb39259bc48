/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Readahead: filling what a sequential reader will ask for next.
 */
#ifndef HEARTH_CORE_READAHEAD_H
#define HEARTH_CORE_READAHEAD_H

#include "cache.h"

void hearth_ahead_note(struct hearth_ahead *ahead, u64 frame_nr, u8 order);
void hearth_ahead_miss(struct hearth_io *io);
struct hearth_io *hearth_ahead_alloc(struct hearth_cache *cache,
				     struct hearth_ahead ahead, int nid);
void hearth_ahead_done(struct hearth_io *io);

#endif /* HEARTH_CORE_READAHEAD_H */
