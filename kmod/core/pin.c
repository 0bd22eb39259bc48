// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ranges of the LUN whose frames are not evicted.
 *
 * A range is pinned as an address, whether anything of it is in the cache or
 * not.  A pinned frame is found out when it is due to go, and is set aside then,
 * so that reclaim does not meet it again and again; unpinning a range makes all
 * that was set aside due again.
 *
 * All ranges together are at most half of what the cache may have, and at most
 * half of what a node's pool has is set aside.  Should frames have gathered on one
 * node, or the cache have become smaller since, the rest of them go like any
 * other.
 *
 * The ranges are read under RCU.  Who changes them is alone.
 */
#include "cache.h"
#include "pin.h"
#include "pool.h"

/**
 * hearth_pin_covers() - whether a frame is pinned
 * @cache: the cache
 * @frame: a frame that is in a slot
 *
 * Context: Under rcu_read_lock().
 */
bool hearth_pin_covers(struct hearth_cache *cache,
		       const struct hearth_frame *frame)
{
	u64 nr = (frame->extent->key << HEARTH_EXTENT_SHIFT) + frame->index;
	/* pairs with the release in replace_pins() */
	const struct hearth_pins *pins = smp_load_acquire(&cache->pins);
	unsigned int i;

	for (i = 0; pins && i < pins->nr; i++) {
		if (nr >= pins->pins[i].first && nr < pins->pins[i].end)
			return true;
	}
	return false;
}

static void replace_pins(struct hearth_cache *cache, struct hearth_pins *pins)
{
	struct hearth_pins *old = cache->pins;

	/* pairs with the acquire in hearth_pin_covers() */
	smp_store_release(&cache->pins, pins);
	synchronize_rcu();
	kfree(old);
}

/* Drops all of it, at the end of a cache's life. */
void hearth_pins_free(struct hearth_cache *cache)
{
	kfree(cache->pins);
	cache->pins = NULL;
}

static struct hearth_pins *alloc_pins(unsigned int nr)
{
	struct hearth_pins *pins;

	pins = kzalloc(sizeof(*pins) + nr * sizeof(pins->pins[0]), GFP_KERNEL);
	if (pins)
		pins->nr = nr;
	return pins;
}

static struct hearth_pin pin_of(u64 offset, u64 len)
{
	return (struct hearth_pin){
		.first = offset >> HEARTH_FRAME_SHIFT,
		.end = DIV_ROUND_UP_ULL(offset + len, HEARTH_FRAME_BYTES),
	};
}

/* Half of what the cache may have, in frames. */
static u64 max_pinned(const struct hearth_cache *cache)
{
	u64 nr_pages = 0;
	int nid;

	for_each_node(nid) {
		if (cache->pools[nid])
			nr_pages += READ_ONCE(cache->pools[nid]->max_pages);
	}
	return nr_pages / 2;
}

/**
 * hearth_pin_add() - pin a range
 * @cache: the cache
 * @offset: first byte
 * @len: bytes; frames that it touches are pinned as a whole
 *
 * Context: Process context, may sleep; calls do not overlap.
 * Return: 0; -EINVAL: not within the LUN; -EEXIST: overlaps a pinned range;
 * -ENOSPC: too much, or too many ranges; -ENOMEM.
 */
int hearth_pin_add(struct hearth_cache *cache, u64 offset, u64 len)
{
	const struct hearth_pins *old = cache->pins;
	unsigned int nr = old ? old->nr : 0, i;
	struct hearth_pin new;
	struct hearth_pins *pins;
	u64 total;

	if (!len || offset >= cache->size_bytes ||
	    len > cache->size_bytes - offset)
		return -EINVAL;
	new = pin_of(offset, len);
	total = new.end - new.first;
	for (i = 0; i < nr; i++) {
		if (new.first < old->pins[i].end &&
		    old->pins[i].first < new.end)
			return -EEXIST;
		total += old->pins[i].end - old->pins[i].first;
	}
	if (nr == HEARTH_MAX_PINS || total > max_pinned(cache))
		return -ENOSPC;
	pins = alloc_pins(nr + 1);
	if (!pins)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		pins->pins[i] = old->pins[i];
	pins->pins[nr] = new;
	replace_pins(cache, pins);
	return 0;
}

/**
 * hearth_pin_remove() - unpin a range
 * @cache: the cache
 * @offset: as it was pinned
 * @len: as it was pinned
 *
 * Context: Process context, may sleep; calls do not overlap.
 * Return: 0; -ENOENT: no such range is pinned; -ENOMEM.
 */
int hearth_pin_remove(struct hearth_cache *cache, u64 offset, u64 len)
{
	const struct hearth_pins *old = cache->pins;
	struct hearth_pin pin = pin_of(offset, len);
	unsigned int nr = old ? old->nr : 0, i, at;
	struct hearth_pins *pins = NULL;
	int nid;

	for (at = 0; at < nr; at++) {
		if (old->pins[at].first == pin.first &&
		    old->pins[at].end == pin.end)
			break;
	}
	if (at == nr)
		return -ENOENT;
	if (nr > 1) {
		pins = alloc_pins(nr - 1);
		if (!pins)
			return -ENOMEM;
		for (i = 0; i < nr - 1; i++)
			pins->pins[i] = old->pins[i + (i >= at)];
	}
	replace_pins(cache, pins);
	for_each_node(nid) {
		if (cache->pools[nid])
			hearth_pool_unpin(cache->pools[nid]);
	}
	return 0;
}
