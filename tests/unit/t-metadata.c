// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the cache takes beside the frames' pages: little, counted, and within
 * the limit.
 *
 * Runs over the real structures; what a slab wastes is part of what is counted.
 */
#include "suite.h"

#define NR_PAGES	4096
#define NR_SCATTERED	3840	/* nearly as many as there is room for */

static struct rig rig;

/* A cache of @nr_pages, metadata included. */
static void start_pages(unsigned long nr_pages, u32 nr_sectors)
{
	struct rig_config config = {
		.nr_nodes = 1, .nr_pages = { nr_pages },
		.nr_sectors = nr_sectors,
	};

	rig_init(&rig, &config);
}

static u64 bytes_per_frame(void)
{
	u64 bytes = hearth_cache_metadata(rig.cache, 0);
	u64 nr = hearth_cache_frames(rig.cache, 0);

	return (bytes + nr - 1) / nr;
}

static void fill_dense(u32 nr_frames)
{
	u32 i;

	for (i = 0; i < nr_frames; i += 16)
		do_read(&rig, i * F, min(16U, nr_frames - i) * F);
}

static void dense_frames_cost_80_bytes_each(void **state)
{
	/* at and around powers of two, where tables are at their widest */
	static const unsigned long sizes[] = { NR_PAGES, NR_PAGES + 80, 6000 };
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		start_pages(sizes[i], 2 * sizes[i] * F);
		fill_dense(sizes[i]);
		assert_in_range(hearth_cache_frames(rig.cache, 0),
				sizes[i] - sizes[i] / 45, sizes[i]);
		assert_in_range(bytes_per_frame(), 60, 80);
		finish(&rig);
	}
}

/* Every frame of the LUN is there with a probability of one in a hundred. */
static void scattered_frames_cost_256_bytes_each(void **state)
{
	u32 nr = 150 * NR_PAGES;
	u64 random = 88172645463325252ull;
	u32 i;

	(void)state;
	start_pages(NR_PAGES, nr * F);
	for (i = 0; i < nr; i++) {
		random = random * 6364136223846793005ull + 1442695040888963407ull;
		if ((random >> 33) % 100 == 0 && hearth_cache_frames(rig.cache, 0) < NR_SCATTERED)
			do_read(&rig, i * F, 1);
	}
	assert_int_equal(hearth_cache_frames(rig.cache, 0), NR_SCATTERED);
	assert_int_equal(rig_count(&rig, HEARTH_EVICTIONS), 0);
	assert_in_range(bytes_per_frame(), 200, 256);
	finish(&rig);
}

static void check_within(unsigned long nr_pages)
{
	u64 limit = nr_pages * PAGE_SIZE;
	u64 bytes = hearth_cache_memory(rig.cache, 0);

	assert_in_range(bytes, limit - limit / 8, limit);
	assert_int_equal(bytes, hearth_cache_metadata(rig.cache, 0) +
				(u64)shim_usage().pages * PAGE_SIZE);
}

/* Dense, then each frame in an extent of its own, then dense again. */
static void metadata_is_within_the_limit(void **state)
{
	u32 nr = 400, i;

	(void)state;
	start_pages(nr, 3 * nr * E);
	fill_dense(nr);
	check_within(nr);
	for (i = 0; i < 2 * nr; i++) {
		do_read(&rig, (nr + i) * E, 1);
		check_within(nr);
	}
	assert_in_range(hearth_cache_frames(rig.cache, 0), nr - 30, nr - 20);
	fill_dense(2 * nr);
	check_within(nr);
	assert_in_range(hearth_cache_frames(rig.cache, 0), nr - 12, nr - 5);
	finish(&rig);
}

/* Frames that hold nothing are metadata without a page. */
static void discarded_frames_still_count(void **state)
{
	u64 before, after;

	(void)state;
	start_pages(1000, 2000 * F);
	fill_dense(900);
	before = hearth_cache_metadata(rig.cache, 0);
	rig_do(&rig, HEARTH_OP_DISCARD, 0, 2000 * F);
	after = hearth_cache_metadata(rig.cache, 0);
	assert_int_equal(after, before);
	assert_int_equal(hearth_cache_frames(rig.cache, 0), 0);
	fill_dense(2000);
	assert_in_range(hearth_cache_memory(rig.cache, 0), 990 * PAGE_SIZE,
			1000 * PAGE_SIZE);
	finish(&rig);
}

static void touch_extent(int nid, u32 nr)
{
	struct req *req = rig_req(&rig, HEARTH_OP_READ, nr * E, 1);

	req_set_memory(req, nid, 0, 0);
	rig_submit(req);
	rig_drain(&rig);	/* looks at the limit of each node */
	req_free(req);
}

/* Extents lie on the node of their address, frames where they are touched. */
static void extents_of_anothers_frames_make_room(void **state)
{
	struct rig_config config = {
		.nr_nodes = 2, .nr_pages = { 400, 3600 },
		.nr_sectors = 6000 * E,
	};
	unsigned long full;
	u32 i;

	(void)state;
	rig_init(&rig, &config);
	for (i = 0; i < 500; i++)
		touch_extent(0, i);
	full = hearth_cache_frames(rig.cache, 0);
	for (; i < 4000; i++)
		touch_extent(1, i);
	assert_in_range(hearth_cache_frames(rig.cache, 0), full - 40, full - 4);
	finish(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dense_frames_cost_80_bytes_each),
		cmocka_unit_test(scattered_frames_cost_256_bytes_each),
		cmocka_unit_test(metadata_is_within_the_limit),
		cmocka_unit_test(discarded_frames_still_count),
		cmocka_unit_test(extents_of_anothers_frames_make_room),
	};

	return run_suite("metadata", tests);
}
