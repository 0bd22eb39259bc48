// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of extents with frames that are shown, see show.c, and who goes through
 * it: what has changed the device past the cache, and the sweep.
 *
 * An entry is taken out by a sweep only, there is one at a time, and not while
 * somebody else walks the list, nor while a part of the extent is claimed.
 */
#include "dirty.h"
#include "index.h"
#include "pool.h"
#include "show.h"

/**
 * struct shown - an entry of the list of extents with frames that are shown
 * @node: link in &hearth_cache.shown
 * @key: the extent
 */
struct shown {
	struct list_head node;
	u64 key;
};

void hearth_show_init(struct hearth_cache *cache)
{
	spin_lock_init(&cache->shown_lock);
	INIT_LIST_HEAD(&cache->shown);
}

/* At the end of a cache's life: nothing is shown any more, swept or not. */
void hearth_show_exit(struct hearth_cache *cache)
{
	struct shown *entry, *next;

	list_for_each_entry_safe(entry, next, &cache->shown, node)
		kfree(entry);
}

static bool is_listed(struct hearth_extent *ext)
{
	bool listed;

	spin_lock(&ext->lock);
	listed = ext->is_shown;
	spin_unlock(&ext->lock);
	return listed;
}

/**
 * hearth_shown_add() - have an extent in the list of those that are shown
 * @cache: the cache
 * @ext: the extent; the caller claims a part of it
 *
 * Context: Process context, no lock held; waits for no I/O.
 * Return: false if there is no memory.
 */
bool hearth_shown_add(struct hearth_cache *cache, struct hearth_extent *ext)
{
	struct shown *entry;

	if (is_listed(ext))
		return true;
	entry = kmalloc(sizeof(*entry), GFP_NOIO | __GFP_NOWARN);
	if (!entry)
		return false;
	entry->key = ext->key;
	spin_lock(&ext->lock);
	if (!ext->is_shown) {
		ext->is_shown = true;
		spin_lock(&cache->shown_lock);
		list_add_tail(&entry->node, &cache->shown);
		spin_unlock(&cache->shown_lock);
		entry = NULL;
	}
	spin_unlock(&ext->lock);
	kfree(entry);
	return true;
}

/*
 * Reads a frame's part of a range back, but for sectors to keep; returns those that
 * cannot be read.
 */
static u8 read_back(struct hearth_io *io, u64 frame_nr, struct page *page,
		    u8 keep)
{
	struct hearth_cache *cache = io->cache;
	u64 start = frame_nr << HEARTH_FRAME_SHIFT;
	u32 block = cache->block_bytes;
	u32 from, to;
	u8 bad = 0, mask;

	hearth_io_part(io, frame_nr, &from, &to);
	for (; from < to; from += block) {
		mask = hearth_sector_mask(from, from + block);
		if (!(mask & keep) &&
		    cache->ops->read_block(cache, start + from, block, page,
					   from))
			bad |= mask;
	}
	return bad;
}

/* The page of a frame that has to be read back, with a reference, or NULL. */
static struct page *get_stale(const struct hearth_io *io,
			      const struct hearth_extent *ext,
			      unsigned int index, u8 *ret_keep)
{
	const struct hearth_frame *frame = ext->frames[index];

	lockdep_assert_held(&ext->lock);
	if (!frame || !hearth_frame_is_shown(frame))
		return NULL;
	/* after a failure that is newer than whatever the device has */
	*ret_keep = io->error ? frame->dirty : 0;
	get_page(frame->page);
	return frame->page;
}

static void refresh_frame(struct hearth_io *io, u64 frame_nr)
{
	unsigned int index = frame_nr % HEARTH_EXTENT_FRAMES;
	u64 key = frame_nr >> HEARTH_EXTENT_SHIFT;
	struct hearth_extent *ext;
	struct hearth_frame *frame;
	struct page *page;
	u8 bad, keep = 0;

	ext = hearth_extent_lock_existing(io->cache, key);
	if (!ext)
		return;
	__acquire(&ext->lock);	/* hearth_extent_lock_existing() did */
	page = get_stale(io, ext, index, &keep);
	spin_unlock(&ext->lock);
	if (!page)
		return;
	bad = read_back(io, frame_nr, page, keep);
	/* its reference and the range keep it where it is */
	spin_lock(&ext->lock);
	frame = ext->frames[index];
	if (bad) {
		hearth_dirty_clear(io->cache, frame, bad);
		hearth_frame_change_begin(frame);
		WRITE_ONCE(frame->valid, frame->valid & ~bad);
		hearth_frame_change_end(frame);
	}
	spin_unlock(&ext->lock);
	put_page(page);
}

static void refresh_extent(struct hearth_io *io, u64 key)
{
	unsigned long todo = hearth_io_frames(io, key);
	unsigned int i;

	for_each_set_bit(i, &todo, HEARTH_EXTENT_FRAMES)
		refresh_frame(io, (key << HEARTH_EXTENT_SHIFT) + i);
}

/* The entry behind one, or the first. */
static struct shown *next_entry(struct hearth_cache *cache, struct shown *entry)
{
	struct list_head *next = entry ? entry->node.next : cache->shown.next;

	lockdep_assert_held(&cache->shown_lock);
	return next == &cache->shown ? NULL :
				       list_entry(next, struct shown, node);
}

static struct shown *step(struct hearth_cache *cache, struct shown *entry)
{
	spin_lock(&cache->shown_lock);
	entry = next_entry(cache, entry);
	spin_unlock(&cache->shown_lock);
	return entry;
}

static void add_walker(struct hearth_cache *cache, int n)
{
	spin_lock(&cache->shown_lock);
	cache->nr_walkers += n;
	spin_unlock(&cache->shown_lock);
}

/**
 * hearth_show_refresh() - bring what is shown up to date with the device
 * @io: a request that changed it past the cache; still alone on its range
 *
 * Context: Process context, no lock held; waits for the device.
 */
void hearth_show_refresh(struct hearth_io *io)
{
	struct hearth_cache *cache = io->cache;
	struct shown *entry = NULL;

	if (!atomic_long_read(&cache->nr_shown) || io->op == HEARTH_OP_READ ||
	    io->op == HEARTH_OP_ALONE || io->op == HEARTH_OP_FORGET)
		return;
	add_walker(cache, 1);
	while ((entry = step(cache, entry)))
		refresh_extent(io, entry->key);
	add_walker(cache, -1);
}

/* Takes the marks off pages that nobody has; whether any is left. */
static bool sweep_frames(struct hearth_cache *cache, struct hearth_extent *ext)
{
	struct hearth_frame *frame;
	bool left = ext->busy;
	unsigned int i;

	lockdep_assert_held(&ext->lock);
	for (i = 0; i < HEARTH_EXTENT_FRAMES; i++) {
		frame = ext->frames[i];
		if (!frame || !hearth_frame_is_shown(frame))
			continue;
		if ((ext->busy | ext->cleaning) & BIT(i) ||
		    page_ref_count(frame->page) > 1)
			left = true;
		else
			hearth_show_unmark(cache, frame);
	}
	return left;
}

/* Whether the entry is of no use any more, and is out of the list. */
static bool sweep_entry(struct hearth_cache *cache, struct shown *entry)
{
	struct hearth_extent *ext = hearth_extent_lock_existing(cache,
								entry->key);
	bool gone = false;

	if (!ext)
		return false;	/* cannot be: it stays while it is in the list */
	__acquire(&ext->lock);	/* hearth_extent_lock_existing() did */
	if (!sweep_frames(cache, ext)) {
		spin_lock(&cache->shown_lock);
		gone = !cache->nr_walkers;
		if (gone) {
			list_del(&entry->node);
			ext->is_shown = false;
		}
		spin_unlock(&cache->shown_lock);
	}
	rcu_read_lock();	/* keeps ext for hearth_extent_reap() */
	spin_unlock(&ext->lock);
	if (gone)
		hearth_extent_reap(cache, ext);
	rcu_read_unlock();
	return gone;
}

/**
 * hearth_show_sweep() - find frames that nobody sees any more
 * @cache: the cache
 *
 * Context: Process context, no lock held; one call at a time.
 * Return: How many frames are shown.
 */
unsigned long hearth_show_sweep(struct hearth_cache *cache)
{
	unsigned long before = atomic_long_read(&cache->nr_shown), left;
	struct shown *entry = step(cache, NULL), *next;
	int nid;

	for (; entry; entry = next) {
		next = step(cache, entry);
		if (sweep_entry(cache, entry))
			kfree(entry);
		cond_resched();
	}
	left = atomic_long_read(&cache->nr_shown);
	for_each_node(nid) {
		if (left < before && cache->pools[nid])
			hearth_pool_unpin(cache->pools[nid]);
	}
	hearth_pools_trim(cache);
	return left;
}
