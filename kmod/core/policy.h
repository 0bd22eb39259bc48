/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Replacement: which frame of a pool goes next.
 */
#ifndef HEARTH_CORE_POLICY_H
#define HEARTH_CORE_POLICY_H

#include "frame.h"

/**
 * struct hearth_policy - the replacement queues of one pool
 * @queues: frames, youngest first; indexed by enum hearth_queue
 * @nr: length of each
 * @nr_inserted: how many frames were put in so far
 * @max_small: length of the small queue above which it gives up frames
 * @ghosts: what was given up lately by the small queue, see policy.c
 * @nr_ghost_rows: length of @ghosts in rows
 * @ghost_life: how many later ghosts an entry outlives
 * @ghost_shift: log2 of how many ghosts make a tick
 * @ghost_clock: how many ghosts there have been
 *
 * The pool's lock protects it.
 */
struct hearth_policy {
	struct list_head queues[HEARTH_NR_QUEUES];
	unsigned long nr[HEARTH_NR_QUEUES];
	u32 nr_inserted;
	unsigned long max_small;
	u32 *ghosts;
	u64 nr_ghost_rows;
	u32 ghost_life;
	u32 ghost_clock;
	u8 ghost_shift;
};

int hearth_policy_init(struct hearth_policy *policy, unsigned long max_frames,
		       int nid);
void hearth_policy_exit(struct hearth_policy *policy);
u32 *hearth_ghosts_alloc(unsigned long max_frames, int nid);
u32 *hearth_policy_resize(struct hearth_policy *policy,
			  unsigned long max_frames, u32 *ghosts);
size_t hearth_policy_bytes(const struct hearth_policy *policy);
void hearth_policy_insert(struct hearth_policy *policy,
			  struct hearth_frame *frame);
void hearth_policy_return(struct hearth_policy *policy,
			  struct hearth_frame *frame);
void hearth_policy_demote(struct hearth_policy *policy,
			  struct hearth_frame *frame);
void hearth_policy_renew(struct hearth_policy *policy,
			 struct hearth_frame *frame);
void hearth_policy_adopt(struct hearth_policy *policy,
			 struct hearth_frame *frame);
bool hearth_policy_remove(struct hearth_policy *policy,
			  struct hearth_frame *frame);
void hearth_policy_park(struct hearth_policy *policy,
			struct hearth_frame *frame);
bool hearth_policy_unpark(struct hearth_policy *policy, unsigned int max);
struct hearth_frame *hearth_policy_victim(struct hearth_policy *policy);

/**
 * hearth_policy_touch() - a frame was hit, or asked for by name
 * @frame: the frame
 *
 * Stores only until the counter is saturated, so that the line of a hot frame
 * stays shared.  A lost update costs nothing but a little precision.
 */
static inline void hearth_policy_touch(struct hearth_frame *frame)
{
	u8 freq = READ_ONCE(frame->freq);

	if (freq < HEARTH_FREQ_MAX)
		WRITE_ONCE(frame->freq, freq + 1);
}

#endif /* HEARTH_CORE_POLICY_H */
