/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Claims: at most one backing I/O per frame, in arrival order.
 */
#ifndef HEARTH_CORE_CLAIM_H
#define HEARTH_CORE_CLAIM_H

#include "cache.h"

/* Where hearth_io_run() goes on. */
enum hearth_stage {
	HEARTH_STAGE_CLAIM,	/* claim frames from @pos on */
	HEARTH_STAGE_GATHER,	/* a write: copy the part of the node @at */
	HEARTH_STAGE_SCATTER,	/* a read: likewise */
	HEARTH_STAGE_DRAIN,	/* a published range: wait for earlier claims */
	HEARTH_STAGE_COMPLETE,	/* the backing I/O is over */
	HEARTH_STAGE_FLUSH,	/* what was dirty is written back */
	HEARTH_STAGE_RESTART,	/* a flush: look anew at what is dirty */
	HEARTH_STAGE_DONE,	/* nothing is left to do */
};

enum hearth_claim_result {
	HEARTH_CLAIMED,
	HEARTH_WAITS,		/* it will be run again; do not touch it */
	HEARTH_NO_MEMORY,
};

enum hearth_claim_result hearth_claim_all(struct hearth_io *io);
void hearth_claim_unlock(struct hearth_io *io, struct hearth_extent *ext,
			 u16 mask)
	__releases(&ext->lock);
void hearth_claim_run(struct list_head *woken);

/* The request's slot for a frame of an extent. */
static inline struct hearth_slot *hearth_io_slot(const struct hearth_io *io,
						 u64 key, unsigned int index)
{
	return &io->slots[(key << HEARTH_EXTENT_SHIFT) + index - io->first];
}

#endif /* HEARTH_CORE_CLAIM_H */
