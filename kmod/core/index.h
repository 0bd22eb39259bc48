/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The index: from an address of the LUN to the extent that holds its frames.
 */
#ifndef HEARTH_CORE_INDEX_H
#define HEARTH_CORE_INDEX_H

#include "frame.h"

struct hearth_cache;

/* Bit 0 of a bucket is its lock. */
#define HEARTH_BUCKET_LOCK	1UL

/* The first extent of a bucket's chain.  Under its lock, or RCU. */
static inline struct hearth_extent *
hearth_chain_first(const struct hlist_bl_head *bucket)
{
	/* pairs with the releases in index.c */
	unsigned long first = (unsigned long)READ_ONCE(bucket->first);

	return (struct hearth_extent *)(first & ~HEARTH_BUCKET_LOCK);
}

/**
 * typedef hearth_extent_fn - visits an extent
 * @ext: the extent; its lock is held
 * @arg: the caller's
 *
 * Return: true to end the walk.
 */
typedef bool (*hearth_extent_fn)(struct hearth_extent *ext, void *arg);

int hearth_index_init(void);
void hearth_index_exit(void);

struct hearth_extent *hearth_extent_find(struct hearth_cache *cache, u64 key);
struct hearth_extent *hearth_extent_lock(struct hearth_cache *cache, u64 key);
struct hearth_extent *hearth_extent_lock_existing(struct hearth_cache *cache,
						  u64 key);
void hearth_extent_reap(struct hearth_cache *cache, struct hearth_extent *ext);
bool hearth_index_walk(struct hearth_cache *cache, u64 first, u64 last,
		       hearth_extent_fn fn, void *arg);
void hearth_index_empty(struct hearth_cache *cache);

#endif /* HEARTH_CORE_INDEX_H */
