/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames and extents: what the cache is made of, and the rules they live by.
 *
 * A *frame* is one cached page (4 KiB) of one LUN.  An *extent* is the index
 * entry of 16 neighbouring frames (64 KiB of LUN), so that a large request
 * does one look-up for 16 pages:
 *
 *     LUN    |  extent 0  |  extent 1  |  extent 2  | ...
 *                            |
 *     hash bucket -> extent: frames[0] .. frames[15]
 *                               |
 *                             frame: page, valid and dirty sectors, queue entry
 *
 * Validity is kept by sector (512 bytes): bit n of hearth_frame.valid says that
 * sector n of the page holds what the LUN holds; bit n of hearth_frame.dirty,
 * that the device does not hold it yet.
 *
 * The order rules
 * ---------------
 * What keeps device and cache from ever disagreeing:
 *
 *  1. A page of the cache is immutable.  Nobody stores into a page that a
 *     frame points to; new contents come as a new page that replaces the old
 *     one.  So whoever holds a reference reads a consistent page, also after
 *     the command that it served has completed.
 *  2. At most one backing I/O per frame is in flight, be it fill, write or
 *     write-back.  Who wants to start one claims the frame first (a bit of
 *     hearth_extent.busy); who finds it claimed waits in arrival order.
 *  3. Only the owner of the claim changes a frame's page and its valid bits.
 *     Reclaim takes a frame away only while nobody claims it and it is clean.
 *  4. A fill makes valid only sectors that nobody made valid since it was
 *     submitted, and hands out the frame's contents, not the device's.
 *  5. A write makes its sectors valid when the device has acknowledged it,
 *     and before the command is acknowledged.  If it fails, they become
 *     invalid, since nobody knows what the device holds; but what was dirty
 *     stays as it was, and dirty.
 *  6. A request claims its frames in ascending order and gives them back only
 *     when it is done, so that requests cannot wait for each other in a ring.
 *  7. What bypasses the cache (UNMAP, WRITE SAME, write-around, I/O for which
 *     there is no memory) publishes a *range* instead.  A published range
 *     stops every later claim within it, waits until the claims already there
 *     are gone, runs alone, and takes away the valid bits of what it changed.
 *     A request that holds a frame within the range already is let through:
 *     the range waits for it anyway (see range.c for why nothing deadlocks).
 *     What is dirty there is newer than the device: a read past the cache takes
 *     it from the frames; a change that the device has acknowledged makes it
 *     clean, one that failed leaves it dirty.
 *  8. Reads that hit take part in none of this: until the command that
 *     changes a sector is acknowledged, they may return its old contents.
 *  9. A write that is to be written back claims its frames like any other, but
 *     starts no I/O: it makes its sectors valid and dirty and is done.  Where
 *     nobody has or awaits a claim it may do all of that under the extent's lock
 *     (hit.c).
 * 10. Write-back has a claim of its own (a bit of hearth_extent.cleaning), in
 *     whose way only backing I/O is, so that the frame may be written anew
 *     meanwhile.  It writes a page that it holds a reference of, and makes the
 *     frame clean if, in the end, the frame still points to that page.  If it
 *     fails the frame stays dirty.
 * 11. What the device has acknowledged is clean, but at risk until the device is
 *     flushed.  If that fails it becomes dirty again, see sync.c.
 *
 * 12. A page that a process may see (page->private is not 0) is the exception from
 *     rule 1: see show.c.
 * 13. A page that is prepared (HEARTH_PREPARED) is no frame's yet, whoever sees it:
 *     see window.c.
 *
 * Looking at a frame without a lock
 * ---------------------------------
 * hearth_frame_get_page() runs under RCU only.  It reads the frame's version,
 * its valid bits and its page, takes a reference with get_page_unless_zero(),
 * and then looks at the extent's slot and at the version again.
 *
 *   - Who changes page, valid bits or slot makes the version odd before and
 *     even again after.  A look-up that finds it even and, at the end, the same
 *     has seen what belongs together, and the contents that go with it.
 *   - Frames come from a SLAB_TYPESAFE_BY_RCU cache: one may become a frame of
 *     another extent while it is being looked at, and even come back.  The
 *     version is never set back, so the last look finds that out.
 *   - A page leaves its frame, then (full barrier) its reference count is
 *     looked at; a look-up raises the count (full barrier), then looks at the
 *     version again.  Either reclaim sees the extra reference and lets the
 *     page go, or the look-up sees that the frame has changed.
 *
 * Lock order
 * ----------
 *   bucket (bit lock of a hash chain)
 *     -> hearth_extent.lock
 *          -> hearth_pool.lock
 *          -> hearth_pool.dirty_lock -> hearth_flush.lock
 *          -> hearth_sync.lock
 *          -> hearth_cache.range_lock
 *          -> hearth_cache.shown_lock
 *   commons.lock (of share.c), with no other
 *
 * All are plain spinlocks, taken in process context only.  No lock is held
 * across an allocation, a copy of data, or the start of an I/O.
 */
#ifndef HEARTH_CORE_FRAME_H
#define HEARTH_CORE_FRAME_H

#include "deps.h"

#define HEARTH_SECTOR_SHIFT	9
#define HEARTH_FRAME_SHIFT	12
#define HEARTH_FRAME_BYTES	4096U
#define HEARTH_FRAME_SECTORS	(HEARTH_FRAME_BYTES >> HEARTH_SECTOR_SHIFT)
#define HEARTH_FRAME_ALL	((u8)GENMASK(HEARTH_FRAME_SECTORS - 1, 0))

/*
 * page->private of a frame's page: a process may see it, or store into it, too.
 * Of a page that is no frame's: it is prepared, see window.c; the rest is its owner.
 */
#define HEARTH_SHOWN		BIT(0)
#define HEARTH_STORED		BIT(1)
#define HEARTH_PREPARED		BIT(2)

#define HEARTH_EXTENT_SHIFT	4
#define HEARTH_EXTENT_FRAMES	16U
#define HEARTH_EXTENT_BYTES	(HEARTH_FRAME_BYTES << HEARTH_EXTENT_SHIFT)

/* An array on the stack that the compiler need not clear: that would show in a hit. */
#if __has_attribute(__uninitialized__)
#define HEARTH_UNINITIALIZED	__attribute__((__uninitialized__))
#else
#define HEARTH_UNINITIALIZED
#endif

/* hearth_frame.freq saturates here: how many more rounds a hit earns */
#define HEARTH_FREQ_MAX		3

struct hearth_cache;
struct hearth_extent;

/**
 * enum hearth_queue - where a frame stands in its pool's replacement
 * @HEARTH_QUEUE_SMALL: new, on probation
 * @HEARTH_QUEUE_MAIN: has earned its place
 * @HEARTH_QUEUE_PINNED: was due to go, and is pinned
 * @HEARTH_QUEUE_NONE: in no queue: whoever took it out owns it
 */
enum hearth_queue {
	HEARTH_QUEUE_SMALL,
	HEARTH_QUEUE_MAIN,
	HEARTH_QUEUE_PINNED,
	HEARTH_NR_QUEUES,
	HEARTH_QUEUE_NONE = HEARTH_NR_QUEUES
};

/**
 * struct hearth_frame - one cached page of a LUN
 * @page: the contents, or NULL; the frame owns one reference
 * @extent: the extent whose slot @index points here
 * @entry: link in the replacement queue @queue of pool @nid
 * @version: odd while @page, @valid or the slot are being changed
 * @nid: the home node: whose queue this is in, where its pages come from
 * @valid: bit n: sector n of @page holds what the LUN holds
 * @dirty: bit n: sector n is valid and the device does not hold it yet
 * @ahead: a hit here asks for what lies ahead, see readahead.c; 0: it does not
 * @freq: hits since the replacement policy last looked, saturating
 * @index: which of the extent's slots this is
 * @queue: see enum hearth_queue (pool lock)
 *
 * @page and @valid are changed by the owner of the claim, under the extent's
 * lock, and are read without one.  @dirty belongs to the extent's lock.
 */
struct hearth_frame {
	struct page *page;
	struct hearth_extent *extent;
	struct list_head entry;
	u32 version;
	u16 nid;
	u8 valid;
	u8 freq;
	u8 ahead;
	u8 index;
	u8 queue;
	u8 dirty;
};

/**
 * struct hearth_extent - the index entry of 16 neighbouring frames
 * @next: in the bucket's chain; linked one way only, see index.c
 * @key: byte offset in the LUN, divided by HEARTH_EXTENT_BYTES
 * @lock: protects everything below, and who may claim a frame
 * @busy: bit n: frame n is claimed
 * @cleaning: bit n: frame n is being written back
 * @dirty: bit n: frame n has dirty sectors
 * @nr_frames: slots in use
 * @dead: taken out of the index; look it up again
 * @is_shown: in the list of show.c
 * @written: the epoch when the device last acknowledged something of this, or
 *	0, see sync.c
 * @dirty_node: link in &hearth_pool.dirty_extents while @dirty is not 0
 * @waiters: requests that wait for claims, in arrival order
 * @rcu: frees it (@waiters is empty then)
 * @frames: the slots; set and cleared under @lock, read under RCU
 */
struct hearth_extent {
	struct hearth_extent *next;
	u64 key;
	spinlock_t lock;	/* of all that follows */
	u16 busy;
	u16 cleaning;
	u16 dirty;
	u8 nr_frames;
	bool dead : 1;
	bool is_shown : 1;
	u32 written;
	struct rb_node dirty_node;	/* of the pool's dirty_lock */
	union {
		struct list_head waiters;
		struct rcu_head rcu;
	};
	struct hearth_frame *frames[HEARTH_EXTENT_FRAMES];
};

/**
 * hearth_sector_mask() - the sectors of a frame that a byte range touches
 * @from: first byte within the frame
 * @to: first byte behind the range, at most 4096
 *
 * Return: a mask as in hearth_frame.valid, of every sector that is touched.
 */
static inline u8 hearth_sector_mask(u32 from, u32 to)
{
	if (from >= to)
		return 0;
	return GENMASK((to - 1) >> HEARTH_SECTOR_SHIFT,
		       from >> HEARTH_SECTOR_SHIFT);
}

/* Whether a page is no frame's own any more: its bytes may change. */
static inline bool hearth_page_is_shown(const struct page *page)
{
	return READ_ONCE(page->private);
}

/**
 * hearth_frame_change_begin() - page, valid bits or slot are about to change
 * @frame: the frame
 *
 * Context: Under the extent's lock.
 */
static inline void hearth_frame_change_begin(struct hearth_frame *frame)
{
	WRITE_ONCE(frame->version, frame->version + 1);
	smp_wmb();	/* pairs with the acquires in hearth_frame_get_page() */
}

/* The change is complete. */
static inline void hearth_frame_change_end(struct hearth_frame *frame)
{
	/* pairs with the acquire in hearth_frame_get_page() */
	smp_store_release(&frame->version, frame->version + 1);
}

int hearth_frames_init(void);
void hearth_frames_exit(void);
struct hearth_frame *hearth_frame_alloc(struct hearth_cache *cache, int nid);
void hearth_frame_free(struct hearth_cache *cache, struct hearth_frame *frame);
bool hearth_frame_take_out(struct hearth_extent *ext,
			   struct hearth_frame *frame, struct page **ret_page);
u8 hearth_frame_replace(struct hearth_cache *cache, struct hearth_extent *ext,
			struct hearth_frame *old, struct hearth_frame *new,
			struct page *page);
void hearth_frame_drop(struct hearth_cache *cache, struct hearth_frame *frame,
		       u8 sectors);

#endif /* HEARTH_CORE_FRAME_H */
