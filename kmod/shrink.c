// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a LUN gives back when a node is short of memory.
 *
 * A guarantee is one among LUNs: the system comes first.
 */
#include "hearth.h"

static unsigned long count_objects(struct shrinker *shrinker,
				   struct shrink_control *sc)
{
	struct hearth_dev *hdev = hearth_shrinker_priv(shrinker);

	return hearth_cache_reclaimable(hdev->cache, sc->nid) ?: SHRINK_EMPTY;
}

static unsigned long scan_objects(struct shrinker *shrinker,
				  struct shrink_control *sc)
{
	struct hearth_dev *hdev = hearth_shrinker_priv(shrinker);
	unsigned long nr;

	nr = hearth_cache_shrink(hdev->cache, sc->nid, sc->nr_to_scan);
	return nr ?: SHRINK_STOP;
}

/**
 * hearth_shrink_add() - let the kernel take clean frames of a LUN back
 * @hdev: the LUN, with its cache
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int hearth_shrink_add(struct hearth_dev *hdev)
{
	return hearth_shrinker_register(&hdev->shrinker, count_objects,
					scan_objects, hdev, hdev->name);
}

/**
 * hearth_shrink_remove() - undo hearth_shrink_add()
 * @hdev: the LUN
 *
 * Waits until nobody looks at the cache any more.
 *
 * Context: Process context, may sleep.
 */
void hearth_shrink_remove(struct hearth_dev *hdev)
{
	hearth_shrinker_unregister(&hdev->shrinker);
}
