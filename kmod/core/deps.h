/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one door through which the cache core reaches the kernel.
 *
 * Nothing else under core/ includes <linux/...>.  The unit tests compile the
 * same sources in userspace by forcing a shim in with -include, which defines
 * HEARTH_CORE_DEPS_H first and so turns this file off.  Whatever is added here
 * has to be added to the shim as well.
 */
#ifndef HEARTH_CORE_DEPS_H
#define HEARTH_CORE_DEPS_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/highmem.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/list_bl.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/numa.h>
#include <linux/percpu.h>
#include <linux/rbtree.h>
#include <linux/rculist_bl.h>
#include <linux/rcupdate.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/topology.h>
#include <linux/types.h>

/**
 * hearth_page_alloc() - get one order-0 page of a node
 * @nid: the node whose memory is wanted; no other node's is taken
 *
 * The page has one reference, is not part of a compound page, and is cleared: so
 * whatever pages the cache has hold something of their LUN, or nothing (see
 * window.c).  Where the kernel clears what it allocates (init_on_alloc) that costs
 * nothing more.
 *
 * Context: Process context; may reclaim clean memory but waits for no I/O.
 * Return: The page, or NULL where the node has none to give.
 */
static inline struct page *hearth_page_alloc(int nid)
{
	return alloc_pages_node(nid, GFP_NOIO | __GFP_THISNODE | __GFP_NOWARN |
				     __GFP_NORETRY | __GFP_NOMEMALLOC |
				     __GFP_ZERO, 0);
}

#endif /* HEARTH_CORE_DEPS_H */
