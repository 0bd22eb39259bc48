// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages and frames of a node: taking, reclaiming, giving back.
 */
#include "suite.h"

static struct rig rig;

static void start_nodes(unsigned int nr_nodes, const unsigned long *frames,
			enum hearth_home home)
{
	struct rig_config config = {
		.nr_nodes = nr_nodes, .nr_sectors = 64 * E, .home = home,
	};
	unsigned int i;

	for (i = 0; i < nr_nodes; i++)
		config.frames[i] = frames[i];
	rig_init(&rig, &config);
}

static unsigned long frames_of(int nid)
{
	return hearth_cache_frames(rig.cache, nid);
}

static void read_from(int nid, u32 sector)
{
	struct req *req = rig_req(&rig, HEARTH_OP_READ, sector, 1);

	req_set_memory(req, nid, 0, 0);
	rig_submit(req);
	rig_drain(&rig);
	req_free(req);
}

static void the_limit_is_kept(void **state)
{
	unsigned int i;

	(void)state;
	start(&rig, 10, 64 * E);
	for (i = 0; i < 100; i++)
		do_read(&rig, i * F, 1);
	assert_int_equal(frames_of(0), 10);
	assert_int_equal(shim_usage().pages, 10);
	assert_int_equal(rig_count(&rig, HEARTH_EVICTIONS), 90);
	/* one for the metadata */
	assert_int_equal(hearth_cache_limit(rig.cache, 0), 11);
	finish(&rig);
}

static void a_scan_passes_over_what_is_hit(void **state)
{
	unsigned int i;

	(void)state;
	start(&rig, 4, 64 * E);
	do_read(&rig, 0, 1);
	for (i = 1; i < 40; i++) {
		assert_true(rig_hits(&rig, 0, 1));
		do_read(&rig, i * F, 1);
	}
	finish(&rig);
}

static void a_claimed_frame_is_not_evicted(void **state)
{
	struct req *write;
	unsigned int i;

	(void)state;
	start(&rig, 2, 64 * E);
	do_read(&rig, 0, F);
	write = begin(&rig, HEARTH_OP_WRITE, 0, 1);
	assert_on_disk(write);
	for (i = 1; i < 6; i++) {
		struct req *read = begin(&rig, HEARTH_OP_READ, i * F, 1);

		assert_on_disk(read);
		assert_true(read->was_range);
		rig_finish_disk(read);
		req_free(read);
	}
	assert_true(rig_hits(&rig, 0, F));
	finish(&rig, write);
}

static void a_page_that_is_read_is_not_reused(void **state)
{
	struct hearth_extent *ext;
	struct page *page;
	u8 ahead;
	u64 value;

	(void)state;
	start(&rig, 1, 64 * E);
	do_read(&rig, 0, F);
	rcu_read_lock();
	ext = hearth_extent_find(rig.cache, 0);
	page = hearth_frame_get_page(ext, 0, HEARTH_FRAME_ALL, &ahead);
	rcu_read_unlock();
	assert_non_null(page);
	do_read(&rig, E, F);
	value = sector_read(page->data);
	assert_int_equal(value, sector_value(1, 0));
	assert_int_equal(shim_usage().pages, 2);
	put_page(page);
	assert_int_equal(shim_usage().pages, 1);
	finish(&rig);
}

static void touch_uses_another_nodes_free_share(void **state)
{
	static const unsigned long frames[] = { 2, 5 };
	unsigned int i;

	(void)state;
	start_nodes(2, frames, HEARTH_HOME_TOUCH);
	for (i = 0; i < 7; i++)
		read_from(0, i * F);
	assert_int_equal(frames_of(0), 2);
	assert_int_equal(frames_of(1), 5);
	assert_int_equal(rig_count(&rig, HEARTH_EVICTIONS), 0);
	read_from(0, 7 * F);
	assert_int_equal(hearth_cache_count(rig.cache, 0, HEARTH_EVICTIONS), 1);
	finish(&rig);
}

static void touch_takes_the_node_of_the_buffer(void **state)
{
	static const unsigned long frames[] = { 50, 50, 50 };
	unsigned int i;

	(void)state;
	start_nodes(3, frames, HEARTH_HOME_TOUCH);
	for (i = 0; i < 9; i++)
		read_from(i % 2 ? 2 : 0, i * F);
	assert_int_equal(frames_of(0), 5);
	assert_int_equal(frames_of(1), 0);
	assert_int_equal(frames_of(2), 4);
	finish(&rig);
}

static void touch_from_a_node_without_memory_goes_by_address(void **state)
{
	static const unsigned long frames[] = { 0, 50, 0, 50 };
	unsigned int i;

	(void)state;
	start_nodes(4, frames, HEARTH_HOME_TOUCH);
	for (i = 0; i < 64; i++)
		read_from(i % 2 * 2, i * E);
	assert_int_equal(frames_of(1), 32);
	assert_int_equal(frames_of(3), 32);
	finish(&rig);
}

static void stripe_goes_by_address_whoever_reads(void **state)
{
	static const unsigned long frames[] = { 200, 200 };
	unsigned int i;
	int nid;

	(void)state;
	start_nodes(2, frames, HEARTH_HOME_STRIPE);
	for (i = 0; i < 64; i++) {
		nid = hearth_cache_shard(rig.cache, (u64)i * E * 512);
		read_from(!nid, i * E);
		assert_int_equal(hearth_cache_count(rig.cache, nid,
						    HEARTH_MISSES),
				 frames_of(nid));
	}
	assert_int_equal(frames_of(0), 32);
	assert_int_equal(frames_of(1), 32);
	finish(&rig);
}

static void a_rewritten_frame_stays_on_its_node(void **state)
{
	static const unsigned long frames[] = { 50, 50 };

	(void)state;
	start_nodes(2, frames, HEARTH_HOME_TOUCH);
	read_from(1, 0);
	do_write(&rig, 0, 1);	/* from memory of node 0 */
	assert_int_equal(frames_of(0), 0);
	assert_int_equal(frames_of(1), 1);
	finish(&rig);
}

static void a_node_that_has_no_pages_is_bypassed(void **state)
{
	(void)state;
	start(&rig, 10, 64 * E);
	shim_node_budget(0, 0);
	assert_int_equal(do_read(&rig, 0, 3 * F), 0);
	assert_int_equal(do_write(&rig, 0, 3 * F), 0);
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 2);
	assert_int_equal(rig_count(&rig, HEARTH_MISSES), 0);
	assert_false(rig_hits(&rig, 0, 1));
	shim_node_budget(0, -1);
	finish(&rig);
}

static void a_full_node_reclaims_before_it_bypasses(void **state)
{
	(void)state;
	start(&rig, 10, 64 * E);
	shim_node_budget(0, 3);
	assert_int_equal(do_read(&rig, 0, 3 * F), 0);
	assert_int_equal(do_read(&rig, E, 3 * F), 0);
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 0);
	assert_int_equal(rig_count(&rig, HEARTH_EVICTIONS), 3);
	shim_node_budget(0, -1);
	finish(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_limit_is_kept),
		cmocka_unit_test(a_scan_passes_over_what_is_hit),
		cmocka_unit_test(a_claimed_frame_is_not_evicted),
		cmocka_unit_test(a_page_that_is_read_is_not_reused),
		cmocka_unit_test(touch_uses_another_nodes_free_share),
		cmocka_unit_test(touch_takes_the_node_of_the_buffer),
		cmocka_unit_test(touch_from_a_node_without_memory_goes_by_address),
		cmocka_unit_test(stripe_goes_by_address_whoever_reads),
		cmocka_unit_test(a_rewritten_frame_stays_on_its_node),
		cmocka_unit_test(a_node_that_has_no_pages_is_bypassed),
		cmocka_unit_test(a_full_node_reclaims_before_it_bypasses),
	};

	return run_suite("pool", tests);
}
