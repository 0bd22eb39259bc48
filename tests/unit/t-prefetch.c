// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fetching what was asked for: like readahead, but it says how it went.
 */
#include "suite.h"

static struct rig rig;

static int fetch(u32 sector, u32 nr_sectors)
{
	return rig_do(&rig, HEARTH_OP_PREFETCH, sector, nr_sectors);
}

static bool holds(u32 sector, u32 nr_sectors)
{
	return hearth_cache_holds(rig.cache, (u64)sector * SECTOR_BYTES,
				  (u64)nr_sectors * SECTOR_BYTES);
}

static void what_was_fetched_is_hit(void **state)
{
	(void)state;
	start(&rig, 400, 64 * E);
	assert_int_equal(fetch(3 * F, 20 * F), 0);
	assert_int_equal(rig_count(&rig, HEARTH_AHEAD), 20);
	assert_int_equal(rig_count(&rig, HEARTH_MISSES), 0);
	assert_true(rig_hits(&rig, 3 * F, 20 * F));
	assert_false(rig_hits(&rig, 2 * F, F));
	assert_false(rig_hits(&rig, 23 * F, F));
	finish(&rig);
}

static void whole_frames_are_fetched(void **state)
{
	(void)state;
	start(&rig, 400, 64 * E);
	assert_int_equal(fetch(F + 3, F), 0);
	assert_int_equal(rig_count(&rig, HEARTH_AHEAD), 2);
	assert_true(rig_hits(&rig, F, 2 * F));
	finish(&rig);
}

static void what_is_there_is_left_alone(void **state)
{
	(void)state;
	start(&rig, 400, 64 * E);
	do_read(&rig, 4 * F, 2 * F);
	assert_int_equal(fetch(3 * F, 4 * F), 0);
	assert_int_equal(rig_count(&rig, HEARTH_AHEAD), 2);
	assert_int_equal(fetch(3 * F, 4 * F), 0);
	assert_int_equal(rig_count(&rig, HEARTH_AHEAD), 2);
	assert_int_equal(rig.disk.nr_aheads, 1);
	finish(&rig);
}

/* A scan of many times the cache passes it by, as it does what has been read twice. */
static void what_was_fetched_outlives_a_scan(void **state)
{
	u32 at;

	(void)state;
	start(&rig, 320, 256 * E);
	do_read(&rig, 0, 16 * F);
	assert_int_equal(fetch(0, 32 * F), 0);
	do_read(&rig, 64 * F, 32 * F);
	for (at = 128; at < 2048; at += 16)
		do_read(&rig, at * F, 16 * F);
	assert_true(holds(0, 32 * F));
	assert_false(holds(64 * F, 32 * F));
	finish(&rig);
}

/* Only readahead is counted against its bound, and only it leaves marks. */
static void it_is_no_readahead(void **state)
{
	struct rig_config config = {
		.frames = { 400 }, .nr_sectors = 64 * E, .ahead_bytes = 1 << 20,
	};
	struct req *req;

	(void)state;
	rig_init(&rig, &config);
	req = begin(&rig, HEARTH_OP_PREFETCH, 0, 40 * F);
	assert_on_disk(req);
	assert_int_equal(atomic_long_read(&rig.cache->nr_ahead), 0);
	rig_finish_disk(req);
	assert_done(req);
	assert_int_equal(atomic_long_read(&rig.cache->nr_ahead), 0);
	do_read(&rig, 0, 40 * F);
	assert_int_equal(rig.disk.nr_aheads, 1);
	finish(&rig, req);
}

static void it_waits_for_nobody(void **state)
{
	struct req *write, *req;

	(void)state;
	start(&rig, 400, 64 * E);
	write = begin(&rig, HEARTH_OP_WRITE, F, F);
	req = begin(&rig, HEARTH_OP_PREFETCH, 0, 3 * F);
	assert_on_disk(req);
	rig_finish_disk(req);
	assert_done(req);
	assert_on_disk(write);
	assert_false(holds(0, 3 * F));
	rig_finish_disk(write);
	assert_true(holds(0, 3 * F));
	finish(&rig, write, req);
}

static void it_says_where_it_failed(void **state)
{
	struct req *req;

	(void)state;
	start(&rig, 400, 64 * E);
	rig.disk.cannot_read[2 * F + 5] = true;
	req = begin(&rig, HEARTH_OP_PREFETCH, 0, 4 * F);
	rig_drain(&rig);
	assert_int_equal(req->io.error, -EIO);
	assert_int_equal(req->io.bad_offset, (2 * F + 5) * SECTOR_BYTES);
	assert_true(holds(0, 2 * F + 5));
	assert_false(holds(0, 3 * F));
	finish(&rig, req);
}

/* A block that fills up the last frame is not what was asked for. */
static void a_bad_block_beside_it_is_no_error(void **state)
{
	(void)state;
	start(&rig, 400, 64 * E);
	rig.disk.cannot_read[F + 5] = true;
	assert_int_equal(fetch(0, F + 2), 0);
	assert_true(holds(0, F + 2));
	assert_false(holds(0, 2 * F));
	finish(&rig);
}

static void what_does_not_fit_is_told(void **state)
{
	(void)state;
	start(&rig, 32, 64 * E);
	assert_in_range(hearth_cache_total(rig.cache), 32, 36);
	assert_int_equal(fetch(0, 17 * F), -ENOMEM);
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 0);
	assert_int_equal(rig.disk.nr_aheads, 0);
	shim_fail_in = 1;
	shim_fail_every = 1;
	assert_int_equal(fetch(0, F), -ENOMEM);
	shim_fail_in = 0;
	finish(&rig);
}

static void the_total_is_that_of_all_nodes(void **state)
{
	struct rig_config config = {
		.nr_nodes = 4, .frames = { 10, 0, 7, 30 },
		.nr_sectors = 64 * E, .home = HEARTH_HOME_STRIPE,
	};

	(void)state;
	rig_init(&rig, &config);
	assert_in_range(hearth_cache_total(rig.cache), 47, 60);
	finish(&rig);
}

static void holding_is_exact_to_the_sector(void **state)
{
	(void)state;
	start(&rig, 4000, 64 * E - 3);
	assert_false(holds(0, 1));
	do_write(&rig, 3, 2);
	assert_true(holds(3, 2));
	assert_false(holds(2, 2));
	assert_false(holds(4, 2));
	/* over extents, up to the end of the LUN, which ends within a frame */
	do_read(&rig, 61 * E + 5, 3 * E - 8);
	assert_true(holds(61 * E + 5, 3 * E - 8));
	assert_false(holds(61 * E - 1, 9));
	do_write(&rig, 62 * E, 1);
	assert_true(holds(61 * E + 5, 3 * E - 8));
	rig_do(&rig, HEARTH_OP_DISCARD, 62 * E + 9, 1);
	assert_false(holds(61 * E + 5, 3 * E - 8));
	assert_true(holds(62 * E + 10, 2 * E - 13));
	finish(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_fetched_is_hit),
		cmocka_unit_test(whole_frames_are_fetched),
		cmocka_unit_test(what_is_there_is_left_alone),
		cmocka_unit_test(what_was_fetched_outlives_a_scan),
		cmocka_unit_test(it_is_no_readahead),
		cmocka_unit_test(it_waits_for_nobody),
		cmocka_unit_test(it_says_where_it_failed),
		cmocka_unit_test(a_bad_block_beside_it_is_no_error),
		cmocka_unit_test(what_does_not_fit_is_told),
		cmocka_unit_test(the_total_is_that_of_all_nodes),
		cmocka_unit_test(holding_is_exact_to_the_sector),
	};

	return run_suite("prefetch", tests);
}
