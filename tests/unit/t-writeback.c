// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writing back: what is dirty, when it is written, and what a flush waits for.
 */
#include "suite.h"

static struct rig rig;

/* A cache of @nr_frames on one node that writes back, at most @nr_dirty frames. */
static void start_behind(unsigned long nr_frames, u32 nr_dirty)
{
	struct rig_config config = {
		.frames = { nr_frames }, .nr_sectors = 16 * E,
		.mode = HEARTH_WRITEBACK,
		.dirty_bytes = nr_dirty * HEARTH_FRAME_BYTES,
	};

	rig_init(&rig, &config);
}

static int do_flush(u32 sector, u32 nr_sectors)
{
	return rig_do(&rig, HEARTH_OP_FLUSH, sector, nr_sectors);
}

static struct req *begin_fua(u32 sector, u32 nr_sectors)
{
	struct req *req = rig_req(&rig, HEARTH_OP_WRITE, sector, nr_sectors);

	req->io.fua = true;
	rig_submit(req);
	rig_run_all(&rig);
	return req;
}

/* The request for write-back that the disk was given first. */
static struct req *first_clean(void)
{
	unsigned int i;

	for (i = 0; i < rig.nr_on_disk; i++) {
		if (rig.on_disk[i]->io.op == HEARTH_OP_CLEAN)
			return rig.on_disk[i];
	}
	shim_die("nothing is written back");
}

static void a_write_is_done_without_the_disk(void **state)
{
	struct req *req;

	(void)state;
	start_behind(64, 64);
	req = begin(&rig, HEARTH_OP_WRITE, 3, 20);
	assert_done(req);
	assert_int_equal(rig.disk.nr_writes, 0);
	assert_int_equal(rig_dirty(&rig), 3);
	assert_true(rig_hits(&rig, 3, 20));
	do_flush(0, 16 * E);
	assert_int_equal(rig_dirty(&rig), 0);
	assert_int_equal(rig.disk.nr_cleans, 1);
	assert_int_equal(rig.disk.nr_flushes, 1);
	finish(&rig, req);
}

static void a_flush_goes_straight_to_the_disk_if_nothing_is_dirty(void **state)
{
	struct req *req;

	(void)state;
	start_behind(64, 64);
	do_write(&rig, 0, F);
	do_flush(0, 16 * E);
	req = rig_req(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	rig_submit(req);
	assert_on_disk(req);
	finish(&rig, req);
}

static void neighbours_are_written_together_in_order(void **state)
{
	u32 sectors[] = { 5 * E, 3 * E, 4 * E + F, 0, 12 * E };
	unsigned int i;
	struct req *req;

	(void)state;
	start_behind(200, 200);
	for (i = 0; i < ARRAY_SIZE(sectors); i++)
		do_write(&rig, sectors[i], E);
	req = begin(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	/* 0; 3, 4 and 5 as one; 12 */
	assert_int_equal(rig.nr_on_disk, 3);
	assert_int_equal(rig.on_disk[0]->io.first, 0);
	assert_int_equal(rig.on_disk[1]->io.first, 3 * 16);
	assert_int_equal(rig.on_disk[1]->io.nr_slots, 3 * 16);
	assert_int_equal(rig.on_disk[2]->io.first, 12 * 16);
	finish(&rig, req);
}

static void only_dirty_sectors_are_written(void **state)
{
	struct req *req;

	(void)state;
	start_behind(64, 64);
	do_write(&rig, 1, 1);
	do_write(&rig, 4, 2);
	req = begin(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	assert_int_equal(first_clean()->nr_moves, 3);
	finish(&rig, req);
}

static void dirty_frames_are_not_evicted(void **state)
{
	(void)state;
	start_behind(16, 16);
	do_write(&rig, 0, 8 * F);
	assert_int_equal(rig_dirty(&rig), 8);
	do_read(&rig, 4 * E, 16 * F);
	do_read(&rig, 5 * E, 4 * F);
	do_read(&rig, 6 * E, 4 * F);
	assert_int_equal(rig_dirty(&rig), 8);
	assert_true(rig_hits(&rig, 0, 8 * F));
	finish(&rig);
}

static void what_was_written_anew_stays_dirty(void **state)
{
	struct req *flush, *clean;

	(void)state;
	start_behind(64, 64);
	do_write(&rig, 0, 2 * F);
	flush = begin(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	clean = first_clean();
	/* it does not wait for write-back */
	req_free(begin(&rig, HEARTH_OP_WRITE, 2, 3));
	assert_on_disk(clean);
	while (!rig_disk(&rig, 0, 0))
		;
	rig_run_all(&rig);
	assert_int_equal(rig_dirty(&rig), 1);
	finish(&rig, flush);
}

static void other_io_waits_for_write_back(void **state)
{
	struct req *flush, *fill, *fua, *discard;

	(void)state;
	start_behind(64, 64);
	do_write(&rig, 1, 2 * F);
	flush = begin(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	fill = begin(&rig, HEARTH_OP_READ, 0, 1);
	fua = begin_fua(F, 1);
	discard = begin(&rig, HEARTH_OP_DISCARD, 2 * F, F);
	assert_waits(fill);
	assert_waits(fua);
	assert_waits(discard);
	assert_int_equal(rig.nr_on_disk, 1);
	finish(&rig, flush, fill, fua, discard);
}

static void a_flush_waits_for_a_claimed_frame(void **state)
{
	struct req *fill, *flush;

	(void)state;
	start_behind(64, 64);
	do_write(&rig, 1, 1);
	do_write(&rig, 2 * E, 1);
	fill = begin(&rig, HEARTH_OP_READ, 0, 1);
	flush = begin(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	assert_on_disk(fill);
	assert_int_equal(rig.disk.nr_cleans, 1);	/* the other one */
	rig_finish_disk(fill);
	assert_int_equal(rig.disk.nr_cleans, 2);
	finish(&rig, fill, flush);
}

/* In the middle of a run: what is below goes first, the rest follows. */
static void write_back_goes_without_what_is_claimed(void **state)
{
	struct req *fill, *flush;

	(void)state;
	start_behind(64, 64);
	do_write(&rig, 0, E);
	do_write(&rig, E + 1, 1);
	do_write(&rig, 2 * E, F);
	fill = begin(&rig, HEARTH_OP_READ, E, 1);
	flush = begin(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	assert_int_equal(first_clean()->io.nr_slots, 16);
	rig_finish_disk(first_clean());
	assert_int_equal(rig_dirty(&rig), 2);
	finish(&rig, fill, flush);
	assert_int_equal(rig.disk.nr_cleans, 2);
}

static void a_later_flush_waits_for_the_next_pass(void **state)
{
	struct req *first, *second;

	(void)state;
	start_behind(64, 64);
	do_write(&rig, 0, F);
	first = begin(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	req_free(begin(&rig, HEARTH_OP_WRITE, 0, F));
	second = begin(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	assert_int_equal(rig.disk.nr_cleans, 1);
	rig_finish_disk(first_clean());
	assert_on_disk(first);
	assert_int_equal(rig.disk.nr_cleans, 2);
	assert_waits(second);
	finish(&rig, first, second);
}

static void failed_write_back_loses_nothing(void **state)
{
	(void)state;
	start_behind(64, 64);
	do_write(&rig, 0, 10 * F);
	rig.disk.cannot_write[4 * F + 3] = true;
	assert_int_equal(do_flush(0, 16 * E), -EIO);
	assert_int_equal(rig_dirty(&rig), 10);
	/* the next pass is careful */
	assert_int_equal(do_flush(0, 16 * E), -EIO);
	assert_int_equal(rig_dirty(&rig), 1);
	assert_int_equal(do_flush(4 * F, 1), -EIO);
	assert_int_equal(do_flush(5 * F, F), 0);
	assert_true(rig_hits(&rig, 4 * F, F));
	rig.disk.cannot_write[4 * F + 3] = false;
	assert_int_equal(do_flush(0, 16 * E), 0);
	assert_int_equal(rig_dirty(&rig), 0);
	finish(&rig);
}

static void fua_is_on_the_disk_and_clean(void **state)
{
	struct req *req;

	(void)state;
	start_behind(64, 64);
	do_write(&rig, 0, 2 * F);
	req = begin_fua(0, F);
	assert_on_disk(req);
	rig_finish_disk(req);
	assert_done(req);
	assert_int_equal(rig_dirty(&rig), 1);
	finish(&rig, req);
}

static void a_failed_fua_leaves_what_was_dirty(void **state)
{
	struct req *req;

	(void)state;
	start_behind(64, 64);
	do_write(&rig, 2, 2);
	rig.disk.cannot_write[3] = true;
	req = begin_fua(0, F);
	rig_drain(&rig);
	assert_int_equal(req->io.error, -EIO);
	assert_int_equal(rig_dirty(&rig), 1);
	assert_true(rig_hits(&rig, 2, 2));
	assert_false(rig_hits(&rig, 0, 1));
	finish(&rig, req);
}

static void above_the_limit_writes_go_through(void **state)
{
	struct req *req;

	(void)state;
	start_behind(64, 4);
	do_write(&rig, 0, 2 * F);
	assert_int_equal(rig.disk.nr_cleans, 0);
	req_free(begin(&rig, HEARTH_OP_WRITE, E, 2 * F));
	assert_int_equal(rig.disk.nr_cleans, 1);	/* half of it is enough */
	req = begin(&rig, HEARTH_OP_WRITE, 2 * E, F);
	assert_on_disk(req);
	assert_int_equal(rig.disk.nr_writes, 1);
	finish(&rig, req);
}

static void a_read_past_the_cache_sees_what_is_dirty(void **state)
{
	(void)state;
	start_behind(64, 64);
	do_write(&rig, 3, 30);
	do_write(&rig, E + 1, 2);
	/* larger than what the cache takes */
	assert_int_equal(do_read(&rig, 0, 3 * E), 0);
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 1);
	rig.disk.cannot_read[5] = true;
	assert_int_equal(do_read(&rig, 0, 3 * E), 0);
	rig.disk.cannot_read[50] = true;
	assert_int_equal(do_read(&rig, 0, 3 * E), -EIO);
	finish(&rig);
}

static void a_write_past_the_cache_cleans(void **state)
{
	(void)state;
	start_behind(64, 64);
	do_write(&rig, 4, 2 * F);
	do_write(&rig, 0, 3 * E);
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 1);
	assert_int_equal(rig_dirty(&rig), 0);
	do_read(&rig, 0, 4 * F);
	finish(&rig);
}

static void a_discard_takes_dirty_sectors_along(void **state)
{
	(void)state;
	start_behind(64, 64);
	do_write(&rig, 0, 2 * F);
	rig_do(&rig, HEARTH_OP_DISCARD, 4, F);
	assert_int_equal(rig_dirty(&rig), 2);
	do_read(&rig, 0, 2 * F);
	rig_do(&rig, HEARTH_OP_DISCARD, 0, 2 * F);
	assert_int_equal(rig_dirty(&rig), 0);
	do_write(&rig, 0, F);
	rig.disk.fail_in = 1;
	assert_int_equal(rig_do(&rig, HEARTH_OP_DISCARD, 0, F), -EIO);
	assert_int_equal(rig_dirty(&rig), 1);
	do_read(&rig, 0, 2 * F);
	finish(&rig);
}

static void forgetting_drops_everything_without_io(void **state)
{
	u32 i;

	(void)state;
	start_behind(64, 64);
	do_write(&rig, 0, 2 * F);
	rig_do(&rig, HEARTH_OP_FORGET, 0, 16 * E);
	assert_int_equal(rig_dirty(&rig), 0);
	assert_false(rig_hits(&rig, 0, 1));
	assert_int_equal(rig.disk.nr_writes + rig.disk.nr_cleans, 0);
	for (i = 0; i < 2 * F; i++)	/* the LUN is what the disk is again */
		oracle_change(&rig.oracle, i, rig.disk.values[i]);
	do_read(&rig, 0, 2 * F);
	finish(&rig);
}

static void write_back_needs_no_memory(void **state)
{
	(void)state;
	start_behind(64, 64);
	do_write(&rig, 0, 16 * F);
	do_write(&rig, 3 * E, 14 * F);
	shim_fail_in = 1;
	shim_fail_every = 1;
	assert_int_equal(do_flush(0, 16 * E), 0);
	shim_fail_in = 0;
	assert_int_equal(rig_dirty(&rig), 0);
	assert_true(rig.disk.nr_cleans >= 30 / HEARTH_INLINE_SLOTS);
	finish(&rig);
}

static void each_node_writes_back_its_part(void **state)
{
	struct rig_config config = {
		.nr_nodes = 2, .frames = { 64, 64 }, .nr_sectors = 16 * E,
		.mode = HEARTH_WRITEBACK, .home = HEARTH_HOME_STRIPE,
		.dirty_bytes = 128 * HEARTH_FRAME_BYTES,
	};
	struct req *flush;

	(void)state;
	rig_init(&rig, &config);
	do_write(&rig, 0, E);
	do_write(&rig, E, E);
	assert_int_equal(hearth_cache_dirty(rig.cache, 0), 16);
	assert_int_equal(hearth_cache_dirty(rig.cache, 1), 16);
	flush = begin(&rig, HEARTH_OP_FLUSH, 0, 0);
	assert_int_equal(rig.nr_on_disk, 2);
	assert_int_equal(rig.on_disk[0]->io.nid, 0);
	assert_int_equal(rig.on_disk[1]->io.nid, 1);
	finish(&rig, flush);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_is_done_without_the_disk),
		cmocka_unit_test(a_flush_goes_straight_to_the_disk_if_nothing_is_dirty),
		cmocka_unit_test(neighbours_are_written_together_in_order),
		cmocka_unit_test(only_dirty_sectors_are_written),
		cmocka_unit_test(dirty_frames_are_not_evicted),
		cmocka_unit_test(what_was_written_anew_stays_dirty),
		cmocka_unit_test(other_io_waits_for_write_back),
		cmocka_unit_test(a_flush_waits_for_a_claimed_frame),
		cmocka_unit_test(write_back_goes_without_what_is_claimed),
		cmocka_unit_test(a_later_flush_waits_for_the_next_pass),
		cmocka_unit_test(failed_write_back_loses_nothing),
		cmocka_unit_test(fua_is_on_the_disk_and_clean),
		cmocka_unit_test(a_failed_fua_leaves_what_was_dirty),
		cmocka_unit_test(above_the_limit_writes_go_through),
		cmocka_unit_test(a_read_past_the_cache_sees_what_is_dirty),
		cmocka_unit_test(a_write_past_the_cache_cleans),
		cmocka_unit_test(a_discard_takes_dirty_sectors_along),
		cmocka_unit_test(forgetting_drops_everything_without_io),
		cmocka_unit_test(write_back_needs_no_memory),
		cmocka_unit_test(each_node_writes_back_its_part),
	};

	return run_suite("writeback", tests);
}
