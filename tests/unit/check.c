// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What holds after every step, and what holds when nothing is under way.
 *
 * Looks at the cache from outside without its locks: nothing else runs.
 */
#include "rig.h"

typedef void (*extent_fn)(struct rig *rig, struct hearth_extent *ext);

static int shard_of(const struct rig *rig, const struct hearth_extent *ext)
{
	return hearth_cache_shard(rig->cache, ext->key * HEARTH_EXTENT_BYTES);
}

static void visit_extents(struct rig *rig, extent_fn fn)
{
	struct hearth_extent *ext;
	struct hearth_pool *pool;
	unsigned long i;
	int nid;

	for_each_node(nid) {
		pool = rig->cache->pools[nid];
		for (i = 0; pool && i < 1UL << pool->hash_bits; i++) {
			for (ext = hearth_chain_first(&pool->buckets[i]); ext;
			     ext = ext->next) {
				shim_assert(shard_of(rig, ext) == nid);
				fn(rig, ext);
			}
		}
	}
}

/* What the cache says is valid agrees with the device or is being changed. */
static void check_frame(struct rig *rig, struct hearth_frame *frame, u64 nr)
{
	unsigned long valid = frame->valid;
	unsigned int i;
	u64 value, sector;

	shim_assert(frame->page || !valid);
	shim_assert(!(frame->dirty & ~valid));
	if (!frame->page)
		return;
	shim_assert(page_ref_count(frame->page) > 0);
	shim_assert(page_to_nid(frame->page) == frame->nid);
	for_each_set_bit(i, &valid, HEARTH_FRAME_SECTORS) {
		sector = nr * HEARTH_FRAME_SECTORS + i;
		shim_assert(sector < rig->disk.nr_sectors);
		memcpy(&value, frame->page->data + i * SECTOR_BYTES,
		       sizeof(value));
		if (!oracle_may_hold(&rig->oracle, sector, value))
			shim_die("cache holds %llx for sector %llu, device %llx",
				 value, sector, rig->disk.values[sector]);
	}
}

static long nr_dirty[SHIM_MAX_NODES], nr_dirty_extents;

static void count_dirty(const struct hearth_frame *frame, u16 *dirty)
{
	if (!frame->dirty)
		return;
	*dirty |= BIT(frame->index);
	nr_dirty[frame->nid]++;
}

static void check_extent(struct rig *rig, struct hearth_extent *ext)
{
	struct hearth_frame *frame;
	unsigned int i, nr = 0;
	u16 dirty = 0;

	shim_assert(!ext->dead && !ext->lock.owner);
	for (i = 0; i < HEARTH_EXTENT_FRAMES; i++) {
		frame = ext->frames[i];
		if (!frame)
			continue;
		nr++;
		shim_assert(frame->extent == ext && frame->index == i);
		check_frame(rig, frame, ext->key * HEARTH_EXTENT_FRAMES + i);
		count_dirty(frame, &dirty);
	}
	shim_assert(ext->nr_frames == nr);
	shim_assert(ext->dirty == dirty);
	nr_dirty_extents += !!dirty;
}

/* Length of a tree of extents, which is in order. */
static long count_tree(const struct rb_node *node, u64 above)
{
	const struct hearth_extent *ext;

	if (!node)
		return 0;
	ext = rb_entry(node, struct hearth_extent, dirty_node);
	shim_assert(ext->dirty && ext->key >= above);
	return count_tree(node->rb_left, above) + 1 +
	       count_tree(node->rb_right, ext->key + 1);
}

/* Invariants that hold whatever is in flight. */
void check_rules(struct rig *rig)
{
	struct hearth_pool *pool;
	int nid;

	memset(nr_dirty, 0, sizeof(nr_dirty));
	nr_dirty_extents = 0;
	visit_extents(rig, check_extent);
	for_each_node(nid) {
		pool = rig->cache->pools[nid];
		if (!pool)
			continue;
		nr_dirty_extents -= count_tree(pool->dirty_extents.rb_node, 0);
		shim_assert(atomic_long_read(&pool->nr_dirty) == nr_dirty[nid]);
		shim_assert(pool->nr_free <= pool->nr_pages);
	}
	shim_assert(!nr_dirty_extents);
	seen_check(rig);
}

static unsigned long nr_frames, nr_pages, nr_extents;

static void check_extent_rest(struct rig *rig, struct hearth_extent *ext)
{
	unsigned int i;

	(void)rig;
	shim_assert(!ext->busy && !ext->cleaning);
	shim_assert(list_empty(&ext->waiters));
	shim_assert(ext->nr_frames || ext->is_shown);
	nr_extents++;
	for (i = 0; i < HEARTH_EXTENT_FRAMES; i++) {
		if (!ext->frames[i])
			continue;
		nr_frames++;
		nr_pages += !!ext->frames[i]->page;
		shim_assert(ext->frames[i]->queue != HEARTH_QUEUE_NONE);
	}
}

/* All that the pool has, its own metadata included, is within its limit. */
static void check_memory(struct rig *rig, struct hearth_pool *pool)
{
	u64 memory = hearth_cache_memory(rig->cache, pool->nid);

	shim_assert(atomic_long_read(&pool->nr_frames) >= 0);
	/*
	 * What is dirty cannot be given up before it is written back, what is
	 * shown not before nobody sees it, what is prepared not before its owner
	 * does.
	 */
	if (!atomic_long_read(&pool->nr_dirty) && !windows_pages(pool->nid) &&
	    list_empty(&rig->cache->shown) &&
	    memory > (u64)pool->limit * PAGE_SIZE)
		shim_die("node %d: %llu bytes in use, %lu pages allowed",
			 pool->nid, memory, pool->limit);
}

static unsigned long queue_length(const struct list_head *queue)
{
	const struct list_head *at;
	unsigned long nr = 0;

	for (at = queue->next; at != queue; at = at->next)
		nr++;
	return nr;
}

/* What is claimed, published, taken or counted comes back in the end. */
void check_rest(struct rig *rig)
{
	struct hearth_pool *pool;
	long in_queues;
	unsigned int queue;
	int nid;

	shim_assert(!atomic_long_read(&rig->cache->nr_ahead));
	shim_assert(!atomic_long_read(&rig->cache->nr_rehomes));
	shim_assert(list_empty(&rig->cache->ranges) && !rig->cache->nr_ranges);
	shim_assert(list_empty(&rig->cache->flush.waiters));
	shim_assert(!rig->cache->flush.nr_busy);
	shim_assert(list_empty(&rig->cache->sync.waiters) &&
		    list_empty(&rig->cache->sync.members));
	shim_assert(!rig->cache->sync.is_running);
	nr_frames = 0;
	nr_pages = 0;
	nr_extents = 0;
	visit_extents(rig, check_extent_rest);
	for_each_node(nid) {
		pool = rig->cache->pools[nid];
		if (!pool)
			continue;
		shim_assert(queue_length(&pool->free) == pool->nr_free);
		in_queues = 0;
		for (queue = 0; queue < HEARTH_NR_QUEUES; queue++) {
			shim_assert(queue_length(&pool->policy.queues[queue]) ==
				    pool->policy.nr[queue]);
			nr_frames -= pool->policy.nr[queue];
			in_queues += pool->policy.nr[queue];
		}
		shim_assert(atomic_long_read(&pool->nr_frames) == in_queues);
		nr_extents -= atomic_long_read(&pool->nr_extents);
		check_memory(rig, pool);
		nr_pages += windows_pages(nid);
		nr_pages -= hearth_cache_frames(rig->cache, nid);
	}
	if (nr_frames || nr_pages || nr_extents)
		shim_die("%ld frames in no queue, %ld pages and %ld extents not counted",
			 (long)nr_frames, (long)nr_pages, (long)nr_extents);
}
