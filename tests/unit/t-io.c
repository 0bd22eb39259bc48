// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One request from beginning to end: sizes, modes, errors.  That the data are
 * right is the oracle's business and holds in every test.
 */
#include "suite.h"

static struct rig rig;

static void start_blocks(u32 block_bytes, u32 nr_sectors)
{
	struct rig_config config = {
		.frames = { 64 }, .nr_sectors = nr_sectors,
		.block_bytes = block_bytes,
	};

	rig_init(&rig, &config);
}

/* Reads and returns the sector that was reported bad, or -1. */
static long bad_sector(u32 sector, u32 nr_sectors)
{
	struct req *req = rig_req(&rig, HEARTH_OP_READ, sector, nr_sectors);
	long bad = -1;

	rig_submit(req);
	rig_drain(&rig);
	if (req->io.error) {
		assert_int_equal(req->io.error, -EIO);
		assert_true(req->io.bad_offset != U64_MAX);
		bad = req->io.bad_offset / SECTOR_BYTES;
	}
	req_free(req);
	return bad;
}

static void every_part_of_a_frame_can_be_read_and_written(void **state)
{
	u32 from, to;

	(void)state;
	start(&rig, 64, 8 * E);
	for (from = 0; from < 2 * F; from++) {
		for (to = from + 1; to <= 2 * F; to++) {
			rig_do(&rig, HEARTH_OP_DISCARD, 0, 2 * F);
			do_write(&rig, from, to - from);
			assert_true(rig_hits(&rig, from, to - from));
			do_read(&rig, 0, 2 * F);
		}
	}
	finish(&rig);
}

static void the_last_frame_of_the_lun_may_be_short(void **state)
{
	(void)state;
	start(&rig, 64, E + 3);
	assert_int_equal(do_read(&rig, E + 1, 1), 0);
	assert_true(rig_hits(&rig, E, 3));
	assert_int_equal(do_write(&rig, E - 2, 5), 0);
	assert_int_equal(do_read(&rig, E - 4, 7), 0);
	assert_int_equal(rig_do(&rig, HEARTH_OP_DISCARD, E, 3), 0);
	assert_int_equal(do_read(&rig, E, 3), 0);
	finish(&rig);
}

static void blocks_of_4096_bytes_work(void **state)
{
	(void)state;
	start_blocks(4096, 4 * E);
	do_write(&rig, F, 3 * F);
	do_read(&rig, 0, 5 * F);
	rig_do(&rig, HEARTH_OP_WRITE_SAME, 2 * F, 2 * F);
	do_read(&rig, 0, 5 * F);
	finish(&rig);
}

static void memory_may_be_cut_anyhow(void **state)
{
	static const u32 pieces[] = { 1, 100, 511, 512, 4096, 5000, 100000 };
	static const u32 offsets[] = { 0, 8, 511, 4095 };
	struct req *req;
	unsigned int i;

	(void)state;
	start(&rig, 64, 8 * E);
	for (i = 0; i < 7 * 4 * 2; i++) {
		req = rig_req(&rig, i & 1 ? HEARTH_OP_READ : HEARTH_OP_WRITE,
			      3, 40);
		req_set_memory(req, 0, offsets[i / 2 % 4], pieces[i / 8]);
		rig_submit(req);
		rig_drain(&rig);
		assert_int_equal(req->io.error, 0);
		req_free(req);
	}
	finish(&rig);
}

static void a_write_leaves_its_data_in_the_cache(void **state)
{
	(void)state;
	start(&rig, 64, 8 * E);
	do_write(&rig, 5, 20);
	assert_int_equal(rig.disk.nr_writes, 1);
	do_read(&rig, 5, 20);
	assert_int_equal(rig.disk.nr_reads, 0);
	finish(&rig);
}

static void a_failed_write_leaves_nothing(void **state)
{
	(void)state;
	start(&rig, 64, 8 * E);
	do_read(&rig, 0, 4 * F);
	rig.disk.cannot_write[F + 3] = true;
	assert_int_equal(do_write(&rig, 6, 8), -EIO);
	assert_true(rig_hits(&rig, 0, 6));
	assert_false(rig_hits(&rig, 6, 1));
	assert_false(rig_hits(&rig, F + 5, 1));
	assert_true(rig_hits(&rig, F + 6, 2));
	assert_int_equal(do_read(&rig, 0, 4 * F), 0);
	finish(&rig);
}

static void a_write_around_leaves_the_cache_without_its_sectors(void **state)
{
	(void)state;
	start(&rig, 64, 8 * E);
	do_read(&rig, 0, 2 * F);
	rig.cache->mode = HEARTH_WRITEAROUND;
	do_write(&rig, 3, 2);
	assert_true(rig_hits(&rig, 0, 3));
	assert_false(rig_hits(&rig, 3, 1));
	assert_true(rig_hits(&rig, 5, 3 + F));
	do_write(&rig, E, F);
	assert_false(rig_hits(&rig, E, 1));
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 0);
	rig.cache->mode = HEARTH_WRITETHROUGH;
	do_write(&rig, E, F);
	assert_true(rig_hits(&rig, E, F));
	finish(&rig);
}

static void a_request_larger_than_the_cache_allows_goes_past_it(void **state)
{
	(void)state;
	start(&rig, 155, 8 * E);	/* with metadata: an eighth is 20 */
	do_write(&rig, 0, 20 * F);
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 0);
	do_write(&rig, 0, 21 * F);
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 1);
	assert_false(rig_hits(&rig, 0, 1));
	do_read(&rig, 0, 21 * F);
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 2);
	finish(&rig);
}

static void fua_comes_to_the_device(void **state)
{
	struct req *req;

	(void)state;
	start(&rig, 64, 8 * E);
	req = rig_req(&rig, HEARTH_OP_WRITE, 0, F);
	req->io.fua = true;
	rig_submit(req);
	assert_on_disk(req);
	assert_true(req->io.fua);
	finish(&rig, req);
}

static void a_flush_goes_straight_to_the_device(void **state)
{
	struct req *write, *flush;

	(void)state;
	start(&rig, 64, 8 * E);
	write = begin(&rig, HEARTH_OP_WRITE, 0, F);
	flush = begin(&rig, HEARTH_OP_FLUSH, 0, 0);
	assert_on_disk(write);
	assert_on_disk(flush);
	rig.disk.fail_in = 1;
	assert_int_equal(rig_do(&rig, HEARTH_OP_FLUSH, 0, 0), -EIO);
	assert_int_equal(rig.disk.nr_flushes, 2);
	finish(&rig, write, flush);
}

static void the_first_bad_block_of_a_read_is_named(void **state)
{
	u32 bad;

	(void)state;
	for (bad = 0; bad < 3 * F; bad++) {
		start(&rig, 64, 8 * E);
		rig.disk.cannot_read[bad] = true;
		rig.disk.cannot_read[3 * F - 1] = true;
		assert_int_equal(bad_sector(0, 3 * F), bad);
		assert_int_equal(bad_sector(bad, 3 * F - bad), bad);
		finish(&rig);
	}
}

static void a_bad_block_beside_the_request_does_not_fail_it(void **state)
{
	(void)state;
	start(&rig, 64, 8 * E);
	rig.disk.cannot_read[3] = true;
	assert_int_equal(bad_sector(0, 3), -1);
	assert_true(rig_hits(&rig, 0, 3));
	assert_true(rig_hits(&rig, 4, 4));
	assert_false(rig_hits(&rig, 3, 1));
	assert_int_equal(bad_sector(4, F), -1);
	assert_int_equal(bad_sector(3, 1), 3);
	assert_int_equal(bad_sector(0, F), 3);
	finish(&rig);
}

static void a_bad_block_that_is_cached_does_no_harm(void **state)
{
	(void)state;
	start(&rig, 64, 8 * E);
	do_write(&rig, 3, 1);
	rig.disk.cannot_read[3] = true;
	assert_int_equal(bad_sector(0, F), -1);
	finish(&rig);
}

static void a_bad_block_is_well_again_after_a_write(void **state)
{
	(void)state;
	start(&rig, 64, 8 * E);
	rig.disk.cannot_read[3] = true;
	assert_int_equal(bad_sector(0, F), 3);
	rig.disk.cannot_read[3] = false;
	do_write(&rig, 3, 1);
	assert_int_equal(bad_sector(0, F), -1);
	finish(&rig);
}

static void a_bad_block_of_4096_bytes_is_named(void **state)
{
	unsigned int i;

	(void)state;
	start_blocks(4096, 4 * E);
	for (i = 0; i < F; i++)
		rig.disk.cannot_read[2 * F + i] = true;
	assert_int_equal(bad_sector(0, 4 * F), 2 * F);
	assert_true(rig_hits(&rig, 0, 2 * F));
	finish(&rig);
}

static void a_read_that_fails_only_once_succeeds(void **state)
{
	(void)state;
	start(&rig, 64, 8 * E);
	rig.disk.fail_in = 1;
	assert_int_equal(bad_sector(1, 2 * F), -1);
	assert_int_equal(rig.disk.nr_blocks, 3 * F);
	assert_true(rig_hits(&rig, 0, 3 * F));
	finish(&rig);
}

static void the_bad_block_of_a_read_past_the_cache_is_named(void **state)
{
	(void)state;
	start(&rig, 16, 8 * E);
	rig.disk.cannot_read[77] = true;
	assert_int_equal(bad_sector(3, 30 * F), 77);
	rig.disk.cannot_read[77] = false;
	rig.disk.fail_in = 1;
	assert_int_equal(bad_sector(3, 30 * F), -1);
	finish(&rig);
}

/* Where a block lies in two pieces of memory, the error stays without a place. */
static void a_failed_read_into_cut_memory_stays_an_error(void **state)
{
	struct req *req;

	(void)state;
	start(&rig, 16, 8 * E);
	req = rig_req(&rig, HEARTH_OP_READ, 3, 30 * F);
	req_set_memory(req, 0, 0, 5 * SECTOR_BYTES + 100);
	rig.disk.cannot_read[200] = true;
	rig_submit(req);
	rig_drain(&rig);
	assert_int_equal(req->io.error, -EIO);
	assert_true(req->io.bad_offset == U64_MAX);
	finish(&rig, req);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_part_of_a_frame_can_be_read_and_written),
		cmocka_unit_test(the_last_frame_of_the_lun_may_be_short),
		cmocka_unit_test(blocks_of_4096_bytes_work),
		cmocka_unit_test(memory_may_be_cut_anyhow),
		cmocka_unit_test(a_write_leaves_its_data_in_the_cache),
		cmocka_unit_test(a_failed_write_leaves_nothing),
		cmocka_unit_test(a_write_around_leaves_the_cache_without_its_sectors),
		cmocka_unit_test(a_request_larger_than_the_cache_allows_goes_past_it),
		cmocka_unit_test(fua_comes_to_the_device),
		cmocka_unit_test(a_flush_goes_straight_to_the_device),
		cmocka_unit_test(the_first_bad_block_of_a_read_is_named),
		cmocka_unit_test(a_bad_block_beside_the_request_does_not_fail_it),
		cmocka_unit_test(a_bad_block_that_is_cached_does_no_harm),
		cmocka_unit_test(a_bad_block_is_well_again_after_a_write),
		cmocka_unit_test(a_bad_block_of_4096_bytes_is_named),
		cmocka_unit_test(a_read_that_fails_only_once_succeeds),
		cmocka_unit_test(the_bad_block_of_a_read_past_the_cache_is_named),
		cmocka_unit_test(a_failed_read_into_cut_memory_stays_an_error),
	};

	return run_suite("io", tests);
}
