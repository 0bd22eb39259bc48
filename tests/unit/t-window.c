// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Windows: prepared pages become the LUN's contents by a write that copies nothing.
 */
#include "suite.h"

static struct rig rig;

static void start_mode(enum hearth_mode mode)
{
	struct rig_config config = {
		.nr_nodes = 2, .frames = { 96, 96 }, .nr_sectors = 16 * E,
		.mode = mode, .dirty_bytes = 1 << 20,
	};

	rig_init(&rig, &config);
}

static struct page *prepare(u64 frame)
{
	assert_int_equal(windows_prepare(&rig, frame, 1), 0);
	return windows_page(frame);
}

static int commit(u64 frame, unsigned int nr)
{
	struct req *req = windows_req(&rig, frame, nr);
	int error;

	rig_submit(req);
	rig_drain(&rig);
	error = req->io.error;
	req_free(req);
	return error;
}

static struct hearth_frame *frame_at(u64 frame_nr)
{
	struct hearth_extent *ext;
	struct hearth_frame *frame = NULL;

	rcu_read_lock();
	ext = hearth_extent_find(rig.cache, frame_nr / HEARTH_EXTENT_FRAMES);
	if (ext)
		frame = ext->frames[frame_nr % HEARTH_EXTENT_FRAMES];
	rcu_read_unlock();
	return frame && frame->valid ? frame : NULL;
}

static u64 copied(void)
{
	return rig_count(&rig, HEARTH_LOCAL_BYTES) +
	       rig_count(&rig, HEARTH_REMOTE_BYTES);
}

static long nr_shown(void)
{
	return atomic_long_read(&rig.cache->nr_shown);
}

/* In each mode, over nothing and over what is there. */
static void an_unseen_page_becomes_the_frames(void **state)
{
	enum hearth_mode mode;
	struct page *page;
	unsigned int over;
	u64 before;

	(void)state;
	for (mode = 0; mode <= HEARTH_WRITEBACK; mode++) {
		for (over = 0; over < 2; over++) {
			start_mode(mode);
			if (over)
				do_read(&rig, 2 * F, F);
			page = prepare(2);
			assert_int_equal(nr_shown(), 1);
			before = copied();
			assert_int_equal(commit(2, 1), 0);
			assert_int_equal(copied(), before);
			assert_int_equal(nr_shown(), 0);
			assert_int_equal(rig_dirty(&rig),
					 mode == HEARTH_WRITEBACK);
			assert_int_equal(rig.disk.nr_writes,
					 mode != HEARTH_WRITEBACK);
			if (mode == HEARTH_WRITEAROUND)
				assert_null(frame_at(2));
			else
				assert_ptr_equal(frame_at(2)->page, page);
			do_read(&rig, 0, E);
			rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
			assert_int_equal(rig_dirty(&rig), 0);
			finish(&rig);
		}
	}
}

/* It is seen before, so it may be stored into, and is written once more. */
static void a_seen_page_is_shown_from_then_on(void **state)
{
	enum hearth_mode mode;
	struct page *page;
	unsigned int i;
	u64 before;

	(void)state;
	for (mode = 0; mode <= HEARTH_WRITEBACK; mode++) {
		for (i = 0; i < 4; i++) {
			start_mode(mode);
			if (i & 1)
				do_read(&rig, 2 * F, F);
			WRITE_ONCE(rig.cache->paused, i & 2);
			page = prepare(2);
			windows_see(2);
			before = copied();
			assert_int_equal(commit(2, 1), 0);
			assert_int_equal(copied(), before);
			assert_int_equal(nr_shown(), 1);
			assert_int_equal(rig_dirty(&rig), 1);
			assert_int_equal(rig.disk.nr_writes,
					 mode != HEARTH_WRITEBACK || i & 2);
			assert_ptr_equal(frame_at(2)->page, page);
			assert_int_equal(page_private(page),
					 HEARTH_SHOWN | HEARTH_STORED);
			/* whoever writes, writes into it */
			do_write(&rig, 2 * F + 3, 2);
			assert_ptr_equal(frame_at(2)->page, page);
			rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
			assert_int_equal(rig_dirty(&rig), 1);
			seen_drop_all();
			assert_int_equal(hearth_show_sweep(rig.cache), 0);
			rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
			assert_int_equal(rig_dirty(&rig), 0);
			WRITE_ONCE(rig.cache->paused, false);
			do_read(&rig, 0, E);
			finish(&rig);
		}
	}
}

static void others_see_the_luns_own_until_then(void **state)
{
	struct page *page;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	page = prepare(2);
	do_read(&rig, 0, E);
	do_write(&rig, 2 * F + 1, 2);
	assert_ptr_not_equal(frame_at(2)->page, page);
	do_read(&rig, 0, E);
	hearth_cache_drop(rig.cache);
	rig_do(&rig, HEARTH_OP_DISCARD, 0, 2 * E);
	assert_ptr_equal(windows_page(2), page);
	assert_int_equal(commit(2, 1), 0);
	do_read(&rig, 0, E);
	finish(&rig);
}

static void what_others_see_stays_their_page(void **state)
{
	struct page *page;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	assert_int_equal(rig_do(&rig, HEARTH_OP_SHOW, 2 * F, F), 0);
	seen_add(&rig, 2, true);
	page = frame_at(2)->page;
	prepare(2);
	windows_see(2);
	assert_int_equal(commit(2, 1), 0);
	assert_ptr_equal(frame_at(2)->page, page);
	assert_int_equal(nr_shown(), 1);
	do_read(&rig, 0, E);
	finish(&rig);
}

/* A mark that no sweep has taken off yet is nobody's. */
static void what_nobody_sees_any_more_is_replaced(void **state)
{
	struct page *page;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	assert_int_equal(rig_do(&rig, HEARTH_OP_SHOW, 2 * F, F), 0);
	seen_add(&rig, 2, true);
	seen_drop_all();
	assert_int_equal(nr_shown(), 1);
	page = prepare(2);
	windows_see(2);
	assert_int_equal(commit(2, 1), 0);
	assert_ptr_equal(frame_at(2)->page, page);
	assert_int_equal(nr_shown(), 1);
	do_read(&rig, 0, E);
	finish(&rig);
}

static void a_frame_stays_on_its_node(void **state)
{
	struct page *page;

	(void)state;
	start_mode(HEARTH_WRITEBACK);
	page = prepare(2);
	prepare(3);
	assert_int_equal(page_to_nid(page), 0);
	shim_nid = 1;
	do_write(&rig, 2 * F, F);
	do_write(&rig, 20 * F, F);
	assert_int_equal(page_to_nid(prepare(4)), 1);
	shim_nid = 0;
	if (frame_at(2)->nid == 1) {
		assert_int_equal(commit(2, 2), 0);
		assert_int_equal(frame_at(2)->nid, 1);
		assert_int_equal(frame_at(3)->nid, 0);
	}
	/* what is there decides */
	assert_int_equal(page_to_nid(prepare(20)), frame_at(20)->nid);
	WRITE_ONCE(rig.cache->home, HEARTH_HOME_STRIPE);
	assert_int_equal(page_to_nid(prepare(5 * 16)),
			 hearth_cache_shard(rig.cache, 5 * HEARTH_EXTENT_BYTES));
	do_read(&rig, 0, E);
	finish(&rig);
}

static void a_failed_commit_leaves_it_prepared(void **state)
{
	unsigned int seen;

	(void)state;
	for (seen = 0; seen < 2; seen++) {
		start_mode(HEARTH_WRITETHROUGH);
		do_read(&rig, 0, E);
		assert_int_equal(windows_prepare(&rig, 2, 3), 0);
		if (seen)
			windows_see(3);
		rig.disk.cannot_write[3 * F + 2] = true;
		assert_int_equal(commit(2, 3), -EIO);
		assert_non_null(windows_page(2));
		assert_int_equal(nr_shown(), 3);
		do_read(&rig, 0, E);
		rig.disk.cannot_write[3 * F + 2] = false;
		assert_int_equal(commit(2, 3), 0);
		do_read(&rig, 0, E);
		finish(&rig);
	}
}

static void what_is_durable_is_on_the_medium(void **state)
{
	struct req *req;

	(void)state;
	start_mode(HEARTH_WRITEBACK);
	prepare(2);
	req = windows_req(&rig, 2, 1);
	req->io.fua = true;
	rig_submit(req);
	rig_drain(&rig);
	assert_int_equal(rig.disk.medium[2 * F].value,
			 sector_value(req->tag, 2 * F));
	assert_int_equal(rig_dirty(&rig), 0);
	finish(&rig, req);
}

/* Written past the cache, and not there to be written again. */
static void what_a_failed_flush_loses_is_told(void **state)
{
	(void)state;
	start_mode(HEARTH_WRITEAROUND);
	prepare(2);
	assert_int_equal(commit(2, 1), 0);
	rig.disk.fail_in = 1;
	assert_int_equal(rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E), -EIO);
	assert_true(hearth_cache_is_lost(rig.cache));
	hearth_cache_accept_loss(rig.cache);
	disk_accept_loss(&rig.disk);
	finish(&rig);
}

static void above_the_watermark_it_is_written_through(void **state)
{
	(void)state;
	start_mode(HEARTH_WRITEBACK);
	hearth_cache_set_dirty(rig.cache, 0);
	prepare(2);
	assert_int_equal(commit(2, 1), 0);
	assert_int_equal(rig.disk.nr_writes, 1);
	assert_int_equal(rig_dirty(&rig), 0);
	assert_non_null(frame_at(2));
	finish(&rig);
}

static void it_is_in_order_with_others(void **state)
{
	struct req *write, *req, *range;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	assert_int_equal(windows_prepare(&rig, 2, 2), 0);
	write = begin(&rig, HEARTH_OP_WRITE, 2 * F, F);
	assert_on_disk(write);
	req = windows_req(&rig, 2, 2);
	rig_submit(req);
	rig_run_all(&rig);
	assert_waits(req);
	range = begin(&rig, HEARTH_OP_DISCARD, 0, E);
	assert_waits(range);
	rig_finish_disk(write);
	assert_on_disk(range);
	assert_waits(req);
	rig_drain(&rig);
	assert_done(req);
	do_read(&rig, 0, E);
	finish(&rig, write, req, range);
}

/* A commit while the frame's old contents are on their way to the device. */
static void it_replaces_what_is_being_written_back(void **state)
{
	struct req *flush, *req;

	(void)state;
	start_mode(HEARTH_WRITEBACK);
	do_write(&rig, 2 * F, F);
	prepare(2);
	flush = begin(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	assert_int_equal(rig.nr_on_disk, 1);
	assert_int_equal(rig_dirty(&rig), 1);
	req = windows_req(&rig, 2, 1);
	rig_submit(req);
	assert_done(req);
	rig_drain(&rig);
	assert_int_equal(rig_dirty(&rig), 1);
	rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	assert_int_equal(rig_dirty(&rig), 0);
	do_read(&rig, 0, E);
	finish(&rig, flush, req);
}

static void the_luns_last_page_may_be_a_part_of_one(void **state)
{
	struct rig_config config = {
		.frames = { 64 }, .nr_sectors = E + 3,
	};
	struct page *page;
	u64 before;

	(void)state;
	rig_init(&rig, &config);
	page = prepare(16);
	windows_see(16);
	before = copied();
	assert_int_equal(commit(16, 1), 0);
	assert_int_equal(copied(), before);
	assert_ptr_equal(frame_at(16)->page, page);
	assert_int_equal(frame_at(16)->valid, 7);
	do_read(&rig, E, 3);
	finish(&rig);
}

static void no_more_is_prepared_than_may_be_shown(void **state)
{
	unsigned long max, nr;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	max = hearth_show_max(rig.cache);
	for (nr = 0; nr + 16 <= max - 8; nr += 16)
		assert_int_equal(rig_do(&rig, HEARTH_OP_SHOW, nr * F, E), 0);
	nr = max - nr_shown();
	assert_in_range(nr, 1, 23);
	assert_int_equal(windows_prepare(&rig, 200, nr + 1), -ENOSPC);
	assert_int_equal(windows_prepare(&rig, 200, nr), 0);
	assert_int_equal(windows_prepare(&rig, 100, 1), -ENOSPC);
	assert_int_equal(rig_do(&rig, HEARTH_OP_SHOW, 100 * F, F), -ENOSPC);
	windows_drop_all(&rig);
	assert_int_equal(hearth_show_sweep(rig.cache), 0);
	finish(&rig);
}

static void it_makes_room_and_gives_it_back(void **state)
{
	struct page *page;
	u32 i;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	for (i = 0; i < 16; i++)
		do_read(&rig, i * E, E);
	assert_int_equal(windows_prepare(&rig, 100, 20), 0);
	windows_see(101);
	page = windows_page(101);
	get_page(page);
	windows_drop_all(&rig);
	assert_int_equal(nr_shown(), 0);
	assert_int_equal(page_private(page), 0);
	rig_drain(&rig);
	put_page(page);
	finish(&rig);
}

/* Of somewhere else nothing is ever seen. */
static void pages_are_clear_or_the_luns_own(void **state)
{
	struct page *page;
	unsigned int i;

	(void)state;
	shim_clears = true;
	start_mode(HEARTH_WRITETHROUGH);
	page = prepare(2);
	for (i = 0; i < F; i++)
		assert_int_equal(sector_read(page->data + i * SECTOR_BYTES), 0);
	windows_drop_all(&rig);
	/* a page from outside that the device could fill only in part */
	rig.disk.cannot_read[5 * F + 3] = true;
	for (i = 0; i < 2; i++) {
		struct req *req = rig_req(&rig, HEARTH_OP_READ, 5 * F, F);

		req_set_pages(req, 0);
		rig_submit(req);
		rig_drain(&rig);
		assert_int_equal(req->io.error, -EIO);
		req_free(req);
	}
	if (frame_at(5))
		assert_int_equal(sector_read(frame_at(5)->page->data +
					     3 * SECTOR_BYTES), 0);
	shim_clears = false;
	finish(&rig);
}

/* Whatever allocation fails, it is either committed or still prepared. */
static void every_allocation_may_fail(void **state)
{
	long nth;
	bool done = false;
	int error;

	(void)state;
	for (nth = 1; !done; nth++) {
		start_mode(HEARTH_WRITETHROUGH);
		do_read(&rig, 0, 2 * F);
		shim_fail_in = nth;
		error = windows_prepare(&rig, 0, 6);
		if (!error) {
			windows_see(1);
			windows_see(3);
			error = commit(0, 6);
		}
		done = shim_fail_in;
		shim_fail_in = 0;
		assert_true(!error || error == -ENOMEM);
		assert_int_equal(!!windows_page(3), error && nr_shown());
		do_read(&rig, 0, E);
		if (windows_page(3))
			assert_int_equal(commit(0, 6), 0);
		windows_drop_all(&rig);
		seen_drop_all();
		assert_int_equal(hearth_show_sweep(rig.cache), 0);
		assert_true(list_empty(&rig.cache->shown));
		rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
		finish(&rig);
	}
	assert_true(nth > 8);
}

/* Also of the device, at each sector. */
static void every_write_may_fail(void **state)
{
	u32 bad;

	(void)state;
	for (bad = 0; bad < 3 * F; bad++) {
		start_mode(bad % 2 ? HEARTH_WRITEAROUND : HEARTH_WRITETHROUGH);
		do_write(&rig, F, F);
		assert_int_equal(windows_prepare(&rig, 0, 3), 0);
		windows_see(bad % 3);
		rig.disk.cannot_write[bad] = true;
		assert_int_equal(commit(0, 3), -EIO);
		do_read(&rig, 0, E);
		rig.disk.cannot_write[bad] = false;
		assert_int_equal(commit(0, 3), 0);
		do_read(&rig, 0, E);
		seen_drop_all();
		hearth_show_sweep(rig.cache);
		rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
		finish(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unseen_page_becomes_the_frames),
		cmocka_unit_test(a_seen_page_is_shown_from_then_on),
		cmocka_unit_test(others_see_the_luns_own_until_then),
		cmocka_unit_test(what_others_see_stays_their_page),
		cmocka_unit_test(what_nobody_sees_any_more_is_replaced),
		cmocka_unit_test(a_frame_stays_on_its_node),
		cmocka_unit_test(a_failed_commit_leaves_it_prepared),
		cmocka_unit_test(what_is_durable_is_on_the_medium),
		cmocka_unit_test(what_a_failed_flush_loses_is_told),
		cmocka_unit_test(above_the_watermark_it_is_written_through),
		cmocka_unit_test(it_is_in_order_with_others),
		cmocka_unit_test(it_replaces_what_is_being_written_back),
		cmocka_unit_test(the_luns_last_page_may_be_a_part_of_one),
		cmocka_unit_test(no_more_is_prepared_than_may_be_shown),
		cmocka_unit_test(it_makes_room_and_gives_it_back),
		cmocka_unit_test(pages_are_clear_or_the_luns_own),
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(every_write_may_fail),
	};

	return run_suite("window", tests);
}
