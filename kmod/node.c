// SPDX-License-Identifier: GPL-2.0-only
/*
 * The nodes' memory: how much a cache may have of it, over all LUNs.
 *
 * What LUNs are guaranteed is set aside here; an eighth of a node is never given
 * to caches; what is left are the commons, see core/share.c.
 */
#include <linux/mm.h>
#include <linux/vmstat.h>

#include "core/share.h"
#include "hearth.h"

static DEFINE_MUTEX(share_mutex);

/* Pages guaranteed to LUNs, by node id; under share_mutex. */
static unsigned long guaranteed[MAX_NUMNODES];

/*
 * The zones of a node that frames can come from.  What is above them is for what
 * can be moved, and frames cannot: see shrink.c.
 */
#define NR_FRAME_ZONES	ZONE_MOVABLE

static unsigned long managed_pages(int nid)
{
	struct pglist_data *pgdat = NODE_DATA(nid);
	unsigned long managed = 0;
	int i;

	for (i = 0; i < NR_FRAME_ZONES; i++)
		managed += zone_managed_pages(&pgdat->node_zones[i]);
	return managed;
}

/* Of a node's memory, this much is never given to caches. */
static unsigned long for_caches(int nid)
{
	unsigned long managed = managed_pages(nid);

	return managed - managed / 8;
}

/* Free and clean file pages. */
static unsigned long usable_pages(int nid)
{
	struct pglist_data *pgdat = NODE_DATA(nid);
	unsigned long usable = 0;
	struct zone *zone;

	for (zone = pgdat->node_zones;
	     zone < pgdat->node_zones + NR_FRAME_ZONES; zone++) {
		if (populated_zone(zone))
			usable += zone_page_state(zone, NR_FREE_PAGES) +
				  zone_page_state(zone, NR_ZONE_INACTIVE_FILE) +
				  zone_page_state(zone, NR_ZONE_ACTIVE_FILE);
	}
	return usable;
}

/* What a node could give a LUN now, what that has of it already included. */
static unsigned long available_pages(const struct hearth_dev *hdev, int nid)
{
	unsigned long others = guaranteed[nid], usable = usable_pages(nid);

	if (hdev->cache) {
		if (!hdev->share_pages[nid])
			return 0;	/* its index has no part there */
		others -= hdev->min_pages[nid];
		usable += hearth_cache_memory(hdev->cache, nid) >> PAGE_SHIFT;
	}
	if (others >= for_caches(nid))
		return 0;
	return min(usable, for_caches(nid) - others);
}

/* Splits @want over the nodes in proportion to what each has available. */
static void split(unsigned long want, const unsigned long *available,
		  unsigned long total, unsigned long *ret_shares)
{
	unsigned long left = want, part;
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		part = mul_u64_u64_div_u64(want, available[nid], total);
		part = min(part, left);
		ret_shares[nid] = part;
		left -= part;
	}
	/* what rounding left over */
	for_each_node_state(nid, N_MEMORY) {
		part = min(left, available[nid] - ret_shares[nid]);
		ret_shares[nid] += part;
		left -= part;
	}
}

/* Sets shares and guarantees of a LUN by node, or says why it cannot have them. */
static int plan(struct hearth_dev *hdev, unsigned long *ret_max,
		unsigned long *ret_min)
{
	u64 min_bytes = min(hdev->params.cache_bytes,
			    hdev->params.cache_min_bytes);
	unsigned long want = DIV_ROUND_UP_ULL(hdev->params.cache_bytes,
					      PAGE_SIZE);
	unsigned long min_pages = DIV_ROUND_UP_ULL(min_bytes, PAGE_SIZE);
	unsigned long *available = ret_min;	/* for the time being */
	unsigned long total = 0;
	int nid;

	lockdep_assert_held(&share_mutex);
	for_each_node_state(nid, N_MEMORY) {
		available[nid] = available_pages(hdev, nid);
		total += available[nid];
	}
	if (want > total) {
		hearth_err(hdev, "cache=%llu: more than the %lu MiB that the nodes' memory has left for caches; give at most cache=%luM\n",
			   hdev->params.cache_bytes, total >> (20 - PAGE_SHIFT),
			   total >> (20 - PAGE_SHIFT));
		return -ENOMEM;
	}
	split(want, available, total, ret_max);
	split(min_pages, ret_max, want, ret_min);
	return 0;
}

/* What no LUN of a node is guaranteed may be lent. */
static void set_commons(int nid)
{
	unsigned long all = for_caches(nid);

	lockdep_assert_held(&share_mutex);
	hearth_share_set_commons(nid, all - min(all, guaranteed[nid]));
}

/* Guarantees a LUN what it has in @min_pages from now on instead of @old. */
static void guarantee(const unsigned long *old, const unsigned long *min_pages)
{
	int nid;

	lockdep_assert_held(&share_mutex);
	for_each_node_state(nid, N_MEMORY) {
		if (old)
			guaranteed[nid] -= old[nid];
		if (min_pages)
			guaranteed[nid] += min_pages[nid];
		set_commons(nid);
	}
}

/**
 * hearth_node_update() - a node has more or less memory than before
 * @nid: the node
 *
 * What it lacks now is called in from those who have borrowed it.
 *
 * Context: Process context, may sleep.
 */
void hearth_node_update(int nid)
{
	mutex_lock(&share_mutex);
	set_commons(nid);
	mutex_unlock(&share_mutex);
}

static unsigned long *alloc_shares(void)
{
	return kcalloc(nr_node_ids, sizeof(unsigned long), GFP_KERNEL);
}

static void free_shares(struct hearth_dev *hdev)
{
	kfree(hdev->share_pages);
	kfree(hdev->min_pages);
	hdev->share_pages = NULL;
	hdev->min_pages = NULL;
}

/**
 * hearth_node_reserve() - promise a LUN its share of each node's memory
 * @hdev: the LUN, with its parameters
 *
 * Sets &hearth_dev.share_pages and &hearth_dev.min_pages.
 *
 * Context: Process context, may sleep.
 * Return: 0 or -errno, after a line in the log.
 */
int hearth_node_reserve(struct hearth_dev *hdev)
{
	int ret = -ENOMEM;

	if (!hdev->params.cache_bytes) {
		hearth_err(hdev, "cache= is missing; give the size of the cache\n");
		return -EINVAL;
	}
	hdev->share_pages = alloc_shares();
	hdev->min_pages = alloc_shares();
	if (hdev->share_pages && hdev->min_pages) {
		mutex_lock(&share_mutex);
		ret = plan(hdev, hdev->share_pages, hdev->min_pages);
		if (!ret)
			guarantee(NULL, hdev->min_pages);
		mutex_unlock(&share_mutex);
	}
	if (ret)
		free_shares(hdev);
	return ret;
}

/**
 * hearth_node_release() - give the promised memory back
 * @hdev: the LUN; its cache is gone
 *
 * Context: Process context, may sleep.
 */
void hearth_node_release(struct hearth_dev *hdev)
{
	mutex_lock(&share_mutex);
	guarantee(hdev->min_pages, NULL);
	mutex_unlock(&share_mutex);
	free_shares(hdev);
}

/* Whether the index can do with what is planned. */
static int check_index(struct hearth_dev *hdev, const unsigned long *max_pages)
{
	int nid, ret = 0;

	for_each_node_state(nid, N_MEMORY) {
		ret = hearth_cache_can_resize(hdev->cache, nid, max_pages[nid]);
		if (ret)
			break;
	}
	if (ret == -E2BIG)
		hearth_err(hdev, "cache=%llu: more than its index can grow to; give at most four times what the cache began with, or delete the LUN and create it anew\n",
			   hdev->params.cache_bytes);
	else if (ret)
		hearth_err(hdev, "cache=%llu: hardly more than its index takes; give more, or delete the LUN and create it anew\n",
			   hdev->params.cache_bytes);
	return ret;
}

static int resize(struct hearth_dev *hdev, unsigned long *max_pages,
		  unsigned long *min_pages)
{
	int ret;

	lockdep_assert_held(&share_mutex);
	ret = plan(hdev, max_pages, min_pages);
	if (!ret)
		ret = check_index(hdev, max_pages);
	if (ret)
		return ret;
	/* both what it had and what it will have, until it is done */
	guarantee(NULL, min_pages);
	ret = hearth_cache_resize(hdev->cache, max_pages, min_pages);
	guarantee(ret ? min_pages : hdev->min_pages, NULL);
	if (ret)
		hearth_err(hdev, "cache=%llu: no memory for what replacement remembers; give a smaller size\n",
			   hdev->params.cache_bytes);
	return ret;
}

/**
 * hearth_node_resize() - change a LUN's share of each node's memory
 * @hdev: the LUN, enabled, with its new parameters
 *
 * Context: Process context, under the LUN's lock, may sleep.
 * Return: 0 or -errno, after a line in the log: it keeps what it has.
 */
int hearth_node_resize(struct hearth_dev *hdev)
{
	unsigned long *max_pages = alloc_shares(), *min_pages = alloc_shares();
	int ret = -ENOMEM;

	if (max_pages && min_pages) {
		mutex_lock(&share_mutex);
		ret = resize(hdev, max_pages, min_pages);
		if (!ret) {
			swap(hdev->share_pages, max_pages);
			swap(hdev->min_pages, min_pages);
		}
		mutex_unlock(&share_mutex);
	}
	kfree(max_pages);
	kfree(min_pages);
	return ret;
}
