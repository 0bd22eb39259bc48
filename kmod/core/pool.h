/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The share of one NUMA node in a cache: its pages, its part of the index and
 * its replacement queue, all in that node's memory.
 *
 * The limit is on all of that together.  Frames and extents are counted at what
 * they take of their slab.  Requests under way can exceed it by what they have
 * just added; whoever did so makes room again before it is done.
 */
#ifndef HEARTH_CORE_POOL_H
#define HEARTH_CORE_POOL_H

#include "policy.h"

struct hearth_cache;

/* What an object takes of a slab, its part of a page's unused rest included. */
static inline unsigned long hearth_slab_cost(unsigned long size)
{
	unsigned long nr = PAGE_SIZE / size;

	return (PAGE_SIZE + nr - 1) / nr;
}

/* SLAB_TYPESAFE_BY_RCU: the allocator's link lies behind the object */
#define HEARTH_FRAME_COST	\
	hearth_slab_cost(sizeof(struct hearth_frame) + sizeof(void *))
#define HEARTH_EXTENT_COST	hearth_slab_cost(sizeof(struct hearth_extent))

/**
 * struct hearth_pool - one node's share of a cache
 * @cache: whose share
 * @nid: the node
 * @hash_bits: log2 of the number of buckets
 * @buckets: chains of extents, see index.c
 * @is_over: somebody found more in use than @limit allows
 * @limit: of @nr_pages and all metadata, in pages; see share.c for this and the
 *	next four
 * @min_pages: what is guaranteed to the pool
 * @max_pages: the most that @limit can be
 * @refused: the pool's count of insertions when it was last lent nothing
 * @share_node: link in the list of the node's pools
 * @nr_frames: frames whose home this is, queued or not
 * @nr_extents: extents in @buckets
 * @lock: protects everything below
 * @policy: the frames that live here, in the order in which they go
 * @free: pages for reuse (linked by page->lru)
 * @nr_free: length of @free
 * @nr_pages: pages taken from the node, @free included
 * @nr_dirty: frames that live here and have dirty sectors
 * @nr_stored: of these, what a process may store into, see show.c
 * @max_dirty: the hard watermark of @nr_dirty, but for @nr_stored
 * @dirty_lock: protects everything below
 * @dirty_extents: those indexed here that have dirty frames, by address
 * @is_flushing: at work on the latest pass, see flush.c
 * @cursor: the frame that it has come to
 * @nr_cleaning: its requests under way
 */
struct hearth_pool {
	struct hearth_cache *cache;
	int nid;
	unsigned int hash_bits;
	struct hlist_bl_head *buckets;
	bool is_over;
	unsigned long limit;
	unsigned long min_pages;
	unsigned long max_pages;
	u32 refused;
	struct list_head share_node;

	atomic_long_t nr_frames ____cacheline_aligned_in_smp;
	atomic_long_t nr_extents;
	spinlock_t lock;	/* of all that follows */
	struct hearth_policy policy;
	struct list_head free;
	unsigned long nr_free;
	unsigned long nr_pages;

	atomic_long_t nr_dirty ____cacheline_aligned_in_smp;
	atomic_long_t nr_stored;
	unsigned long max_dirty;
	spinlock_t dirty_lock;	/* of all that follows */
	struct rb_root dirty_extents;
	bool is_flushing;
	u64 cursor;
	unsigned int nr_cleaning;
};

/* Frames that one request gives up at most while a pool is above its limit. */
#define HEARTH_MAX_TRIM	32

/**
 * enum hearth_take - which frames may be taken away
 * @HEARTH_TAKE_CLEAN: to make room for others
 * @HEARTH_TAKE_UNUSED: to free memory: pages that nobody else refers to
 */
enum hearth_take {
	HEARTH_TAKE_CLEAN,
	HEARTH_TAKE_UNUSED,
};

struct hearth_pool *hearth_pool_alloc(struct hearth_cache *cache, int nid,
				      unsigned long min_pages,
				      unsigned long max_pages);
void hearth_pool_free(struct hearth_pool *pool);
u64 hearth_pool_fixed(const struct hearth_pool *pool);
u64 hearth_pool_metadata(const struct hearth_pool *pool);
unsigned long hearth_pool_used(const struct hearth_pool *pool);
void hearth_pool_note_over(struct hearth_pool *pool);
bool hearth_pool_check_over(struct hearth_pool *pool);
bool hearth_pool_release_page(struct hearth_pool *pool);
struct page *hearth_pool_get_page(struct hearth_cache *cache, int nid,
				  struct page *offered, bool may_spill);
void hearth_pool_put_page(struct hearth_cache *cache, struct page *page);
void hearth_pool_insert(struct hearth_cache *cache, struct hearth_frame *frame);
void hearth_pool_renew(struct hearth_cache *cache, struct hearth_frame *frame);

/* reclaim.c */
bool hearth_pool_evict(struct hearth_cache *cache, struct hearth_pool *pool);
bool hearth_pool_trim(struct hearth_cache *cache, struct hearth_pool *pool);
unsigned long hearth_pool_shrink(struct hearth_cache *cache,
				 struct hearth_pool *pool,
				 unsigned long nr_pages, enum hearth_take take);
void hearth_pool_unpin(struct hearth_pool *pool);
void hearth_pools_trim(struct hearth_cache *cache);

#endif /* HEARTH_CORE_POOL_H */
