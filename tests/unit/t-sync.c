// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Flushes of the device that fail, and what is made of them: no flush succeeds
 * unless the medium holds what was acknowledged.  The oracle looks at the medium
 * whenever a flush succeeds.
 */
#include "suite.h"
#include "sync.h"

static struct rig rig;

static void start_mode(enum hearth_mode mode)
{
	struct rig_config config = {
		.frames = { 64 }, .nr_sectors = 16 * E, .mode = mode,
		.dirty_bytes = mode == HEARTH_WRITEBACK ?
			       64 * HEARTH_FRAME_BYTES : 0,
	};

	rig_init(&rig, &config);
}

static int do_flush(void)
{
	return rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
}

static struct req *begin_flush(void)
{
	return begin(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
}

/* A flush that comes to the device, which fails. */
static void fail_flush(void)
{
	struct req *flush = begin_flush();

	while (flush->state != REQ_ON_DISK)
		rig_finish_disk(rig.on_disk[0]);
	flush->disk_error = -EIO;
	rig_finish_disk(flush);
	assert_done(flush);
	assert_int_equal(flush->io.error, -EIO);
	req_free(flush);
}

static void what_was_written_back_is_written_again(void **state)
{
	(void)state;
	start_mode(HEARTH_WRITEBACK);
	do_write(&rig, 0, 3 * F);
	fail_flush();
	assert_int_equal(rig_dirty(&rig), 3);
	assert_int_equal(hearth_cache_sync_error(rig.cache), -EIO);
	assert_false(hearth_cache_is_lost(rig.cache));
	assert_int_equal(do_flush(), 0);
	assert_int_equal(rig.disk.nr_cleans, 2);
	assert_int_equal(rig_dirty(&rig), 0);
	assert_int_equal(hearth_cache_sync_error(rig.cache), 0);
	finish(&rig);
}

static void what_was_written_through_is_written_again(void **state)
{
	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	do_write(&rig, 0, 3 * F);
	do_read(&rig, E, F);
	fail_flush();
	assert_int_equal(rig_dirty(&rig), 3);	/* not what was only read */
	assert_int_equal(do_flush(), 0);
	assert_int_equal(rig.disk.nr_cleans, 1);
	finish(&rig);
}

static void what_was_flushed_before_is_left_alone(void **state)
{
	(void)state;
	start_mode(HEARTH_WRITEBACK);
	do_write(&rig, 0, 3 * F);
	assert_int_equal(do_flush(), 0);
	do_write(&rig, 2 * E, F);
	fail_flush();
	assert_int_equal(rig_dirty(&rig), 1);
	assert_int_equal(do_flush(), 0);
	finish(&rig);
}

/* What is acknowledged while the flush is on its way is not covered by it. */
static void a_flush_covers_what_came_before_it(void **state)
{
	struct req *flush, *write;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	do_write(&rig, 0, F);
	flush = begin_flush();
	assert_on_disk(flush);
	write = begin(&rig, HEARTH_OP_WRITE, E, F);
	rig_finish_disk(write);
	rig_finish_disk(flush);
	fail_flush();
	assert_int_equal(rig_dirty(&rig), 1);
	assert_int_equal(do_flush(), 0);
	finish(&rig, flush, write);
}

static void what_is_being_written_is_written_again(void **state)
{
	struct req *flush, *write;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	flush = begin_flush();
	write = begin(&rig, HEARTH_OP_WRITE, 0, 2 * F);
	assert_on_disk(write);
	/* it is on the device, which loses it before we know */
	while (write->nr_moves)
		disk_step(&rig.disk, write, 0);
	flush->disk_error = -EIO;
	rig_finish_disk(flush);
	assert_int_equal(rig_dirty(&rig), 0);
	rig_finish_disk(write);
	assert_int_equal(write->io.error, 0);
	assert_int_equal(rig_dirty(&rig), 2);
	assert_int_equal(do_flush(), 0);
	finish(&rig, flush, write);
}

static void what_is_being_written_back_is_written_again(void **state)
{
	struct req *flush, *clean;

	(void)state;
	start_mode(HEARTH_WRITEBACK);
	flush = begin_flush();
	req_free(begin(&rig, HEARTH_OP_WRITE, 0, F));
	hearth_flush_start(rig.cache);
	rig_run_all(&rig);
	clean = rig.on_disk[rig.nr_on_disk - 1];
	assert_int_equal(clean->io.op, HEARTH_OP_CLEAN);
	while (clean->nr_moves)
		disk_step(&rig.disk, clean, 0);
	flush->disk_error = -EIO;
	rig_finish_disk(flush);
	rig_finish_disk(clean);
	assert_int_equal(rig_dirty(&rig), 1);
	assert_int_equal(do_flush(), 0);
	finish(&rig, flush);
}

/* To another node: it is dirty where it was. */
static void what_is_being_moved_stays(void **state)
{
	struct rig_config config = {
		.nr_nodes = 2, .frames = { 64, 64 }, .nr_sectors = 16 * E,
	};
	struct hearth_io *move;
	struct req *flush;

	(void)state;
	rig_init(&rig, &config);
	do_write(&rig, 0, 2 * F);
	flush = begin_flush();
	shim_nid = 1;
	move = hearth_rehome_alloc(rig.cache, 0);
	assert_non_null(move);
	hearth_io_submit(move);
	assert_int_equal(rig.nr_runnable, 1);
	shim_nid = 0;
	while (!rig_disk(&rig, 0, 0))
		;
	rig_drain(&rig);
	req_free(flush);
	assert_int_equal(rig_count(&rig, HEARTH_REHOMED), 2);

	do_write(&rig, 0, 2 * F);
	flush = begin_flush();
	move = hearth_rehome_alloc(rig.cache, 0);
	assert_non_null(move);
	hearth_io_submit(move);
	flush->disk_error = -EIO;
	while (!rig_disk(&rig, 0, 0))
		;
	rig_run(&rig, rig.nr_runnable - 1);	/* the flush */
	assert_int_equal(rig_dirty(&rig), 2);
	rig_run_all(&rig);
	assert_int_equal(rig_dirty(&rig), 2);
	assert_int_equal(rig_count(&rig, HEARTH_REHOMED), 2);
	assert_int_equal(do_flush(), 0);
	finish(&rig, flush);
}

static void flushes_share_rounds(void **state)
{
	struct req *flushes[5];
	unsigned int i;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	for (i = 0; i < 5; i++)
		flushes[i] = begin_flush();
	assert_int_equal(rig.disk.nr_flushes, 1);
	rig_finish_disk(flushes[0]);
	assert_done(flushes[0]);
	assert_int_equal(rig.disk.nr_flushes, 2);
	assert_waits(flushes[4]);
	rig_finish_disk(flushes[1]);
	for (i = 0; i < 5; i++)
		assert_done(flushes[i]);
	assert_int_equal(rig.disk.nr_flushes, 2);
	finish(&rig, flushes[0], flushes[1], flushes[2], flushes[3],
	       flushes[4]);
}

static void who_shares_a_round_shares_its_failure(void **state)
{
	struct req *first, *second, *third, *late, *write;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	first = begin_flush();
	write = begin(&rig, HEARTH_OP_WRITE, 0, F);
	rig_finish_disk(write);
	second = begin_flush();
	third = begin_flush();
	rig_finish_disk(first);
	late = begin_flush();
	second->disk_error = -EIO;
	rig_finish_disk(second);
	assert_int_equal(second->io.error, -EIO);
	assert_done(third);
	assert_int_equal(third->io.error, -EIO);
	/* who came later has it written first */
	assert_waits(late);
	assert_int_equal(rig.disk.nr_cleans, 1);
	rig_drain(&rig);
	assert_int_equal(late->io.error, 0);
	finish(&rig, first, second, third, late, write);
}

/* Each of these leaves something at risk that the cache cannot write again. */
static void evict(void)
{
	u32 sector;

	do_write(&rig, 0, F);
	for (sector = E; sector < 16 * E; sector += 8 * F)
		do_read(&rig, sector, 8 * F);
	assert_false(rig_hits(&rig, 0, 1));
}

static void drop(void)
{
	do_write(&rig, 0, F);
	hearth_cache_drop(rig.cache);
}

static void drop_part(void)
{
	do_write(&rig, 0, F);
	rig_do(&rig, HEARTH_OP_ALONE, 0, F);
}

static void write_past(void)
{
	do_write(&rig, 0, 4 * E);
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 1);
}

static void discard(void)
{
	rig_do(&rig, HEARTH_OP_DISCARD, 0, F);
}

static void write_same(void)
{
	rig_do(&rig, HEARTH_OP_WRITE_SAME, 0, F);
}

static void shrink(void)
{
	do_write(&rig, 0, F);
	hearth_cache_shrink(rig.cache, 0, 64);
}

static void what_escaped_is_lost(void **state)
{
	static void (* const escapes[])(void) = {
		evict, drop, drop_part, write_past, discard, write_same, shrink
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(escapes); i++) {
		start_mode(HEARTH_WRITETHROUGH);
		escapes[i]();
		fail_flush();
		assert_true(hearth_cache_is_lost(rig.cache));
		/* and stays so, whatever the device says */
		assert_int_equal(do_flush(), -EIO);
		assert_int_equal(do_flush(), -EIO);
		do_write(&rig, 5 * E, F);
		assert_int_equal(do_flush(), -EIO);
		assert_int_equal(rig_dirty(&rig), 0);
		hearth_cache_accept_loss(rig.cache);
		disk_accept_loss(&rig.disk);
		assert_int_equal(do_flush(), 0);
		finish(&rig);
	}
}

/* The same, but flushed before the flush that fails. */
static void what_was_flushed_cannot_escape(void **state)
{
	static void (* const escapes[])(void) = {
		evict, drop, drop_part, write_past, discard, write_same, shrink
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(escapes); i++) {
		start_mode(HEARTH_WRITETHROUGH);
		escapes[i]();
		assert_int_equal(do_flush(), 0);
		fail_flush();
		assert_false(hearth_cache_is_lost(rig.cache));
		assert_int_equal(do_flush(), 0);
		finish(&rig);
	}
}

static void fua_is_not_at_risk(void **state)
{
	struct req *req;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	req = rig_req(&rig, HEARTH_OP_WRITE, 0, F);
	req->io.fua = true;
	rig_submit(req);
	rig_drain(&rig);
	hearth_cache_drop(rig.cache);
	fail_flush();
	assert_false(hearth_cache_is_lost(rig.cache));
	finish(&rig, req);
}

/* A change past the cache that was under way: nobody can tell. */
static void what_is_under_way_past_the_cache_is_lost(void **state)
{
	struct req *flush, *write;

	(void)state;
	start_mode(HEARTH_WRITEAROUND);
	flush = begin_flush();
	write = begin(&rig, HEARTH_OP_WRITE, 0, F);
	while (write->nr_moves)
		disk_step(&rig.disk, write, 0);
	flush->disk_error = -EIO;
	rig_finish_disk(flush);
	assert_false(hearth_cache_is_lost(rig.cache));
	rig_finish_disk(write);
	assert_true(hearth_cache_is_lost(rig.cache));
	assert_int_equal(do_flush(), -EIO);
	finish(&rig, flush, write);
}

/* As if the device had been away. */
static void a_device_that_came_back_gets_it_again(void **state)
{
	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	do_write(&rig, 0, 2 * F);
	assert_int_equal(do_flush(), 0);
	do_write(&rig, E, F);
	hearth_sync_distrust(rig.cache);
	assert_int_equal(rig_dirty(&rig), 1);
	rig_do(&rig, HEARTH_OP_ALONE, 0, 16 * E);
	assert_int_equal(rig_dirty(&rig), 1);
	assert_int_equal(do_flush(), 0);
	finish(&rig);
}

/* The count of rounds wraps and goes on. */
static void epochs_wrap(void **state)
{
	unsigned int i;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	rig.cache->sync.epoch = U32_MAX - 1;
	rig.cache->sync.settled = U32_MAX - 2;
	rig.cache->sync.escaped = U32_MAX - 2;
	for (i = 0; i < 5; i++) {
		do_write(&rig, i * E, F);
		fail_flush();
		assert_int_equal(rig_dirty(&rig), 1);
		assert_int_equal(do_flush(), 0);
	}
	do_write(&rig, 0, F);
	hearth_cache_drop(rig.cache);
	fail_flush();
	assert_true(hearth_cache_is_lost(rig.cache));
	finish(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_back_is_written_again),
		cmocka_unit_test(what_was_written_through_is_written_again),
		cmocka_unit_test(what_was_flushed_before_is_left_alone),
		cmocka_unit_test(a_flush_covers_what_came_before_it),
		cmocka_unit_test(what_is_being_written_is_written_again),
		cmocka_unit_test(what_is_being_written_back_is_written_again),
		cmocka_unit_test(what_is_being_moved_stays),
		cmocka_unit_test(flushes_share_rounds),
		cmocka_unit_test(who_shares_a_round_shares_its_failure),
		cmocka_unit_test(what_escaped_is_lost),
		cmocka_unit_test(what_was_flushed_cannot_escape),
		cmocka_unit_test(fua_is_not_at_risk),
		cmocka_unit_test(what_is_under_way_past_the_cache_is_lost),
		cmocka_unit_test(a_device_that_came_back_gets_it_again),
		cmocka_unit_test(epochs_wrap),
	};

	return run_suite("sync", tests);
}
