// SPDX-License-Identifier: GPL-2.0-only
/*
 * What LUNs give back when a node is short of memory, or loses some.
 *
 * A guarantee is one among LUNs: the system comes first.
 *
 * Memory can be taken offline only if nothing lies in it that cannot be moved.
 * Frames cannot: TCP, RDMA and bios hold references to their pages for as long
 * as they like.  Nor could a notifier drain a block of memory, since the kernel
 * refuses one with such a page before it tells anybody.  So caches keep out of
 * what was made to be taken away, ZONE_MOVABLE, see node.c; and what is moved out
 * of a block finds room, since caches give back as much as goes.
 */
#include <linux/memory.h>

#include "hearth.h"

static DEFINE_MUTEX(luns_mutex);
static LIST_HEAD(luns);		/* under luns_mutex */

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

/* Has LUNs give up that many clean frames of a node, and write back the rest. */
static void make_room(int nid, unsigned long nr_pages)
{
	struct hearth_dev *hdev;
	unsigned long nr;

	mutex_lock(&luns_mutex);
	list_for_each_entry(hdev, &luns, shrink_node) {
		nr = hearth_cache_shrink(hdev->cache, nid, nr_pages);
		nr_pages -= min(nr, nr_pages);
		if (hearth_cache_dirty(hdev->cache, nid))
			hearth_flush_start(hdev->cache);
	}
	mutex_unlock(&luns_mutex);
}

static int on_memory(struct notifier_block *block, unsigned long action,
		     void *data)
{
	const struct memory_notify *what = data;
	int nid = page_to_nid(pfn_to_page(what->start_pfn));

	switch (action) {
	case MEM_GOING_OFFLINE:
		make_room(nid, what->nr_pages);
		break;
	case MEM_ONLINE:
	case MEM_OFFLINE:
		hearth_node_update(nid);
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block memory_block = { .notifier_call = on_memory };

int hearth_shrink_init(void)
{
	return register_memory_notifier(&memory_block);
}

void hearth_shrink_exit(void)
{
	unregister_memory_notifier(&memory_block);
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
	int ret;

	ret = hearth_shrinker_register(&hdev->shrinker, count_objects,
				       scan_objects, hdev, hdev->name);
	if (ret)
		return ret;
	mutex_lock(&luns_mutex);
	list_add_tail(&hdev->shrink_node, &luns);
	mutex_unlock(&luns_mutex);
	return 0;
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
	mutex_lock(&luns_mutex);
	list_del(&hdev->shrink_node);
	mutex_unlock(&luns_mutex);
	hearth_shrinker_unregister(&hdev->shrinker);
}
