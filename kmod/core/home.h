/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copying at home: on the node where the copy's pages lie.
 */
#ifndef HEARTH_CORE_HOME_H
#define HEARTH_CORE_HOME_H

#include "cache.h"

bool hearth_home_is_away(struct hearth_cache *cache,
			 const struct hearth_span *span, struct page *page,
			 u32 len);
bool hearth_home_prepare(struct hearth_io *io);
bool hearth_home_gather(struct hearth_io *io);
bool hearth_home_scatter(struct hearth_io *io);

#endif /* HEARTH_CORE_HOME_H */
