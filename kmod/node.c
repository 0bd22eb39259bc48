// SPDX-License-Identifier: GPL-2.0-only
/*
 * The nodes' memory: how much a cache may have of it, over all LUNs.
 */
#include <linux/mm.h>
#include <linux/vmstat.h>

#include "hearth.h"

static DEFINE_MUTEX(share_mutex);

/* Pages promised to LUNs, by node id; under share_mutex. */
static unsigned long promised[MAX_NUMNODES];

/* Of a node's memory, this much is never given to caches. */
static unsigned long spare_pages(unsigned long managed)
{
	return managed / 8;
}

/* What a node could give now: free and clean file pages, within what is left. */
static unsigned long available_pages(int nid)
{
	unsigned long managed = 0, usable = 0, taken;
	struct pglist_data *pgdat = NODE_DATA(nid);
	struct zone *zone;

	for (zone = pgdat->node_zones;
	     zone < pgdat->node_zones + MAX_NR_ZONES; zone++) {
		if (!populated_zone(zone))
			continue;
		managed += zone_managed_pages(zone);
		usable += zone_page_state(zone, NR_FREE_PAGES) +
			  zone_page_state(zone, NR_ZONE_INACTIVE_FILE) +
			  zone_page_state(zone, NR_ZONE_ACTIVE_FILE);
	}
	taken = promised[nid] + spare_pages(managed);
	if (taken >= managed)
		return 0;
	return min(usable, managed - taken);
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

static int reserve(struct hearth_dev *hdev, unsigned long *available)
{
	unsigned long want = DIV_ROUND_UP_ULL(hdev->params.cache_bytes,
					      PAGE_SIZE);
	unsigned long total = 0;
	int nid;

	lockdep_assert_held(&share_mutex);
	for_each_node_state(nid, N_MEMORY) {
		available[nid] = available_pages(nid);
		total += available[nid];
	}
	if (want > total) {
		hearth_err(hdev, "cache=%llu: more than the %lu MiB that the nodes' memory has left for caches; give at most cache=%luM\n",
			   hdev->params.cache_bytes, total >> (20 - PAGE_SHIFT),
			   total >> (20 - PAGE_SHIFT));
		return -ENOMEM;
	}
	split(want, available, total, hdev->share_pages);
	for_each_node_state(nid, N_MEMORY)
		promised[nid] += hdev->share_pages[nid];
	return 0;
}

/**
 * hearth_node_reserve() - promise a LUN its share of each node's memory
 * @hdev: the LUN, with its parameters
 *
 * Sets &hearth_dev.share_pages.
 *
 * Context: Process context, may sleep.
 * Return: 0 or -errno, after a line in the log.
 */
int hearth_node_reserve(struct hearth_dev *hdev)
{
	unsigned long *available;
	int ret = -ENOMEM;

	if (!hdev->params.cache_bytes) {
		hearth_err(hdev, "cache= is missing; give the size of the cache\n");
		return -EINVAL;
	}
	available = kcalloc(nr_node_ids, sizeof(*available), GFP_KERNEL);
	hdev->share_pages = kcalloc(nr_node_ids, sizeof(*hdev->share_pages),
				    GFP_KERNEL);
	if (available && hdev->share_pages) {
		mutex_lock(&share_mutex);
		ret = reserve(hdev, available);
		mutex_unlock(&share_mutex);
	}
	if (ret) {
		kfree(hdev->share_pages);
		hdev->share_pages = NULL;
	}
	kfree(available);
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
	int nid;

	mutex_lock(&share_mutex);
	for_each_node(nid)
		promised[nid] -= hdev->share_pages[nid];
	mutex_unlock(&share_mutex);
	kfree(hdev->share_pages);
	hdev->share_pages = NULL;
}
