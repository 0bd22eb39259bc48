// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Copying at home: who copies, on which node, and where the bytes come to lie.
 */
#include "suite.h"

#define AUTO_SECTORS	(64 * 2)	/* what is handed over by itself */

static struct rig rig;

static void start_nodes(unsigned int nr_nodes, enum hearth_home home,
			enum hearth_dispatch dispatch)
{
	struct rig_config config = {
		.nr_nodes = nr_nodes, .nr_sectors = 64 * E, .home = home,
		.dispatch = dispatch,
	};
	unsigned int nid;

	for (nid = 0; nid < nr_nodes; nid++)
		config.frames[nid] = 2000;
	rig_init(&rig, &config);
	shim_nid = 0;
}

static void end(void)
{
	shim_nid = 0;
	shim_cpuless = 0;
	finish(&rig);
}

/* The first stripe (an extent) at or behind @sector whose home is @nid. */
static u32 sector_on(int nid, u32 sector)
{
	while (hearth_cache_shard(rig.cache, (u64)sector * SECTOR_BYTES) != nid)
		sector += E;
	return sector;
}

static u64 remote(void)
{
	return rig_count(&rig, HEARTH_REMOTE_BYTES);
}

static u64 remote_stores(void)
{
	return rig_count(&rig, HEARTH_REMOTE_STORES);
}

/* A request with pages of its own on the node where it is submitted. */
static struct req *submit_on(int nid, enum hearth_op op, u32 sector, u32 nr)
{
	struct req *req = rig_req(&rig, op, sector, nr);

	shim_nid = nid;
	req_set_pages(req, nid);
	rig_submit(req);
	rig_drain(&rig);
	assert_int_equal(req->io.error, 0);
	return req;
}

static void do_on(int nid, enum hearth_op op, u32 sector, u32 nr)
{
	req_free(submit_on(nid, op, sector, nr));
}

static void inline_copies_from_afar(void **state)
{
	u32 at;

	(void)state;
	start_nodes(2, HEARTH_HOME_STRIPE, HEARTH_DISPATCH_INLINE);
	at = sector_on(1, 0);
	do_on(0, HEARTH_OP_WRITE, at, F);
	assert_int_equal(remote(), PAGE_SIZE);
	assert_int_equal(remote_stores(), PAGE_SIZE);
	do_on(0, HEARTH_OP_READ, at + 1, 3);
	assert_int_equal(remote(), PAGE_SIZE + 3 * SECTOR_BYTES);
	/* a remote load only */
	assert_int_equal(remote_stores(), PAGE_SIZE);
	assert_int_equal(rig.nr_sent, 0);
	end();
}

static void a_hit_is_copied_at_home_into_a_page_from_there(void **state)
{
	struct req *req;
	u32 at;

	(void)state;
	start_nodes(2, HEARTH_HOME_STRIPE, HEARTH_DISPATCH_HOME);
	at = sector_on(1, 0);
	do_on(1, HEARTH_OP_READ, at, 4 * F);
	req = submit_on(0, HEARTH_OP_READ, at + 3, 2 * F);
	assert_int_equal(page_to_nid(req->sg[0].page), 1);
	assert_int_equal(page_to_nid(req->sg[1].page), 1);
	assert_int_equal(remote(), 0);
	assert_int_equal(rig_count(&rig, HEARTH_LOCAL_BYTES), 2 * PAGE_SIZE);
	assert_int_equal(rig.nr_sent, 1);
	assert_int_equal(hearth_cache_count(rig.cache, 1, HEARTH_HANDED_OVER),
			 1);
	assert_int_equal(rig_count(&rig, HEARTH_HITS), 3);
	req_free(req);
	end();
}

static void a_miss_is_copied_at_home(void **state)
{
	u32 at;

	(void)state;
	start_nodes(2, HEARTH_HOME_STRIPE, HEARTH_DISPATCH_HOME);
	at = sector_on(1, 0);
	do_on(0, HEARTH_OP_READ, at + 3, 3 * F);
	assert_int_equal(remote(), 0);
	assert_int_equal(rig_count(&rig, HEARTH_LOCAL_BYTES), 3 * PAGE_SIZE);
	end();
}

static void whole_pages_need_no_journey(void **state)
{
	u32 at;

	(void)state;
	start_nodes(2, HEARTH_HOME_STRIPE, HEARTH_DISPATCH_HOME);
	at = sector_on(1, 0);
	do_on(1, HEARTH_OP_WRITE, at, 16 * F);
	do_on(0, HEARTH_OP_READ, at, 16 * F);
	assert_int_equal(rig.nr_sent, 0);
	assert_int_equal(rig_count(&rig, HEARTH_FLIPPED_BYTES),
			 32 * PAGE_SIZE);
	end();
}

static void under_touch_a_write_of_whole_pages_stays(void **state)
{
	(void)state;
	start_nodes(2, HEARTH_HOME_TOUCH, HEARTH_DISPATCH_HOME);
	do_on(1, HEARTH_OP_WRITE, 0, 16 * F);
	do_on(0, HEARTH_OP_READ, 0, 16 * F);
	assert_int_equal(rig.nr_sent, 0);
	/* but what is there already has its home */
	do_on(0, HEARTH_OP_WRITE, 0, 16 * F);
	assert_int_equal(rig.nr_sent, 1);
	assert_int_equal(remote_stores(), 0);
	end();
}

static void a_write_is_stored_at_home(void **state)
{
	u32 at;

	(void)state;
	start_nodes(2, HEARTH_HOME_STRIPE, HEARTH_DISPATCH_HOME);
	at = sector_on(1, 0);
	do_on(0, HEARTH_OP_WRITE, at, 4 * F);		/* whole pages */
	assert_int_equal(remote(), 4 * PAGE_SIZE);
	assert_int_equal(remote_stores(), 0);
	do_on(0, HEARTH_OP_WRITE, at + 3, 2);		/* keeps what is there */
	assert_int_equal(remote(), 4 * PAGE_SIZE + 2 * SECTOR_BYTES);
	assert_int_equal(remote_stores(), 0);
	assert_int_equal(rig_count(&rig, HEARTH_LOCAL_BYTES), 6 * SECTOR_BYTES);
	assert_int_equal(do_read(&rig, at, 4 * F), 0);
	end();
}

static void a_request_visits_each_node_once(void **state)
{
	struct req *req;

	(void)state;
	start_nodes(4, HEARTH_HOME_STRIPE, HEARTH_DISPATCH_HOME);
	req = submit_on(2, HEARTH_OP_WRITE, 3, 12 * E);
	assert_in_range(rig.nr_sent, 3, 5);	/* one journey for pages */
	assert_int_equal(remote_stores(), 0);
	req_free(req);
	rig.nr_sent = 0;
	req = submit_on(2, HEARTH_OP_READ, 5, 12 * E - 4);
	assert_int_equal(rig.nr_sent, 3);
	/* an entry in which two stripes meet has one owner: nobody stores afar */
	assert_int_equal(remote_stores(), 0);
	assert_true(rig_count(&rig, HEARTH_REMOTE_BYTES) <
		    12 * E * SECTOR_BYTES * 3 / 4 + 12 * PAGE_SIZE);
	req_free(req);
	end();
}

/* Only what is beyond the border of a stripe in the same entry is loaded afar. */
static void reads_over_borders_load_little_from_afar(void **state)
{
	u64 before;

	(void)state;
	start_nodes(2, HEARTH_HOME_STRIPE, HEARTH_DISPATCH_HOME);
	do_on(0, HEARTH_OP_READ, 0, 8 * E);
	before = rig_count(&rig, HEARTH_LOCAL_BYTES);
	do_on(0, HEARTH_OP_READ, 3, 8 * E - 3);
	assert_int_equal(remote_stores(), 0);
	assert_in_range(remote(), 1, 7 * 3 * SECTOR_BYTES);
	assert_int_equal(rig_count(&rig, HEARTH_LOCAL_BYTES) + remote() - before,
			 (8 * E - 3) * SECTOR_BYTES);
	end();
}

static void auto_hands_over_what_is_large(void **state)
{
	u32 at;

	(void)state;
	start_nodes(2, HEARTH_HOME_STRIPE, HEARTH_DISPATCH_AUTO);
	at = sector_on(1, 0);
	do_on(1, HEARTH_OP_READ, at, E);
	do_on(0, HEARTH_OP_READ, at + 1, AUTO_SECTORS - F);
	assert_int_equal(rig.nr_sent, 0);
	assert_int_equal(remote_stores(), 0);
	do_on(0, HEARTH_OP_WRITE, at, AUTO_SECTORS - F);
	assert_int_equal(rig.nr_sent, 0);
	do_on(0, HEARTH_OP_WRITE, at, AUTO_SECTORS);
	assert_int_equal(rig.nr_sent, 1);
	do_on(1, HEARTH_OP_READ, 0, 4 * E);
	rig.nr_sent = 0;
	do_on(0, HEARTH_OP_READ, 1, 4 * E - 1);
	assert_int_equal(rig.nr_sent, 1);
	end();
}

/* Memory that may not be exchanged is stored to on its own node. */
static void other_memory_is_filled_where_it_lies(void **state)
{
	struct req *req;
	u32 at;

	(void)state;
	start_nodes(2, HEARTH_HOME_STRIPE, HEARTH_DISPATCH_HOME);
	at = sector_on(1, 0);
	do_on(1, HEARTH_OP_READ, at, 4 * F);
	req = rig_req(&rig, HEARTH_OP_READ, at, 4 * F);
	req_set_memory(req, 0, 512, 0);
	shim_nid = 1;		/* submitted on the data's node */
	rig_submit(req);
	rig_drain(&rig);
	assert_int_equal(remote(), 4 * PAGE_SIZE);
	assert_int_equal(remote_stores(), 0);
	assert_int_equal(rig.nr_sent, 1);
	assert_int_equal(hearth_cache_count(rig.cache, 0, HEARTH_HANDED_OVER),
			 1);
	req_free(req);
	end();
}

static void want_of_a_page_makes_it_a_remote_copy(void **state)
{
	struct req *req;
	u32 at;

	(void)state;
	start_nodes(2, HEARTH_HOME_STRIPE, HEARTH_DISPATCH_HOME);
	at = sector_on(1, 0);
	do_on(1, HEARTH_OP_READ, at, 4 * F);
	shim_node_budget(1, 0);
	req = submit_on(0, HEARTH_OP_READ, at + 1, F);
	shim_node_budget(1, -1);
	assert_int_equal(page_to_nid(req->sg[0].page), 0);
	assert_int_equal(remote_stores(), PAGE_SIZE);
	req_free(req);
	end();
}

static void a_node_without_cpus_is_copied_from_afar(void **state)
{
	u32 at;

	(void)state;
	start_nodes(2, HEARTH_HOME_STRIPE, HEARTH_DISPATCH_HOME);
	shim_cpuless = BIT(1);
	at = sector_on(1, 0);
	do_on(0, HEARTH_OP_WRITE, at + 1, 2 * F);
	do_on(0, HEARTH_OP_READ, at + 2, 2 * F);
	do_on(0, HEARTH_OP_READ, at + 1, 5 * E);
	assert_int_equal(rig.nr_sent, 0);
	end();
}

static void a_node_without_memory_has_its_data_at_others(void **state)
{
	struct rig_config config = {
		.nr_nodes = 3, .nr_sectors = 64 * E, .frames = { 300, 300 },
		.home = HEARTH_HOME_STRIPE, .dispatch = HEARTH_DISPATCH_HOME,
	};

	(void)state;
	rig_init(&rig, &config);
	do_on(2, HEARTH_OP_WRITE, 1, 4 * E);
	do_on(2, HEARTH_OP_READ, 3, 4 * E - 3);
	assert_int_equal(remote_stores(), 0);
	assert_true(rig.nr_sent >= 3);
	end();
}

static struct req *traveller;

/* The CPUs of the next node go, and come back, while a request is on its way. */
static void cpus_may_go_and_come_meanwhile(void **state)
{
	unsigned int without, i;

	(void)state;
	for (without = 0; without < 16; without++) {
		start_nodes(4, HEARTH_HOME_STRIPE, HEARTH_DISPATCH_HOME);
		do_on(0, HEARTH_OP_READ, 0, 16 * E);
		shim_nid = 1;
		traveller = rig_req(&rig, HEARTH_OP_READ, 3, 12 * E);
		req_set_pages(traveller, 1);
		rig_submit(traveller);
		for (i = 0; rig.nr_runnable; i++) {
			assert_in_range(i, 0, 4);
			shim_cpuless = i & 1 ? 0 : without;
			rig_run(&rig, 0);
		}
		assert_done(traveller);
		for (i = 0; i < traveller->nr_sectors; i++)
			assert_int_equal(req_value(traveller, i),
					 sector_value(1, 3 + i));
		req_free(traveller);
		end();
	}
}

/* So may the administrator's mind. */
static void dispatch_may_change_meanwhile(void **state)
{
	unsigned int i, to;

	(void)state;
	for (to = HEARTH_DISPATCH_INLINE; to <= HEARTH_DISPATCH_AUTO; to++) {
		start_nodes(4, HEARTH_HOME_STRIPE, HEARTH_DISPATCH_HOME);
		do_on(0, HEARTH_OP_READ, 0, 16 * E);
		traveller = rig_req(&rig, HEARTH_OP_READ, 3, 12 * E);
		req_set_pages(traveller, 0);
		rig_submit(traveller);
		rig_run(&rig, 0);
		hearth_cache_set_dispatch(rig.cache, to);
		rig_drain(&rig);
		for (i = 0; i < traveller->nr_sectors; i++)
			assert_int_equal(req_value(traveller, i),
					 sector_value(1, 3 + i));
		req_free(traveller);
		end();
	}
}

static void one_node_hands_nothing_over(void **state)
{
	struct rig_config config = {
		.nr_nodes = 1, .nr_sectors = 64 * E, .frames = { 400 },
		.home = HEARTH_HOME_STRIPE, .dispatch = HEARTH_DISPATCH_HOME,
	};

	(void)state;
	rig_init(&rig, &config);
	assert_int_equal(rig.cache->dispatch, HEARTH_DISPATCH_INLINE);
	do_write(&rig, 1, 4 * E);
	do_read(&rig, 2, 4 * E);
	assert_int_equal(rig.nr_sent, 0);
	assert_int_equal(remote(), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inline_copies_from_afar),
		cmocka_unit_test(a_hit_is_copied_at_home_into_a_page_from_there),
		cmocka_unit_test(a_miss_is_copied_at_home),
		cmocka_unit_test(whole_pages_need_no_journey),
		cmocka_unit_test(under_touch_a_write_of_whole_pages_stays),
		cmocka_unit_test(a_write_is_stored_at_home),
		cmocka_unit_test(a_request_visits_each_node_once),
		cmocka_unit_test(reads_over_borders_load_little_from_afar),
		cmocka_unit_test(auto_hands_over_what_is_large),
		cmocka_unit_test(other_memory_is_filled_where_it_lies),
		cmocka_unit_test(want_of_a_page_makes_it_a_remote_copy),
		cmocka_unit_test(a_node_without_cpus_is_copied_from_afar),
		cmocka_unit_test(a_node_without_memory_has_its_data_at_others),
		cmocka_unit_test(cpus_may_go_and_come_meanwhile),
		cmocka_unit_test(dispatch_may_change_meanwhile),
		cmocka_unit_test(one_node_hands_nothing_over),
	};

	return run_suite("home", tests);
}
