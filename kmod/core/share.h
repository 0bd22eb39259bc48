/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How LUNs share the memory of a node.
 */
#ifndef HEARTH_CORE_SHARE_H
#define HEARTH_CORE_SHARE_H

#include "pool.h"

int hearth_share_init(void);
void hearth_share_exit(void);
void hearth_share_set_commons(int nid, unsigned long nr_pages);
void hearth_share_join(struct hearth_pool *pool, unsigned long min_pages,
		       unsigned long max_pages);
void hearth_share_leave(struct hearth_pool *pool);
void hearth_share_resize(struct hearth_pool *pool, unsigned long min_pages,
			 unsigned long max_pages);
void hearth_share_return(struct hearth_pool *pool);
bool hearth_share_borrow(struct hearth_pool *pool);

#endif /* HEARTH_CORE_SHARE_H */
