/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ranges: requests that go past the cache, under the same exclusion.
 */
#ifndef HEARTH_CORE_RANGE_H
#define HEARTH_CORE_RANGE_H

#include "cache.h"

void hearth_range_start(struct hearth_io *io);
void hearth_range_drain(struct hearth_io *io);
void hearth_range_finish(struct hearth_io *io);
bool hearth_range_blocks(struct hearth_io *io);
bool hearth_range_overlaps(struct hearth_io *io);

#endif /* HEARTH_CORE_RANGE_H */
