// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes that the cache takes over without making them a request.
 */
#include "suite.h"

static struct rig rig;

/* A cache that writes back, on two nodes, with the first two extents of the LUN. */
static void start_behind(u32 nr_dirty)
{
	struct rig_config config = {
		.nr_nodes = 2, .frames = { 64, 64 }, .nr_sectors = 16 * E,
		.mode = HEARTH_WRITEBACK,
		.dirty_bytes = nr_dirty * HEARTH_FRAME_BYTES,
	};

	rig_init(&rig, &config);
	do_read(&rig, 0, E);	/* more at once would go past the cache */
	do_read(&rig, E, E);
}

static struct req *write_of(u32 sector, u32 nr, int nid)
{
	struct req *req = rig_req(&rig, HEARTH_OP_WRITE, sector, nr);

	req_set_pages(req, nid);
	return req;
}

/* How many whole frames of such a write are taken at once; it is done in the end. */
static u32 taken_of(u32 sector, u32 nr, int nid)
{
	struct req *req = write_of(sector, nr, nid);
	u32 nr_taken;

	rig_submit(req);
	rig_drain(&rig);
	nr_taken = req->nr_taken;
	req_free(req);
	return nr_taken;
}

static void whole_pages_are_taken_at_once(void **state)
{
	u64 flipped;
	struct req *req;
	struct page *page;

	(void)state;
	start_behind(128);
	flipped = rig_count(&rig, HEARTH_FLIPPED_BYTES);
	req = write_of(F, 20 * F, 0);
	page = req->sg[0].page;
	rig_submit(req);
	assert_int_equal(req->nr_taken, 20);
	assert_done(req);
	assert_int_equal(rig_dirty(&rig), 20);
	assert_int_equal(page_ref_count(page), 2);
	assert_int_equal(rig_count(&rig, HEARTH_FLIPPED_BYTES) - flipped,
			 20 * PAGE_SIZE);
	assert_true(rig_hits(&rig, 0, 2 * E));
	assert_int_equal(rig.disk.nr_writes, 0);
	rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	assert_int_equal(rig_dirty(&rig), 0);
	finish(&rig, req);
}

static void dirty_frames_are_counted_once(void **state)
{
	struct req *a, *b;

	(void)state;
	start_behind(128);
	a = write_of(0, 4 * F, 0);
	b = write_of(2 * F, 4 * F, 0);
	rig_submit(a);
	rig_submit(b);
	assert_done(b);
	assert_int_equal(rig_dirty(&rig), 6);
	finish(&rig, a, b);
}

static void it_ends_where_the_cache_does(void **state)
{
	struct req *req;

	(void)state;
	start_behind(128);
	req = write_of(E + 10 * F, 10 * F, 0);
	rig_submit(req);
	rig_run_all(&rig);
	assert_done(req);
	assert_int_equal(req->nr_taken, 6);
	assert_int_equal(rig_dirty(&rig), 10);
	assert_true(rig_hits(&rig, E + 10 * F, 10 * F));
	finish(&rig, req);
}

static void only_in_write_back(void **state)
{
	(void)state;
	start_behind(128);
	assert_int_equal(taken_of(0, 2 * F, 0), 2);
	WRITE_ONCE(rig.cache->mode, HEARTH_WRITETHROUGH);
	assert_int_equal(taken_of(0, 2 * F, 0), 0);
	WRITE_ONCE(rig.cache->mode, HEARTH_WRITEBACK);
	assert_int_equal(taken_of(0, 2 * F, 0), 2);
	WRITE_ONCE(rig.cache->paused, true);
	assert_int_equal(taken_of(0, 2 * F, 0), 0);
	finish(&rig);
}

static void not_above_the_watermark(void **state)
{
	(void)state;
	start_behind(16);	/* eight on each node */
	assert_int_equal(taken_of(0, 9 * F, 0), 0);
	assert_int_equal(rig.disk.nr_writes, 1);
	assert_int_equal(taken_of(0, 8 * F, 0), 8);
	finish(&rig);
}

static void only_pages_of_the_frames_node(void **state)
{
	(void)state;
	start_behind(128);
	assert_int_equal(taken_of(0, 2 * F, 1), 0);
	assert_int_equal(taken_of(0, 2 * F, 0), 2);
	finish(&rig);
}

static void only_whole_frames(void **state)
{
	struct req *req;

	(void)state;
	start_behind(128);
	assert_int_equal(taken_of(1, F, 0), 0);
	assert_int_equal(taken_of(0, F - 1, 0), 0);
	assert_int_equal(taken_of(0, 3 * F + 1, 0), 3);
	req = rig_req(&rig, HEARTH_OP_WRITE, 0, F);	/* not to be flipped */
	rig_submit(req);
	assert_int_equal(req->nr_taken, 0);
	finish(&rig, req);
}

static void what_is_claimed_is_left_to_a_request(void **state)
{
	struct req *a, *b;

	(void)state;
	start_behind(128);
	a = rig_req(&rig, HEARTH_OP_WRITE, 2 * F, F);
	a->io.fua = true;
	rig_submit(a);
	rig_run_all(&rig);
	assert_on_disk(a);
	b = write_of(0, 4 * F, 0);
	rig_submit(b);
	rig_run_all(&rig);
	assert_waits(b);
	assert_int_equal(rig_dirty(&rig), 2);
	finish(&rig, a, b);
}

static void nobody_is_overtaken(void **state)
{
	struct req *a, *b, *c;

	(void)state;
	start_behind(128);
	a = rig_req(&rig, HEARTH_OP_WRITE, 0, F);
	a->io.fua = true;
	rig_submit(a);
	b = write_of(0, 4 * F, 0);	/* waits for the first of its frames */
	rig_submit(b);
	rig_run_all(&rig);
	assert_waits(b);
	c = write_of(2 * F, F, 0);
	rig_submit(c);
	rig_run_all(&rig);
	assert_waits(c);
	finish(&rig, a, b, c);
}

static void a_range_is_waited_for(void **state)
{
	struct req *range, *req;

	(void)state;
	start_behind(128);
	range = begin(&rig, HEARTH_OP_DISCARD, 0, E);
	assert_on_disk(range);
	req = write_of(0, F, 0);
	rig_submit(req);
	rig_run_all(&rig);
	assert_waits(req);
	finish(&rig, range, req);
}

static void what_is_written_back_meanwhile_stays_dirty(void **state)
{
	struct req *flush, *req;

	(void)state;
	start_behind(128);
	req = write_of(0, F, 0);
	rig_submit(req);
	flush = begin(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	assert_int_equal(rig.nr_on_disk, 1);
	req_free(req);
	req = write_of(0, F, 0);
	rig_submit(req);
	assert_done(req);
	rig_finish_disk(rig.on_disk[0]);
	rig_run_all(&rig);
	assert_int_equal(rig_dirty(&rig), 1);
	finish(&rig, flush, req);
}

static void much_that_is_dirty_is_written_back(void **state)
{
	struct req *req;

	(void)state;
	start_behind(64);
	req = write_of(0, 20 * F, 0);
	rig_submit(req);
	assert_done(req);
	rig_run_all(&rig);
	assert_int_not_equal(rig.nr_on_disk, 0);
	finish(&rig, req);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_pages_are_taken_at_once),
		cmocka_unit_test(dirty_frames_are_counted_once),
		cmocka_unit_test(it_ends_where_the_cache_does),
		cmocka_unit_test(only_in_write_back),
		cmocka_unit_test(not_above_the_watermark),
		cmocka_unit_test(only_pages_of_the_frames_node),
		cmocka_unit_test(only_whole_frames),
		cmocka_unit_test(what_is_claimed_is_left_to_a_request),
		cmocka_unit_test(nobody_is_overtaken),
		cmocka_unit_test(a_range_is_waited_for),
		cmocka_unit_test(what_is_written_back_meanwhile_stays_dirty),
		cmocka_unit_test(much_that_is_dirty_is_written_back),
	};

	return run_suite("hit", tests);
}
