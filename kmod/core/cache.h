/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cache of one LUN: its interface to the backstore and to the tests.
 *
 * A cache serves byte ranges of a LUN from frames spread over NUMA nodes.  It
 * reaches storage and threads only through struct hearth_cache_ops.
 */
#ifndef HEARTH_CORE_CACHE_H
#define HEARTH_CORE_CACHE_H

#include "frame.h"

struct hearth_cache;
struct hearth_io;
struct hearth_pins;
struct hearth_pool;

/* A LUN's bytes are mapped to nodes by a table of at most this many stripes. */
#define HEARTH_STRIPE_SLOTS	64

/* Slots that struct hearth_io has built in: enough for an unaligned 8 KiB. */
#define HEARTH_INLINE_SLOTS	3

/* Places where sequential reads may go on, see readahead.c. */
#define HEARTH_STREAMS		128
#define HEARTH_STREAM_SETS	32

enum hearth_mode {
	HEARTH_WRITETHROUGH,	/* writes go to the device and stay cached */
	HEARTH_WRITEAROUND,	/* writes go to the device only */
	HEARTH_WRITEBACK,	/* writes go to the device later */
};

enum hearth_home {
	HEARTH_HOME_TOUCH,	/* the node where the data first arrived */
	HEARTH_HOME_STRIPE,	/* a node chosen by address */
};

/**
 * enum hearth_dispatch - who copies what does not lie on the CPU's node
 * @HEARTH_DISPATCH_INLINE: the CPU that submits the request
 * @HEARTH_DISPATCH_HOME: the workers of the node where it lies, see home.c
 * @HEARTH_DISPATCH_AUTO: these if it is much, else the CPU
 */
enum hearth_dispatch {
	HEARTH_DISPATCH_INLINE,
	HEARTH_DISPATCH_HOME,
	HEARTH_DISPATCH_AUTO,
};

enum hearth_op {
	HEARTH_OP_READ,
	HEARTH_OP_PREFETCH,	/* a read that nobody gets the data of */
	HEARTH_OP_WRITE,
	HEARTH_OP_DISCARD,
	HEARTH_OP_WRITE_SAME,	/* the data is one block, repeated */
	HEARTH_OP_FLUSH,	/* empty: all of the LUN */
	HEARTH_OP_CLEAN,	/* write back what is dirty */
	HEARTH_OP_FORGET,	/* drop frames, dirty or not; no backing I/O */
	HEARTH_OP_SHOW,		/* have all of it there, for a process to see */
	HEARTH_OP_REHOME,	/* move frames to another node; no backing I/O */
	HEARTH_OP_ALONE,	/* drop what is clean; the owner does the rest */
};

/**
 * enum hearth_counter - what is counted, per home node
 * @HEARTH_HITS: frames that a read found in the cache
 * @HEARTH_MISSES: frames that a read had to fill
 * @HEARTH_AHEAD: frames filled before anybody read them
 * @HEARTH_FLIPPED_BYTES: served by exchanging page references
 * @HEARTH_LOCAL_BYTES: copied with source, destination and CPU on one node
 * @HEARTH_REMOTE_BYTES: copied otherwise
 * @HEARTH_REMOTE_STORES: of these, the bytes that were stored on another node
 *	than the CPU's
 * @HEARTH_HANDED_OVER: requests that the node's workers were given
 * @HEARTH_REHOMED: frames moved here from other nodes
 * @HEARTH_EVICTIONS: frames taken away to make room
 * @HEARTH_RECLAIMS: frames given back because the node was short of memory
 * @HEARTH_BYPASSES: requests that went past the cache for want of frames
 * @HEARTH_CLEANED: frames written back
 */
enum hearth_counter {
	HEARTH_HITS,
	HEARTH_MISSES,
	HEARTH_AHEAD,
	HEARTH_FLIPPED_BYTES,
	HEARTH_LOCAL_BYTES,
	HEARTH_REMOTE_BYTES,
	HEARTH_REMOTE_STORES,
	HEARTH_HANDED_OVER,
	HEARTH_REHOMED,
	HEARTH_EVICTIONS,
	HEARTH_RECLAIMS,
	HEARTH_BYPASSES,
	HEARTH_CLEANED,
	HEARTH_NR_COUNTERS
};

/**
 * struct hearth_cache_ops - what a cache needs from its surroundings
 * @submit: start the backing I/O of a request and call hearth_io_end() once
 *	when it is over, from any context.  With &hearth_io.slots, transfer what
 *	hearth_io_transfers() names of them, else the request's data range.
 *	Process context.
 * @read_block: read @len bytes at @offset into @page at @page_offset and wait
 *	for it.  Used only to find out which block of a failed read is bad.
 *	Return: 0 or -errno.
 * @run: have hearth_io_run() called in process context, soon, not from within
 *	this call.  Called with no lock held.
 * @run_on: the same, on a CPU of a node if that has one.
 * @alloc: make a request of the core's own, HEARTH_OP_PREFETCH,
 *	HEARTH_OP_REHOME or HEARTH_OP_CLEAN, with all that is "set by the owner" for the range; the
 *	core submits it.  Process context, no lock held.  Return: NULL if there
 *	is no memory for readahead; for HEARTH_OP_CLEAN it waits until there is.
 * @flush: have hearth_flush_run() called for a node, in process context, soon,
 *	not from within this call.  Calls that come before that may be one.
 *	Called with no lock held.
 * @done: a request that hearth_io_submit() was given is over; its result is
 *	in &hearth_io.error and &hearth_io.bad_offset.  The request is the
 *	owner's again.  Process context.
 */
struct hearth_cache_ops {
	void (*submit)(struct hearth_io *io);
	int (*read_block)(struct hearth_cache *cache, u64 offset, u32 len,
			  struct page *page, u32 page_offset);
	void (*run)(struct hearth_io *io);
	void (*run_on)(struct hearth_io *io, int nid);
	struct hearth_io *(*alloc)(struct hearth_cache *cache,
				   enum hearth_op op, u64 offset, u64 len,
				   int nid);
	void (*flush)(struct hearth_cache *cache, int nid);
	void (*done)(struct hearth_io *io);
};

/**
 * struct hearth_cache_params - how to make a cache
 * @ops: see there
 * @size_bytes: of the LUN, a multiple of @block_bytes
 * @block_bytes: the device's logical block: 512 to 4096
 * @mode: see enum hearth_mode
 * @home: see enum hearth_home
 * @dispatch: see enum hearth_dispatch
 * @stripe_bytes: length of a stripe, a power of two, at least 64 KiB
 * @ahead_bytes: the largest readahead window, see hearth_cache_set_ahead()
 * @dirty_bytes: the hard watermark, see hearth_cache_set_dirty()
 * @nr_pages: by node id: the memory that the cache may take there, frames and
 *	metadata; 0 for none
 * @min_pages: by node id: what is guaranteed of it; NULL: all
 * @priv: the owner's, see &hearth_cache.priv
 */
struct hearth_cache_params {
	const struct hearth_cache_ops *ops;
	void *priv;
	u64 size_bytes;
	u32 block_bytes;
	enum hearth_mode mode;
	enum hearth_home home;
	enum hearth_dispatch dispatch;
	u64 stripe_bytes;
	u64 ahead_bytes;
	u64 dirty_bytes;
	const unsigned long *nr_pages;
	const unsigned long *min_pages;
};

/**
 * struct hearth_flush - writing back what is dirty, see flush.c
 * @lock: protects everything below
 * @nr_started: passes begun so far
 * @nr_busy: nodes at work on the latest pass, and one for who starts it
 * @is_careful: the pass writes frame by frame, because the last one failed
 * @error: of the latest pass, 0 or -errno
 * @last_error: of the latest pass that is over
 * @bad_first: the lowest frame that it could not write
 * @bad_last: the highest
 * @waiters: HEARTH_OP_FLUSH requests, each until &hearth_io.pass is over
 */
struct hearth_flush {
	spinlock_t lock;	/* of all that follows */
	u32 nr_started;
	unsigned int nr_busy;
	bool is_careful;
	int error;
	int last_error;
	u64 bad_first;
	u64 bad_last;
	struct list_head waiters;
};

/**
 * struct hearth_sync - flushing the device, see sync.c
 * @lock: protects everything below
 * @epoch: what the device acknowledges now is written in this epoch, never 0
 * @settled: nothing that was written in this epoch or before is at risk
 * @escaped: the last epoch of which something may be at risk and not in the
 *	cache
 * @nr_failed: how often the device may have lost what was at risk
 * @error: of the latest round that is over, 0 or -errno
 * @is_lost: what had escaped may be lost
 * @is_running: a round is under way
 * @members: HEARTH_OP_FLUSH requests that share it with the one submitted
 * @waiters: likewise, the next one
 */
struct hearth_sync {
	spinlock_t lock;	/* of all that follows */
	u32 epoch;
	u32 settled;
	u32 escaped;
	u32 nr_failed;
	int error;
	bool is_lost;
	bool is_running;
	struct list_head members;
	struct list_head waiters;
};

/**
 * struct hearth_cache - the cache of one LUN
 * @ops: the surroundings
 * @priv: theirs
 * @size_bytes: of the LUN; may change at any time, each request reads it once
 * @block_bytes: the device's logical block
 * @mode: may change at any time; each request reads it once
 * @home: likewise
 * @dispatch: likewise, but it may be read more than once
 * @stripe_shift: log2 of the stripe's bytes
 * @nr_stripe_slots: valid entries of @stripe_map
 * @stripe_map: node of stripe n, modulo @nr_stripe_slots
 * @max_io_frames: a larger request bypasses the cache
 * @max_ahead_order: log2 of the largest readahead window in frames; 0: none
 * @nr_ahead: frames of readahead under way
 * @streams: where reads that missed have ended
 * @suitors: who reads what lives on other nodes, see rehome.c; NULL: one node
 * @nr_rehomes: HEARTH_OP_REHOME requests under way
 * @pools: by node id, NULL where there is no share
 * @pins: see pin.c
 * @shown_lock: protects the next two
 * @shown: extents with frames that are shown, see show.c
 * @nr_walkers: who goes through that list, beside the sweep
 * @nr_shown: frames that are shown, and pages that are prepared
 * @paused: every request bypasses the cache
 * @is_over: so is a pool, see &hearth_pool.is_over
 * @counters: per-CPU, [node id * HEARTH_NR_COUNTERS + counter]
 * @range_lock: protects @ranges and the waiters of each
 * @nr_ranges: length of @ranges; read without the lock, see range.c
 * @ranges: published ranges in arrival order
 * @flush: write-back
 * @sync: flushes of the device
 */
struct hearth_cache {
	const struct hearth_cache_ops *ops;
	void *priv;
	u64 size_bytes;
	u32 block_bytes;
	enum hearth_mode mode;
	enum hearth_home home;
	enum hearth_dispatch dispatch;
	unsigned int stripe_shift;
	unsigned int nr_stripe_slots;
	u16 stripe_map[HEARTH_STRIPE_SLOTS];
	unsigned long max_io_frames;
	u8 max_ahead_order;
	atomic_long_t nr_ahead;
	u64 streams[HEARTH_STREAMS];
	u64 *suitors;
	atomic_long_t nr_rehomes;
	struct hearth_pool **pools;
	struct hearth_pins *pins;
	spinlock_t shown_lock;	/* of the next two */
	struct list_head shown;
	unsigned int nr_walkers;
	atomic_long_t nr_shown;
	bool paused;
	bool is_over;
	u64 __percpu *counters;

	spinlock_t range_lock ____cacheline_aligned_in_smp;
	unsigned int nr_ranges;
	struct list_head ranges;

	struct hearth_flush flush ____cacheline_aligned_in_smp;
	struct hearth_sync sync;
};

/**
 * struct hearth_span - a range of the LUN and the memory that belongs to it
 * @offset: first byte in the LUN
 * @len: bytes left
 * @sg: where the data of @offset lies, or NULL
 * @sg_offset: bytes of @sg that are already used up
 * @flip: the pages of the scatterlist may be exchanged, and kept: each was
 *	allocated on its own, and nobody but the owner of the request uses it
 * @prepared: each entry of the scatterlist is a prepared page, see window.c; all
 *	of the frame that the LUN has
 */
struct hearth_span {
	u64 offset;
	u64 len;
	struct scatterlist *sg;
	u32 sg_offset;
	bool flip;
	bool prepared;
};

/**
 * struct hearth_ahead - a readahead window that is due
 * @frame: its first frame
 * @order: log2 of its length in frames, 0: nothing is due
 */
struct hearth_ahead {
	u64 frame;
	u8 order;
};

enum hearth_slot_kind {
	HEARTH_SLOT_NONE,
	HEARTH_SLOT_HIT,	/* page: referenced, the data is there */
	HEARTH_SLOT_FILL,	/* claimed; page: ours, to be read */
	HEARTH_SLOT_WRITE,	/* claimed; page: ours, to be written */
	HEARTH_SLOT_CLEAN,	/* page: referenced, to be written back */
	HEARTH_SLOT_SHOW,	/* claimed; page: ours, to replace the frame's */
	HEARTH_SLOT_STORE,	/* claimed; page: ours, was copied into it */
	HEARTH_SLOT_ADOPT,	/* claimed; page: prepared, others see it */
};

/**
 * struct hearth_slot - what a request knows of one of its frames
 * @page: depends on @kind
 * @spare: a frame to install if there is none yet
 * @ext: the extent, while a claim is held on the frame
 * @kind: what is to be done
 * @good: sectors of @page that the device has delivered or taken; of
 *	HEARTH_SLOT_CLEAN, those that it shall take
 */
struct hearth_slot {
	struct page *page;
	struct hearth_frame *spare;
	struct hearth_extent *ext;
	u8 kind;
	u8 good;
};

/**
 * struct hearth_io - one request on its way through the cache
 * @cache: set by the owner
 * @op: set by the owner
 * @fua: set by the owner: a write is durable before it is done
 * @nid: set by the owner: node of the memory in @span
 * @span: set by the owner; bytes, multiples of the device's block
 * @order: what a HEARTH_OP_PREFETCH marks its first frame with, 0: it was asked
 *	for, so it says where it failed and is not counted as readahead
 * @error: result: 0 or -errno
 * @bad_offset: result: where a read failed, or U64_MAX if unknown
 * @lun_bytes: the LUN's size when the request began
 * @first: first frame of the request
 * @nr_slots: frames of the request
 * @pos: the next frame to claim
 * @held_end: one behind the highest frame claimed
 * @stage: where hearth_io_run() goes on
 * @behind: a write that is done when the cache has it
 * @around: a write of prepared pages that leaves in the cache only what it must
 * @pass: the pass that a flush waits for
 * @nr_failed: &hearth_sync.nr_failed when the request began
 * @is_moved: it was sent to where its pages come from, or need not be
 * @start: the node where its copying began
 * @at: the node whose part is being copied, NUMA_NO_NODE before
 * @ahead: readahead that the request's hits ask for
 * @wait_mask: frames of one extent that this waits for
 * @wait: link in &hearth_extent.waiters or &hearth_io.range_waiters
 * @range_node: link in &hearth_cache.ranges
 * @range_waiters: requests that wait for this range
 * @range_active: no earlier range overlaps
 * @slots: one per frame, or NULL if the cache is bypassed
 * @inline_slots: for small requests
 *
 * What is not "set by the owner" or "result" belongs to the core.
 */
struct hearth_io {
	struct hearth_cache *cache;
	enum hearth_op op;
	bool fua;
	int nid;
	struct hearth_span span;
	u8 order;
	int error;
	u64 bad_offset;

	u64 lun_bytes;
	u64 first;
	u64 pos;
	u64 held_end;
	unsigned long nr_slots;
	u8 stage;
	bool is_moved;
	int start;
	int at;
	bool range_active;
	bool behind;
	bool around;
	u32 pass;
	u32 nr_failed;
	struct hearth_ahead ahead;
	u16 wait_mask;
	struct list_head wait;
	struct list_head range_node;
	struct list_head range_waiters;
	struct hearth_slot *slots;
	struct hearth_slot inline_slots[HEARTH_INLINE_SLOTS];
};

int hearth_core_init(void);
void hearth_core_exit(void);

struct hearth_cache *hearth_cache_alloc(const struct hearth_cache_params *p);
void hearth_cache_free(struct hearth_cache *cache);

bool hearth_cache_read_hits(struct hearth_cache *cache,
			    struct hearth_span *span);
bool hearth_cache_write_hits(struct hearth_cache *cache,
			     struct hearth_span *span);
void hearth_cache_set_ahead(struct hearth_cache *cache, u64 bytes);
void hearth_cache_set_dirty(struct hearth_cache *cache, u64 bytes);
void hearth_flush_run(struct hearth_cache *cache, int nid);
void hearth_flush_start(struct hearth_cache *cache);
void hearth_cache_set_dispatch(struct hearth_cache *cache,
			       enum hearth_dispatch dispatch);
void hearth_io_submit(struct hearth_io *io);
void hearth_io_run(struct hearth_io *io);
void hearth_io_end(struct hearth_io *io, int error);

bool hearth_io_transfers(const struct hearth_io *io, unsigned long slot,
			 u32 *ret_from, u32 *ret_to);
u64 hearth_cache_count(const struct hearth_cache *cache, int nid,
		       enum hearth_counter which);
unsigned long hearth_cache_frames(const struct hearth_cache *cache, int nid);
unsigned long hearth_cache_limit(const struct hearth_cache *cache, int nid);
unsigned long hearth_cache_dirty(const struct hearth_cache *cache, int nid);

/* Whether the latest pass of write-back could not write something: -errno. */
static inline int hearth_cache_flush_error(const struct hearth_cache *cache)
{
	return READ_ONCE(cache->flush.last_error);
}

/* Whether the latest flush of the device failed: -errno. */
static inline int hearth_cache_sync_error(const struct hearth_cache *cache)
{
	return READ_ONCE(cache->sync.error);
}

/* Whether the device may have lost data that the cache does not hold either. */
static inline bool hearth_cache_is_lost(const struct hearth_cache *cache)
{
	return READ_ONCE(cache->sync.is_lost);
}

void hearth_cache_accept_loss(struct hearth_cache *cache);
void hearth_sync_distrust(struct hearth_cache *cache);

unsigned long hearth_cache_total(const struct hearth_cache *cache);
bool hearth_cache_holds(struct hearth_cache *cache, u64 offset, u64 len);
u64 hearth_cache_metadata(const struct hearth_cache *cache, int nid);
u64 hearth_cache_memory(const struct hearth_cache *cache, int nid);

int hearth_cache_can_resize(const struct hearth_cache *cache, int nid,
			    unsigned long nr_pages);
int hearth_cache_resize(struct hearth_cache *cache,
			const unsigned long *max_pages,
			const unsigned long *min_pages);
unsigned long hearth_cache_reclaimable(const struct hearth_cache *cache,
				       int nid);
unsigned long hearth_cache_shrink(struct hearth_cache *cache, int nid,
				  unsigned long nr_pages);
void hearth_cache_drop(struct hearth_cache *cache);

/**
 * hearth_count() - add to a counter of a node
 * @cache: the cache
 * @nid: the home node that the event belongs to
 * @which: the counter
 * @n: how much
 */
static inline void hearth_count(struct hearth_cache *cache, int nid,
				enum hearth_counter which, u64 n)
{
	this_cpu_add(cache->counters[nid * HEARTH_NR_COUNTERS + which], n);
}

/**
 * hearth_cache_shard() - the node that indexes an address
 * @cache: the cache
 * @offset: byte offset in the LUN
 *
 * With HEARTH_HOME_STRIPE this is also the home of what lies there.
 */
static inline int hearth_cache_shard(const struct hearth_cache *cache,
				     u64 offset)
{
	u32 slot;

	div_u64_rem(offset >> cache->stripe_shift, cache->nr_stripe_slots,
		    &slot);
	return cache->stripe_map[slot];
}

/* Whether a request is readahead: nobody asked for it, nobody waits for it. */
static inline bool hearth_io_is_ahead(const struct hearth_io *io)
{
	return io->op == HEARTH_OP_PREFETCH && io->order;
}

/* The sectors of frame @frame (counted from the LUN's start) in the request. */
static inline u8 hearth_io_sectors(const struct hearth_io *io, u64 frame)
{
	u64 start = frame << HEARTH_FRAME_SHIFT;
	u64 end = start + HEARTH_FRAME_BYTES;
	u64 from = max(start, io->span.offset);
	u64 to = min(end, io->span.offset + io->span.len);

	return from < to ? hearth_sector_mask(from - start, to - start) : 0;
}

/* Bytes of a frame that the LUN has: all, but for the last frame. */
static inline u32 hearth_io_frame_bytes(const struct hearth_io *io, u64 frame)
{
	return min_t(u64, HEARTH_FRAME_BYTES,
		     io->lun_bytes - (frame << HEARTH_FRAME_SHIFT));
}

/* The part of frame @frame that belongs to the request. */
static inline void hearth_io_part(const struct hearth_io *io, u64 frame,
				  u32 *ret_from, u32 *ret_to)
{
	u64 start = frame << HEARTH_FRAME_SHIFT;

	*ret_from = max(io->span.offset, start) - start;
	*ret_to = min(io->span.offset + io->span.len,
		      start + HEARTH_FRAME_BYTES) - start;
}

/* The frames of extent @key in the request, as a mask. */
static inline u16 hearth_io_frames(const struct hearth_io *io, u64 key)
{
	u64 base = key << HEARTH_EXTENT_SHIFT;
	u64 from = max(base, io->first);
	u64 to = min(base + HEARTH_EXTENT_FRAMES, io->first + io->nr_slots);

	return from < to ? GENMASK(to - 1 - base, from - base) : 0;
}

#endif /* HEARTH_CORE_CACHE_H */
