/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing back.
 */
#ifndef HEARTH_CORE_FLUSH_H
#define HEARTH_CORE_FLUSH_H

#include "cache.h"

void hearth_flush_init(struct hearth_flush *flush);
void hearth_flush_wait(struct hearth_io *io);
void hearth_flush_rewind(struct hearth_io *io);
void hearth_flush_done(struct hearth_io *io);
void hearth_flush_if_due(struct hearth_cache *cache, int nid, u64 offset);

#endif /* HEARTH_CORE_FLUSH_H */
