// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Zero-copy: whole pages change hands by reference, and only those that may.
 */
#include "suite.h"

static struct rig rig;

static u64 flipped(void)
{
	return rig_count(&rig, HEARTH_FLIPPED_BYTES);
}

static u64 copied(void)
{
	return rig_count(&rig, HEARTH_LOCAL_BYTES) +
	       rig_count(&rig, HEARTH_REMOTE_BYTES);
}

/* A request whose pages may be flipped, submitted; the disk did nothing yet. */
static struct req *flip_begin(enum hearth_op op, u32 sector, u32 nr, int nid)
{
	struct req *req = rig_req(&rig, op, sector, nr);

	req_set_pages(req, nid);
	rig_submit(req);
	rig_run_all(&rig);
	return req;
}

static struct req *flip(enum hearth_op op, u32 sector, u32 nr)
{
	struct req *req = flip_begin(op, sector, nr, 0);

	rig_drain(&rig);
	return req;
}

static struct page *page_of(u32 frame)
{
	struct hearth_extent *ext;
	struct page *page = NULL;

	rcu_read_lock();
	ext = hearth_extent_find(rig.cache, frame / HEARTH_EXTENT_FRAMES);
	if (ext && ext->frames[frame % HEARTH_EXTENT_FRAMES])
		page = ext->frames[frame % HEARTH_EXTENT_FRAMES]->page;
	rcu_read_unlock();
	return page;
}

static void start_two_nodes(enum hearth_home home, unsigned long first,
			    unsigned long second)
{
	struct rig_config config = {
		.nr_nodes = 2, .nr_sectors = 64 * E, .home = home,
		.frames = { first, second },
	};

	rig_init(&rig, &config);
}

static void a_write_gives_its_pages_to_the_cache(void **state)
{
	struct page *pages[3];
	struct req *req;
	unsigned int i;

	(void)state;
	start(&rig, 100, 64 * E);
	req = rig_req(&rig, HEARTH_OP_WRITE, F, 3 * F);
	req_set_pages(req, 0);
	for (i = 0; i < 3; i++)
		pages[i] = req->sg[i].page;
	rig_submit(req);
	rig_drain(&rig);
	for (i = 0; i < 3; i++) {
		assert_ptr_equal(page_of(1 + i), pages[i]);
		assert_int_equal(page_ref_count(pages[i]), 2);
	}
	req_free(req);
	for (i = 0; i < 3; i++)
		assert_int_equal(page_ref_count(pages[i]), 1);
	assert_int_equal(flipped(), 3 * PAGE_SIZE);
	assert_int_equal(copied(), 0);
	assert_int_equal(shim_usage().pages, 3);
	finish(&rig);
}

static void a_miss_leaves_the_requests_pages_in_the_cache(void **state)
{
	struct page *page;
	struct req *req;

	(void)state;
	start(&rig, 100, 64 * E);
	req = rig_req(&rig, HEARTH_OP_READ, 0, F);
	req_set_pages(req, 0);
	page = req->sg->page;
	rig_submit(req);
	rig_drain(&rig);
	assert_ptr_equal(req->sg->page, page);
	assert_ptr_equal(page_of(0), page);
	assert_int_equal(page_ref_count(page), 2);
	req_free(req);
	assert_int_equal(page_ref_count(page), 1);
	assert_int_equal(flipped(), PAGE_SIZE);
	assert_int_equal(copied(), 0);
	finish(&rig);
}

static void a_hit_hands_out_the_caches_pages(void **state)
{
	struct req *req;
	unsigned int i;

	(void)state;
	start(&rig, 100, 64 * E);
	do_read(&rig, 0, 4 * F);
	assert_int_equal(shim_usage().pages, 4);
	req = flip(HEARTH_OP_READ, 0, 4 * F);
	for (i = 0; i < 4; i++) {
		assert_ptr_equal(req->sg[i].page, page_of(i));
		assert_int_equal(page_ref_count(page_of(i)), 2);
	}
	assert_int_equal(shim_usage().pages, 4);
	req_free(req);
	assert_int_equal(page_ref_count(page_of(0)), 1);
	assert_int_equal(flipped(), 4 * PAGE_SIZE);
	finish(&rig);
}

/* TCP still sends what was read, over and over, while the block is rewritten. */
static void what_was_handed_out_never_changes(void **state)
{
	struct req *req;
	unsigned int i;

	(void)state;
	start(&rig, 8, 64 * E);
	for (i = 0; i < 40; i++) {
		req = rig_req(&rig, HEARTH_OP_READ, 0, 2 * F);
		req_set_pages(req, 0);
		req->keep_pages = true;
		rig_submit(req);
		rig_drain(&rig);
		req_free(req);
		if (i % 3)
			req_free(flip(HEARTH_OP_WRITE, 0, 2 * F));
		else
			do_write(&rig, 1 + i % 7, 5);
		if (i % 5 == 4)
			do_read(&rig, 20 * F, 7 * F);	/* evicts */
		held_check();
	}
	held_drop_all();
	assert_int_equal(shim_usage().pages,
			 (long)rig.cache->pools[0]->nr_pages);
	finish(&rig);
}

static void what_is_read_while_it_is_filled_stays_whole(void **state)
{
	struct req *reader, *write;

	(void)state;
	start(&rig, 8, 64 * E);
	reader = flip_begin(HEARTH_OP_READ, 0, F, 0);
	reader->keep_pages = true;
	assert_on_disk(reader);
	write = flip_begin(HEARTH_OP_WRITE, 0, F, 0);
	assert_waits(write);
	rig_finish_disk(reader);
	assert_done(reader);
	assert_on_disk(write);
	rig_finish_disk(write);
	held_check();
	assert_int_equal(req_value(reader, 0), sector_value(1, 0));
	finish(&rig, reader, write);
}

static void a_partly_covered_frame_is_copied(void **state)
{
	struct req *req;

	(void)state;
	start(&rig, 100, 64 * E);
	/* pages of the request begin in the middle of frames */
	req = flip(HEARTH_OP_WRITE, 3, 2 * F);
	req_free(req);
	req = flip(HEARTH_OP_READ, 5, F);
	req_free(req);
	assert_int_equal(flipped(), 0);
	assert_true(copied() >= 3 * PAGE_SIZE);
	/* the first page is a frame, the second a half */
	req = flip(HEARTH_OP_WRITE, 8 * F, F + 4);
	req_free(req);
	assert_int_equal(flipped(), PAGE_SIZE);
	finish(&rig);
}

/* A partly covered frame that has other sectors must not get the request's page. */
static void what_a_frame_holds_beside_the_request_is_kept(void **state)
{
	struct req *req;

	(void)state;
	start(&rig, 100, 64 * E);
	do_read(&rig, 0, 4 * F);
	req = flip(HEARTH_OP_WRITE, 0, 4);
	assert_ptr_not_equal(page_of(0), req->sg->page);
	req_free(req);
	assert_int_equal(flipped(), 0);
	assert_int_equal(do_read(&rig, 0, F), 0);
	finish(&rig);
}

static void the_last_frame_of_the_lun_is_copied(void **state)
{
	struct req *req;

	(void)state;
	start(&rig, 100, 4 * F + 3);
	req = flip(HEARTH_OP_READ, 4 * F, 3);
	req_free(req);
	req = flip(HEARTH_OP_WRITE, 3 * F, F + 3);
	req_free(req);
	assert_int_equal(flipped(), PAGE_SIZE);
	req = flip(HEARTH_OP_READ, 0, 4 * F + 3);
	req_free(req);
	finish(&rig);
}

static void misaligned_memory_is_copied(void **state)
{
	static const u32 offsets[] = { 512, 0, 512, 8 };
	static const u32 pieces[] = { 0, 2 * PAGE_SIZE, 512, 1000 };
	struct req *req;
	unsigned int i, op;

	(void)state;
	start(&rig, 100, 64 * E);
	for (op = HEARTH_OP_READ; op <= HEARTH_OP_WRITE; op++) {
		if (op == HEARTH_OP_PREFETCH)
			continue;
		for (i = 0; i < ARRAY_SIZE(offsets); i++) {
			req = rig_req(&rig, op, i * 4 * F, 4 * F);
			req_set_memory(req, 0, offsets[i], pieces[i]);
			/* as if the pages were the target core's */
			req->io.span.flip = true;
			rig_submit(req);
			rig_drain(&rig);
			req_free(req);
		}
	}
	assert_int_equal(flipped(), 0);
	finish(&rig);
}

static void what_may_not_be_flipped_is_copied(void **state)
{
	(void)state;
	start(&rig, 100, 64 * E);
	do_write(&rig, 0, 4 * F);
	do_read(&rig, 0, 8 * F);
	assert_int_equal(flipped(), 0);
	assert_int_equal(copied(), 12 * PAGE_SIZE);
	finish(&rig);
}

static void under_stripe_pages_of_another_node_are_copied(void **state)
{
	struct req *req;
	u32 sector = 0;
	int home;

	(void)state;
	start_two_nodes(HEARTH_HOME_STRIPE, 50, 50);
	home = hearth_cache_shard(rig.cache, sector);
	req = flip_begin(HEARTH_OP_WRITE, sector, F, !home);
	rig_drain(&rig);
	assert_int_equal(flipped(), 0);
	assert_int_equal(page_to_nid(page_of(0)), home);
	req_free(req);
	req = flip_begin(HEARTH_OP_WRITE, sector, F, home);
	rig_drain(&rig);
	assert_int_equal(flipped(), PAGE_SIZE);
	req_free(req);
	/* handing out needs no node: a page is a page */
	req = flip_begin(HEARTH_OP_READ, sector, F, !home);
	assert_int_equal(page_to_nid(req->sg->page), home);
	assert_int_equal(flipped(), 2 * PAGE_SIZE);
	finish(&rig, req);
}

static void under_touch_a_frame_lives_where_its_page_does(void **state)
{
	struct req *req;

	(void)state;
	start_two_nodes(HEARTH_HOME_TOUCH, 50, 50);
	req = rig_req(&rig, HEARTH_OP_WRITE, 0, F);
	req_set_pages(req, 1);
	req->io.nid = 0;		/* the request says otherwise */
	rig_submit(req);
	rig_drain(&rig);
	assert_int_equal(page_to_nid(page_of(0)), 1);
	assert_int_equal(flipped(), PAGE_SIZE);
	req_free(req);
	/* the frame stays at home: another node's page is copied there */
	req = flip_begin(HEARTH_OP_WRITE, 0, F, 0);
	rig_drain(&rig);
	assert_int_equal(page_to_nid(page_of(0)), 1);
	assert_int_equal(flipped(), PAGE_SIZE);
	finish(&rig, req);
}

static void under_touch_a_full_node_spills(void **state)
{
	struct req *req;
	unsigned int i;

	(void)state;
	start_two_nodes(HEARTH_HOME_TOUCH, 4, 4);
	for (i = 0; i < 8; i++)
		req_free(flip(HEARTH_OP_WRITE, i * F, F));
	assert_int_equal(hearth_cache_frames(rig.cache, 0), 4);
	assert_int_equal(hearth_cache_frames(rig.cache, 1), 4);
	assert_int_equal(flipped(), 4 * PAGE_SIZE);
	assert_int_equal(rig_count(&rig, HEARTH_EVICTIONS), 0);
	req = flip(HEARTH_OP_WRITE, 8 * F, F);	/* both are full */
	assert_int_equal(flipped(), 5 * PAGE_SIZE);
	assert_int_equal(rig_count(&rig, HEARTH_EVICTIONS), 1);
	finish(&rig, req);
}

static void the_limit_is_kept(void **state)
{
	unsigned int i;

	(void)state;
	start(&rig, 10, 64 * E);
	for (i = 0; i < 300; i++) {
		req_free(flip(i % 3 ? HEARTH_OP_READ : HEARTH_OP_WRITE,
			      i * 7 % 60 * F, 3 * F));
		assert_in_range(hearth_cache_frames(rig.cache, 0), 1, 10);
		assert_int_equal(shim_usage().pages,
				 (long)rig.cache->pools[0]->nr_pages);
	}
	assert_int_equal(shim_usage().pages, 10);
	finish(&rig);
}

/* No page is taken from the node while the requests bring their own. */
static void no_page_is_allocated_in_vain(void **state)
{
	unsigned int i;

	(void)state;
	start(&rig, 40, 64 * E);
	shim_node_budget(0, 0);
	for (i = 0; i < 30; i++)
		req_free(flip(i & 1 ? HEARTH_OP_READ : HEARTH_OP_WRITE, i * F,
			      F));
	shim_node_budget(0, -1);
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 0);
	assert_int_equal(flipped(), 30 * PAGE_SIZE);
	finish(&rig);
}

static void a_failed_write_gives_its_pages_back(void **state)
{
	struct req *req;

	(void)state;
	start(&rig, 10, 64 * E);
	rig.disk.cannot_write[F] = true;
	req = flip(HEARTH_OP_WRITE, 0, 3 * F);
	assert_int_equal(req->io.error, -EIO);
	assert_int_equal(page_ref_count(req->sg->page), 1);
	req_free(req);
	assert_int_equal(hearth_cache_frames(rig.cache, 0), 0);
	assert_int_equal(shim_usage().pages, 0);
	assert_int_equal(do_read(&rig, 0, 3 * F), 0);
	finish(&rig);
}

static void a_failed_read_keeps_what_is_good(void **state)
{
	struct req *req;

	(void)state;
	start(&rig, 10, 64 * E);
	rig.disk.cannot_read[F + 2] = true;
	req = flip(HEARTH_OP_READ, 0, 2 * F);
	assert_int_equal(req->io.error, -EIO);
	assert_int_equal(req->io.bad_offset, (F + 2) * SECTOR_BYTES);
	req_free(req);
	assert_int_equal(shim_usage().pages,
			 (long)rig.cache->pools[0]->nr_pages);
	rig.disk.cannot_read[F + 2] = false;
	req = flip(HEARTH_OP_READ, 0, 2 * F);
	assert_int_equal(req->io.error, 0);
	finish(&rig, req);
}

static void a_bypass_leaves_the_pages_alone(void **state)
{
	struct page *page;
	struct req *req;

	(void)state;
	start(&rig, 10, 64 * E);
	rig.cache->mode = HEARTH_WRITEAROUND;
	req = rig_req(&rig, HEARTH_OP_WRITE, 0, F);
	req_set_pages(req, 0);
	page = req->sg->page;
	rig_submit(req);
	rig_drain(&rig);
	assert_true(req->was_range);
	assert_ptr_equal(req->sg->page, page);
	assert_int_equal(page_ref_count(page), 1);
	assert_int_equal(flipped(), 0);
	req_free(req);
	req = flip(HEARTH_OP_READ, 0, 20 * F);	/* larger than may be cached */
	assert_true(req->was_range);
	assert_int_equal(flipped(), 0);
	finish(&rig, req);
}

static void a_read_that_finds_some_flips_all(void **state)
{
	struct req *req;
	unsigned int i;

	(void)state;
	start(&rig, 100, 64 * E);
	do_read(&rig, F, F);
	do_read(&rig, 3 * F, F);
	req = flip(HEARTH_OP_READ, 0, 5 * F);
	for (i = 0; i < 5; i++) {
		assert_ptr_equal(req->sg[i].page, page_of(i));
		assert_int_equal(page_ref_count(page_of(i)), 2);
	}
	assert_int_equal(flipped(), 5 * PAGE_SIZE);
	finish(&rig, req);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_gives_its_pages_to_the_cache),
		cmocka_unit_test(a_miss_leaves_the_requests_pages_in_the_cache),
		cmocka_unit_test(a_hit_hands_out_the_caches_pages),
		cmocka_unit_test(what_was_handed_out_never_changes),
		cmocka_unit_test(what_is_read_while_it_is_filled_stays_whole),
		cmocka_unit_test(a_partly_covered_frame_is_copied),
		cmocka_unit_test(what_a_frame_holds_beside_the_request_is_kept),
		cmocka_unit_test(the_last_frame_of_the_lun_is_copied),
		cmocka_unit_test(misaligned_memory_is_copied),
		cmocka_unit_test(what_may_not_be_flipped_is_copied),
		cmocka_unit_test(under_stripe_pages_of_another_node_are_copied),
		cmocka_unit_test(under_touch_a_frame_lives_where_its_page_does),
		cmocka_unit_test(under_touch_a_full_node_spills),
		cmocka_unit_test(the_limit_is_kept),
		cmocka_unit_test(no_page_is_allocated_in_vain),
		cmocka_unit_test(a_failed_write_gives_its_pages_back),
		cmocka_unit_test(a_failed_read_keeps_what_is_good),
		cmocka_unit_test(a_bypass_leaves_the_pages_alone),
		cmocka_unit_test(a_read_that_finds_some_flips_all),
	};

	return run_suite("flip", tests);
}
