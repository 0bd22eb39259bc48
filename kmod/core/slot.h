/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Slots: the pages and claims that a request holds while it is under way.
 */
#ifndef HEARTH_CORE_SLOT_H
#define HEARTH_CORE_SLOT_H

#include "cache.h"

bool hearth_slots_alloc(struct hearth_io *io);
int hearth_slots_home(struct hearth_io *io);
bool hearth_slots_prepare(struct hearth_io *io);
bool hearth_slot_prepare(struct hearth_io *io, struct hearth_slot *slot,
			 const struct hearth_span *span, u64 frame_nr);
void hearth_slots_release(struct hearth_io *io);
void hearth_slots_free(struct hearth_io *io);
u8 hearth_slot_keep_old(struct hearth_io *io, struct hearth_slot *slot,
			u64 frame_nr, u8 except);

/* Whether the request owns the claim on the slot's frame. */
static inline bool hearth_slot_is_claimed(const struct hearth_slot *slot)
{
	return slot->ext;
}

#endif /* HEARTH_CORE_SLOT_H */
