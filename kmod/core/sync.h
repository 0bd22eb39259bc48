/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the device has acknowledged and may still lose.
 */
#ifndef HEARTH_CORE_SYNC_H
#define HEARTH_CORE_SYNC_H

#include "cache.h"

void hearth_sync_init(struct hearth_sync *sync);
void hearth_sync_start(struct hearth_io *io);
void hearth_sync_end(struct hearth_io *io);
void hearth_sync_written(struct hearth_io *io, struct hearth_frame *frame,
			 u8 sectors);
void hearth_sync_written_past(struct hearth_io *io);
void hearth_sync_escapes(struct hearth_cache *cache,
			 const struct hearth_extent *ext);

#endif /* HEARTH_CORE_SYNC_H */
