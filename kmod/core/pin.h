/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ranges of the LUN whose frames are not evicted.
 */
#ifndef HEARTH_CORE_PIN_H
#define HEARTH_CORE_PIN_H

#include "cache.h"

/* More ranges than this are refused. */
#define HEARTH_MAX_PINS	64

/**
 * struct hearth_pin - a pinned range
 * @first: its first frame
 * @end: the frame behind its last
 */
struct hearth_pin {
	u64 first;
	u64 end;
};

/**
 * struct hearth_pins - the pinned ranges of a LUN; never changed, only replaced
 * @nr: length of @pins
 * @pins: the ranges, in the order in which they were pinned
 */
struct hearth_pins {
	unsigned int nr;
	struct hearth_pin pins[];
};

static inline u64 hearth_pin_bytes(const struct hearth_pin *pin)
{
	return (pin->end - pin->first) << HEARTH_FRAME_SHIFT;
}

int hearth_pin_add(struct hearth_cache *cache, u64 offset, u64 len);
int hearth_pin_remove(struct hearth_cache *cache, u64 offset, u64 len);
void hearth_pins_free(struct hearth_cache *cache);
bool hearth_pin_covers(struct hearth_cache *cache,
		       const struct hearth_frame *frame);

#endif /* HEARTH_CORE_PIN_H */
