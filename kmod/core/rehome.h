/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Moving frames to the node that they are mostly read from.
 */
#ifndef HEARTH_CORE_REHOME_H
#define HEARTH_CORE_REHOME_H

#include "cache.h"

/* One in so many hits has a vote; prime, so that no stride avoids it. */
#define HEARTH_VOTE_EVERY	61

int hearth_rehome_init(struct hearth_cache *cache);
void hearth_rehome_exit(struct hearth_cache *cache);
bool hearth_rehome_vote(struct hearth_cache *cache, u64 frame_nr, int nid);
struct hearth_io *hearth_rehome_alloc(struct hearth_cache *cache, u64 frame_nr);
u16 hearth_rehome_wants(const struct hearth_io *io,
			const struct hearth_extent *ext);
void hearth_rehome_start(struct hearth_io *io);
void hearth_rehome_settle(struct hearth_io *io, struct hearth_slot *slot,
			  unsigned int index);

/**
 * hearth_rehome_note() - a read was served by hits
 * @cache: the cache
 * @frame_nr: a frame of their extent
 * @nid: its home
 * @nr: how many hits that was
 * @due: set to @frame_nr if its extent should move to where this CPU is
 *
 * Context: Any; the hits were counted.
 */
static inline void hearth_rehome_note(struct hearth_cache *cache, u64 frame_nr,
				      int nid, unsigned int nr, u64 *due)
{
	u32 which = nid * HEARTH_NR_COUNTERS + HEARTH_HITS;

	if (!cache->suitors)
		return;
	if ((u32)this_cpu_read(cache->counters[which]) % HEARTH_VOTE_EVERY >=
	    nr)
		return;
	if (hearth_rehome_vote(cache, frame_nr, nid))
		*due = frame_nr;
}

#endif /* HEARTH_CORE_REHOME_H */
