// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replacement by S3-FIFO (Yang et al., "FIFO queues are all you need for cache
 * eviction", SOSP 2023).
 *
 *     new ------------> small (1/5) --------- hit? ------------> main (the rest)
 *                         |  no                                 ^   |  ^
 *                         v                                     |   |  | hit?
 *                     evicted, --- comes back soon? ------------'   |  | again,
 *                     a ghost                                       v  | freq / 2
 *                                                             evicted -'
 *
 * Most blocks of a scan are never asked for again: they pass through the small
 * queue without displacing anything from main.  What was judged too early is
 * remembered as a ghost and goes to main when it returns.  A hit moves nothing
 * and takes no lock.
 *
 * The paper's parameters (a small queue of 1/10, two hits to leave it) lose up
 * to 2 points of hit ratio to LRU while what is popular changes; these lose
 * less than one and give up one elsewhere (tests/bench/hit-ratio.c).
 *
 * Ghosts are fingerprints of addresses in a hash table of short rows.  Each
 * carries the time of its entry, counted in ghosts; it counts for as many later
 * ghosts as main has frames.  A row that is full loses its oldest entry.
 *
 * An entry has 4 bytes, and there is one per frame: 16 bits of fingerprint, 16
 * of time in ticks.  A tick is so long that a ghost dies after at most
 * MAX_LIFE_TICKS; the time comes round after eight such lives, when few rows
 * have anything left of the first.
 */
#include "policy.h"

#define SMALL_SHARE	5	/* the small queue has 1/5 of the frames */
#define PROMOTE_FREQ	1	/* hits that lead from small to main */
#define GHOST_WAYS	8	/* 32 bytes: half a cache line */
#define MIN_GHOST_ROWS	2
#define MAX_LIFE_TICKS	8192

/* A victim is found, hit or not, after this many second chances. */
#define MAX_CHANCES	64

/* How large a table of ghosts is in bytes. */
static size_t ghost_bytes(unsigned long max_frames)
{
	return max(max_frames / GHOST_WAYS, (unsigned long)MIN_GHOST_ROWS) *
	       GHOST_WAYS * sizeof(u32);
}

/**
 * hearth_ghosts_alloc() - make a table of ghosts
 * @max_frames: how many frames the pool may have
 * @nid: the pool's node
 *
 * Context: Process context, may sleep.
 * Return: The table for hearth_policy_resize(), or NULL.
 */
u32 *hearth_ghosts_alloc(unsigned long max_frames, int nid)
{
	return kvzalloc_node(ghost_bytes(max_frames), GFP_KERNEL, nid);
}

/**
 * hearth_policy_resize() - adapt the queues to another number of frames
 * @policy: the queues
 * @max_frames: how many frames the pool may have from now on
 * @ghosts: a table that was made for as many; empty
 *
 * Ghosts are forgotten, frames stay where they are.
 *
 * Context: Under the pool's lock.
 * Return: The old table, or NULL: the caller frees it.
 */
u32 *hearth_policy_resize(struct hearth_policy *policy,
			  unsigned long max_frames, u32 *ghosts)
{
	u32 *old = policy->ghosts;

	policy->max_small = max_frames / SMALL_SHARE;
	policy->ghost_life = max_frames - policy->max_small;
	policy->ghost_shift = 0;
	while (policy->ghost_life >> policy->ghost_shift > MAX_LIFE_TICKS)
		policy->ghost_shift++;
	policy->nr_ghost_rows = ghost_bytes(max_frames) /
				(GHOST_WAYS * sizeof(u32));
	policy->ghosts = ghosts;
	return old;
}

/**
 * hearth_policy_init() - make the queues of a pool
 * @policy: the queues, all zero
 * @max_frames: how many frames the pool may have
 * @nid: the pool's node
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int hearth_policy_init(struct hearth_policy *policy, unsigned long max_frames,
		       int nid)
{
	unsigned int i;

	for (i = 0; i < HEARTH_NR_QUEUES; i++)
		INIT_LIST_HEAD(&policy->queues[i]);
	hearth_policy_resize(policy, max_frames,
			     hearth_ghosts_alloc(max_frames, nid));
	return policy->ghosts ? 0 : -ENOMEM;
}

/**
 * hearth_policy_exit() - undo hearth_policy_init()
 * @policy: the queues
 */
void hearth_policy_exit(struct hearth_policy *policy)
{
	kvfree(policy->ghosts);
}

/* Memory of the policy itself, beside the frames. */
size_t hearth_policy_bytes(const struct hearth_policy *policy)
{
	return policy->nr_ghost_rows * GHOST_WAYS * sizeof(u32);
}

/* A fingerprint of the frame's address, and where it belongs in the table. */
static u32 *ghost_row(struct hearth_policy *policy,
		      const struct hearth_frame *frame, u32 *ret_print)
{
	u64 address = (frame->extent->key << HEARTH_EXTENT_SHIFT) +
		      frame->index;
	/* not hash_64(), which returns 32 bits whatever it is asked for */
	u64 hash = address * GOLDEN_RATIO_64;
	u64 row = (hash >> 32) * policy->nr_ghost_rows >> 32;

	*ret_print = (u32)hash >> 16 | 1; /* an empty entry has print 0 */
	return &policy->ghosts[row * GHOST_WAYS];
}

static u16 ghost_time(const struct hearth_policy *policy)
{
	return policy->ghost_clock >> policy->ghost_shift;
}

/* In ticks. */
static u16 ghost_age(const struct hearth_policy *policy, u32 ghost)
{
	return ghost_time(policy) - (u16)ghost;
}

/* An entry of the ghost table: fingerprint above, time of entry below. */
static void add_ghost(struct hearth_policy *policy,
		      const struct hearth_frame *frame)
{
	u32 print;
	u32 *row = ghost_row(policy, frame, &print);
	u32 *oldest = row;
	unsigned int i;

	for (i = 1; i < GHOST_WAYS && *oldest; i++) {
		if (!row[i] ||
		    ghost_age(policy, row[i]) > ghost_age(policy, *oldest))
			oldest = &row[i];
	}
	*oldest = print << 16 | ghost_time(policy);
	policy->ghost_clock++;
}

/* Whether the frame's address was given up lately; forgets it if so. */
static bool take_ghost(struct hearth_policy *policy,
		       const struct hearth_frame *frame)
{
	u32 print;
	u32 *row = ghost_row(policy, frame, &print);
	u32 life = policy->ghost_life >> policy->ghost_shift;
	unsigned int i;

	for (i = 0; i < GHOST_WAYS; i++) {
		if (row[i] >> 16 == print &&
		    ghost_age(policy, row[i]) <= life) {
			row[i] = 0;
			return true;
		}
	}
	return false;
}

static void enqueue(struct hearth_policy *policy, struct hearth_frame *frame,
		    enum hearth_queue queue)
{
	list_add(&frame->entry, &policy->queues[queue]);
	WRITE_ONCE(policy->nr[queue], policy->nr[queue] + 1);
	frame->queue = queue;
}

static void dequeue(struct hearth_policy *policy, struct hearth_frame *frame)
{
	list_del(&frame->entry);
	WRITE_ONCE(policy->nr[frame->queue], policy->nr[frame->queue] - 1);
	frame->queue = HEARTH_QUEUE_NONE;
}

/**
 * hearth_policy_insert() - put a frame in as the youngest
 * @policy: the queues
 * @frame: a frame that is in no queue, but has its extent
 *
 * Context: Under the pool's lock.
 */
void hearth_policy_insert(struct hearth_policy *policy,
			  struct hearth_frame *frame)
{
	WRITE_ONCE(policy->nr_inserted, policy->nr_inserted + 1);
	enqueue(policy, frame, take_ghost(policy, frame) ? HEARTH_QUEUE_MAIN :
							   HEARTH_QUEUE_SMALL);
}

/**
 * hearth_policy_return() - put a victim back that could not go
 * @policy: the queues
 * @frame: what hearth_policy_victim() returned
 *
 * It is claimed, so it is of use.
 *
 * Context: Under the pool's lock.
 */
void hearth_policy_return(struct hearth_policy *policy,
			  struct hearth_frame *frame)
{
	enqueue(policy, frame, HEARTH_QUEUE_MAIN);
}

/**
 * hearth_policy_park() - set a victim aside that is pinned
 * @policy: the queues
 * @frame: what hearth_policy_victim() returned
 *
 * Context: Under the pool's lock.
 */
void hearth_policy_park(struct hearth_policy *policy,
			struct hearth_frame *frame)
{
	enqueue(policy, frame, HEARTH_QUEUE_PINNED);
}

/**
 * hearth_policy_unpark() - make frames that were set aside victims again
 * @policy: the queues
 * @max: how many at most
 *
 * Context: Under the pool's lock.
 * Return: Whether there are more.
 */
bool hearth_policy_unpark(struct hearth_policy *policy, unsigned int max)
{
	struct list_head *parked = &policy->queues[HEARTH_QUEUE_PINNED];
	struct hearth_frame *frame;

	for (; max && !list_empty(parked); max--) {
		frame = list_last_entry(parked, struct hearth_frame, entry);
		dequeue(policy, frame);
		enqueue(policy, frame, HEARTH_QUEUE_MAIN);
	}
	return !list_empty(parked);
}

/**
 * hearth_policy_demote() - have a frame go soon
 * @policy: the queues
 * @frame: a frame with nothing in it; nothing happens if it is not queued
 *
 * Context: Under the pool's lock.
 */
void hearth_policy_demote(struct hearth_policy *policy,
			  struct hearth_frame *frame)
{
	WRITE_ONCE(frame->freq, 0);
	if (frame->queue == HEARTH_QUEUE_NONE)
		return;
	if (frame->queue == HEARTH_QUEUE_PINNED) {
		dequeue(policy, frame);
		enqueue(policy, frame, HEARTH_QUEUE_MAIN);
	}
	list_move_tail(&frame->entry, &policy->queues[frame->queue]);
}

/**
 * hearth_policy_renew() - a frame with nothing in it has got a page again
 * @policy: the queues
 * @frame: the frame; nothing happens if it is not queued
 *
 * Context: Under the pool's lock.
 */
void hearth_policy_renew(struct hearth_policy *policy,
			 struct hearth_frame *frame)
{
	if (frame->queue == HEARTH_QUEUE_NONE)
		return;
	dequeue(policy, frame);
	hearth_policy_insert(policy, frame);
}

/**
 * hearth_policy_adopt() - put a frame in that was hot elsewhere
 * @policy: the queues
 * @frame: a frame that is in no queue
 *
 * Context: Under the pool's lock.
 */
void hearth_policy_adopt(struct hearth_policy *policy,
			 struct hearth_frame *frame)
{
	enqueue(policy, frame, HEARTH_QUEUE_MAIN);
}

/**
 * hearth_policy_remove() - take a frame out
 * @policy: the queues
 * @frame: a frame of theirs
 *
 * Context: Under the pool's lock.
 * Return: false if somebody else took it out.
 */
bool hearth_policy_remove(struct hearth_policy *policy,
			  struct hearth_frame *frame)
{
	if (frame->queue == HEARTH_QUEUE_NONE)
		return false;
	dequeue(policy, frame);
	return true;
}

static struct hearth_frame *oldest(struct hearth_policy *policy,
				   enum hearth_queue queue)
{
	return list_last_entry(&policy->queues[queue], struct hearth_frame,
			       entry);
}

/* The small queue's tail, unless it has earned a place in main. */
static struct hearth_frame *victim_of_small(struct hearth_policy *policy,
					    bool last_chance)
{
	struct hearth_frame *frame = oldest(policy, HEARTH_QUEUE_SMALL);

	dequeue(policy, frame);
	if (READ_ONCE(frame->freq) >= PROMOTE_FREQ && !last_chance) {
		WRITE_ONCE(frame->freq, 0);
		enqueue(policy, frame, HEARTH_QUEUE_MAIN);
		return NULL;
	}
	if (READ_ONCE(frame->page))
		add_ghost(policy, frame);
	return frame;
}

/* Main's tail, unless it was hit since it was last looked at. */
static struct hearth_frame *victim_of_main(struct hearth_policy *policy,
					   bool last_chance)
{
	struct hearth_frame *frame = oldest(policy, HEARTH_QUEUE_MAIN);
	u8 freq = READ_ONCE(frame->freq);

	dequeue(policy, frame);
	if (freq && !last_chance) {
		WRITE_ONCE(frame->freq, freq / 2);
		enqueue(policy, frame, HEARTH_QUEUE_MAIN);
		return NULL;
	}
	return frame;
}

/**
 * hearth_policy_victim() - take the frame that should go
 * @policy: the queues
 *
 * The caller owns the frame: it frees it or hands it to
 * hearth_policy_return().
 *
 * Context: Under the pool's lock.
 * Return: The frame, no longer queued, or NULL if there is none.
 */
struct hearth_frame *hearth_policy_victim(struct hearth_policy *policy)
{
	struct hearth_frame *frame = NULL;
	int chances;

	for (chances = 0; !frame; chances++) {
		unsigned long nr_small = policy->nr[HEARTH_QUEUE_SMALL];
		unsigned long nr_main = policy->nr[HEARTH_QUEUE_MAIN];
		bool last_chance = chances >= MAX_CHANCES;

		if (nr_small && (nr_small > policy->max_small || !nr_main))
			frame = victim_of_small(policy, last_chance);
		else if (nr_main)
			frame = victim_of_main(policy, last_chance);
		else
			break;
	}
	return frame;
}
