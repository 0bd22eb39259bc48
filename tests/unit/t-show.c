// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames that a process may see: one page for each block for as long as anybody has it.
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

static int show(u32 sector, u32 nr)
{
	return rig_do(&rig, HEARTH_OP_SHOW, sector, nr);
}

static struct page *see(u64 frame, bool may_store)
{
	return hearth_show_get_page(rig.cache, frame, may_store);
}

static struct page *show_and_see(u64 frame, bool may_store)
{
	struct page *page;

	assert_int_equal(show(frame * F, F), 0);
	page = see(frame, may_store);
	assert_non_null(page);
	return page;
}

/* A process lets go of a page. */
static void unsee(struct page *page, unsigned long nr_left)
{
	put_page(page);
	assert_int_equal(hearth_show_sweep(rig.cache), nr_left);
}

static u64 seen(struct page *page, u32 sector)
{
	return sector_read(page->data + sector * SECTOR_BYTES);
}

/* Whether sectors of a page are what the LUN holds. */
static void assert_true_page(struct page *page, u64 frame)
{
	u32 i;

	for (i = 0; i < F; i++)
		assert_int_equal(seen(page, i), rig_peek(&rig, frame * F + i));
}

static void what_is_missing_is_read(void **state)
{
	struct page *page;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	assert_null(see(3, false));
	do_write(&rig, 3 * F + 1, 2);
	page = show_and_see(3, false);
	assert_true_page(page, 3);
	assert_null(see(4, false));
	assert_int_equal(atomic_long_read(&rig.cache->nr_shown), 1);
	unsee(page, 0);
	assert_null(see(3, false));
	finish(&rig);
}

static void a_page_that_others_have_is_replaced(void **state)
{
	struct req *req;
	struct page *page;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	do_read(&rig, 0, F);
	req = rig_req(&rig, HEARTH_OP_READ, 0, F);
	req_set_pages(req, 0);
	rig_submit(req);
	assert_done(req);
	page = show_and_see(0, true);
	assert_ptr_not_equal(page, req->sg[0].page);
	assert_true_page(page, 0);
	memset(page->data, 0x5a, 8);
	assert_int_equal(req_value(req, 0), rig.disk.values[0]);
	do_write(&rig, 0, F);
	unsee(page, 0);
	finish(&rig, req);
}

static void it_is_not_given_away(void **state)
{
	struct req *req;
	struct page *page;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	page = show_and_see(5, false);
	req = rig_req(&rig, HEARTH_OP_READ, 4 * F, 3 * F);
	req_set_pages(req, 0);
	rig_submit(req);
	rig_drain(&rig);
	assert_ptr_not_equal(req->sg[1].page, page);
	req_free(req);
	/* now a hit */
	req = rig_req(&rig, HEARTH_OP_READ, 4 * F, 3 * F);
	req_set_pages(req, 0);
	rig_submit(req);
	assert_done(req);
	assert_ptr_not_equal(req->sg[1].page, page);
	unsee(page, 0);
	req_free(req);
	req = rig_req(&rig, HEARTH_OP_READ, 4 * F, 3 * F);
	req_set_pages(req, 0);
	rig_submit(req);
	assert_ptr_equal(req->sg[1].page, page);
	finish(&rig, req);
}

/* Nor by those who copy at home. */
static void it_is_not_given_away_at_home(void **state)
{
	struct req *req;
	struct page *page;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	hearth_cache_set_dispatch(rig.cache, HEARTH_DISPATCH_HOME);
	page = show_and_see(5, false);
	req = rig_req(&rig, HEARTH_OP_READ, 4 * F, 3 * F);
	req_set_pages(req, 1);
	req->no_hits = true;
	rig_submit(req);
	rig_drain(&rig);
	assert_ptr_not_equal(req->sg[1].page, page);
	unsee(page, 0);
	finish(&rig, req);
}

/* In every mode, by every way: through the cache, past it, whole and in part. */
static void what_is_written_shows(void **state)
{
	static const enum hearth_op ops[] = {
		HEARTH_OP_WRITE, HEARTH_OP_WRITE_SAME, HEARTH_OP_DISCARD
	};
	enum hearth_mode mode;
	unsigned int op, may_store;
	struct req *req;
	struct page *page;

	(void)state;
	for (mode = 0; mode <= HEARTH_WRITEBACK; mode++) {
		for (op = 0; op < 6; op++) {
			may_store = op & 1;
			start_mode(mode);
			page = show_and_see(2, may_store);
			rig_do(&rig, ops[op / 2], 2 * F, F);
			assert_true_page(page, 2);
			rig_do(&rig, ops[op / 2], 2 * F + 3, 2);
			assert_true_page(page, 2);
			rig_do(&rig, ops[op / 2], 0, 3 * E);	/* past the cache */
			assert_true_page(page, 2);
			WRITE_ONCE(rig.cache->paused, true);
			rig_do(&rig, ops[op / 2], 2 * F, F);
			assert_true_page(page, 2);
			WRITE_ONCE(rig.cache->paused, false);
			req = rig_req(&rig, HEARTH_OP_WRITE, 2 * F, F);
			req_set_pages(req, page_to_nid(page));
			rig_submit(req);
			rig_drain(&rig);
			assert_true_page(page, 2);
			assert_ptr_equal(see(2, may_store), page);
			put_page(page);
			unsee(page, 0);
			do_read(&rig, 0, E);
			finish(&rig, req);
		}
	}
}

static void it_stays_where_it_is(void **state)
{
	unsigned long none[SHIM_MAX_NODES] = { 40, 40 };
	struct page *page, *other;
	u32 i;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	page = show_and_see(2, false);
	other = show_and_see(7 * 16, true);
	for (i = 0; i < 16; i++)
		do_read(&rig, i * E, E);
	hearth_cache_drop(rig.cache);
	hearth_cache_shrink(rig.cache, 0, 1000);
	hearth_cache_resize(rig.cache, none, none);
	rig_do(&rig, HEARTH_OP_ALONE, 0, 16 * E);
	assert_ptr_equal(see(2, false), page);
	assert_ptr_equal(see(7 * 16, true), other);
	put_page(page);
	put_page(other);
	assert_true_page(page, 2);
	put_page(page);
	unsee(other, 0);
	/* and goes when nobody has it */
	hearth_cache_drop(rig.cache);
	assert_false(rig_hits(&rig, 2 * F, F));
	rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	finish(&rig);
}

static void what_is_stored_is_written_back_until_nobody_may(void **state)
{
	struct page *page;
	u64 value;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	page = show_and_see(2, true);
	assert_int_equal(rig_dirty(&rig), 1);
	rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	assert_int_equal(rig_dirty(&rig), 1);
	/* a store of a process: what a write of another LUN's life would bring */

	do_write(&rig, 2 * F + 1, 1);
	value = seen(page, 1);
	rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	assert_int_equal(rig.disk.values[2 * F + 1], value);
	assert_int_equal(rig_dirty(&rig), 1);
	unsee(page, 0);
	assert_int_equal(rig_dirty(&rig), 1);
	rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	assert_int_equal(rig_dirty(&rig), 0);
	finish(&rig);
}

/* What is written while the page is on its way to the device goes there, too. */
static void what_is_written_meanwhile_stays_dirty(void **state)
{
	struct page *page;
	struct req *flush, *write;

	(void)state;
	start_mode(HEARTH_WRITEBACK);
	page = show_and_see(2, false);
	do_write(&rig, 2 * F, F);
	assert_int_equal(rig_dirty(&rig), 1);
	flush = begin(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	assert_int_equal(rig.nr_on_disk, 1);
	write = begin(&rig, HEARTH_OP_WRITE, 2 * F + 2, 3);
	assert_done(write);
	rig_drain(&rig);
	assert_int_equal(rig_dirty(&rig), 1);
	rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	assert_int_equal(rig.disk.values[2 * F + 2], seen(page, 2));
	unsee(page, 0);
	rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	assert_int_equal(rig_dirty(&rig), 0);
	finish(&rig, flush, write);
}

static void what_may_be_stored_into_leaves_room_for_writes(void **state)
{
	struct page *pages[16];
	u32 i;

	(void)state;
	start_mode(HEARTH_WRITEBACK);
	hearth_cache_set_dirty(rig.cache, 16 << HEARTH_FRAME_SHIFT);
	assert_int_equal(show(0, E), 0);
	for (i = 0; i < 16; i++) {
		pages[i] = see(i, true);
		assert_non_null(pages[i]);
	}
	assert_int_equal(rig_dirty(&rig), 16);
	do_write(&rig, 2 * E, 2 * F);
	assert_int_equal(rig.disk.nr_writes, 0);
	for (i = 0; i < 16; i++)
		put_page(pages[i]);
	assert_int_equal(hearth_show_sweep(rig.cache), 0);
	rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	finish(&rig);
}

static void a_failed_write_leaves_what_was_there(void **state)
{
	struct page *page;
	u64 before;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	do_write(&rig, 2 * F, F);
	page = show_and_see(2, false);
	before = seen(page, 3);
	rig.disk.cannot_write[2 * F + 3] = true;
	assert_int_equal(do_write(&rig, 2 * F, F), -EIO);
	assert_int_equal(seen(page, 3), before);
	assert_int_equal(rig_dirty(&rig), 1);
	rig.disk.cannot_write[2 * F + 3] = false;
	rig_do(&rig, HEARTH_OP_FLUSH, 0, 16 * E);
	assert_int_equal(rig.disk.values[2 * F + 3], before);
	unsee(page, 0);
	finish(&rig);
}

static void what_cannot_be_read_is_not_shown(void **state)
{
	struct req *req;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	rig.disk.cannot_read[9] = true;
	req = rig_req(&rig, HEARTH_OP_SHOW, 0, 4 * F);
	rig_submit(req);
	rig_drain(&rig);
	assert_int_equal(req->io.error, -EIO);
	assert_int_equal(req->io.bad_offset, 9 * SECTOR_BYTES);
	assert_null(see(0, false));
	assert_int_equal(hearth_show_sweep(rig.cache), 0);
	finish(&rig, req);
}

static void the_end_of_the_lun_is_cleared(void **state)
{
	struct rig_config config = {
		.frames = { 64 }, .nr_sectors = E + 3,
	};
	struct page *page;
	u32 i;

	(void)state;
	for (i = 0; i < 2; i++) {
		rig_init(&rig, &config);
		if (i)
			do_read(&rig, E, 3);
		assert_int_equal(show(E, 3), 0);
		page = see(16, false);
		assert_non_null(page);
		assert_int_equal(page->data[3 * SECTOR_BYTES], 0);
		assert_int_equal(page->data[PAGE_SIZE - 1], 0);
		unsee(page, 0);
		finish(&rig);
	}
}

static void no_more_than_half_is_shown(void **state)
{
	unsigned long max;
	u32 i;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	max = hearth_show_max(rig.cache);
	for (i = 0; show(i * F, F) == 0; i++)
		assert_true(i < max);
	assert_int_equal(i, max);
	assert_int_equal(show(0, F), -ENOSPC);
	assert_int_equal(hearth_show_sweep(rig.cache), 0);
	assert_int_equal(show(0, F), 0);
	hearth_show_sweep(rig.cache);
	finish(&rig);
}

static void what_found_no_memory_leaves_nothing(void **state)
{
	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	shim_node_budget(0, 0);
	shim_node_budget(1, 0);
	assert_int_equal(show(3 * E, F), -ENOMEM);
	shim_node_budget(0, -1);
	shim_node_budget(1, -1);
	assert_int_equal(hearth_show_sweep(rig.cache), 0);
	assert_true(list_empty(&rig.cache->shown));
	finish(&rig);
}

static void a_claim_is_waited_for(void **state)
{
	struct req *write, *req;
	struct page *page;

	(void)state;
	start_mode(HEARTH_WRITETHROUGH);
	page = show_and_see(2, false);
	write = begin(&rig, HEARTH_OP_WRITE, 2 * F, F);
	assert_on_disk(write);
	assert_null(see(2, false));
	put_page(page);
	assert_int_equal(hearth_show_sweep(rig.cache), 1);
	req = begin(&rig, HEARTH_OP_SHOW, 2 * F, F);
	assert_waits(req);
	rig_drain(&rig);
	assert_int_equal(hearth_show_sweep(rig.cache), 0);
	finish(&rig, write, req);
}

/* Whatever allocation fails, nothing is shown that may not be, and nothing is lost. */
static void every_allocation_may_fail(void **state)
{
	struct req *readers[3], *req;
	long nth, i;
	bool done = false;

	(void)state;
	for (nth = 1; !done; nth++) {
		start_mode(HEARTH_WRITETHROUGH);
		do_read(&rig, 0, 2 * F);
		for (i = 0; i < 3; i++) {
			readers[i] = rig_req(&rig, HEARTH_OP_READ, i * F, F);
			req_set_pages(readers[i], 0);
			rig_submit(readers[i]);
			rig_drain(&rig);
		}
		req = rig_req(&rig, HEARTH_OP_SHOW, 0, 5 * F);
		shim_fail_in = nth;
		rig_submit(req);
		rig_drain(&rig);
		done = shim_fail_in;
		shim_fail_in = 0;
		if (req->io.error) {
			assert_int_equal(req->io.error, -ENOMEM);
			for (i = 0; i < 5; i++)
				assert_null(see(i, true));
		}
		for (i = 0; i < 3; i++)
			assert_int_equal(req_value(readers[i], 0),
					 rig.disk.values[i * F]);
		assert_int_equal(hearth_show_sweep(rig.cache), 0);
		assert_true(list_empty(&rig.cache->shown));
		finish(&rig, req, readers[0], readers[1], readers[2]);
	}
	assert_true(nth > 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_missing_is_read),
		cmocka_unit_test(a_page_that_others_have_is_replaced),
		cmocka_unit_test(it_is_not_given_away),
		cmocka_unit_test(it_is_not_given_away_at_home),
		cmocka_unit_test(what_is_written_shows),
		cmocka_unit_test(it_stays_where_it_is),
		cmocka_unit_test(what_is_stored_is_written_back_until_nobody_may),
		cmocka_unit_test(what_is_written_meanwhile_stays_dirty),
		cmocka_unit_test(what_may_be_stored_into_leaves_room_for_writes),
		cmocka_unit_test(a_failed_write_leaves_what_was_there),
		cmocka_unit_test(what_cannot_be_read_is_not_shown),
		cmocka_unit_test(the_end_of_the_lun_is_cleared),
		cmocka_unit_test(no_more_than_half_is_shown),
		cmocka_unit_test(what_found_no_memory_leaves_nothing),
		cmocka_unit_test(a_claim_is_waited_for),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return run_suite("show", tests);
}
