// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of a cache, its map of stripes, its counters.
 */
#include "suite.h"

static struct rig rig;

static void start_shares(unsigned int nr_nodes, const unsigned long *shares,
			 u64 stripe_bytes)
{
	struct rig_config config = {
		.nr_nodes = nr_nodes, .nr_sectors = 64 * E,
		.home = HEARTH_HOME_STRIPE, .stripe_bytes = stripe_bytes,
	};
	unsigned int i;

	for (i = 0; i < nr_nodes; i++)
		config.frames[i] = shares[i];
	rig_init(&rig, &config);
}

/* How many of the first 64 stripes belong to a node. */
static unsigned int stripes_of(int nid)
{
	unsigned int nr = 0;
	u64 i;

	for (i = 0; i < HEARTH_STRIPE_SLOTS; i++)
		nr += hearth_cache_shard(rig.cache,
					 i << rig.cache->stripe_shift) == nid;
	return nr;
}

static void an_unused_cache_can_be_freed(void **state)
{
	(void)state;
	start(&rig, 1, 1);
	finish(&rig);
}

static void a_full_cache_can_be_freed(void **state)
{
	static const unsigned long shares[] = { 40, 0, 60, 7 };
	unsigned int i;

	(void)state;
	start_shares(4, shares, 0);
	for (i = 0; i < 64; i++)
		do_write(&rig, i * E + i, 3 * F);
	finish(&rig);
}

static void a_cache_without_shares_is_refused(void **state)
{
	static const unsigned long none[] = { 0, 0 };
	struct hearth_cache_params p = {
		.size_bytes = 1 << 20, .block_bytes = 512,
		.stripe_bytes = HEARTH_EXTENT_BYTES, .nr_pages = none,
	};

	(void)state;
	nr_node_ids = 2;
	assert_int_equal(hearth_core_init(), 0);
	assert_null(hearth_cache_alloc(&p));
	hearth_core_exit();
	assert_int_equal(shim_usage().chunks, 0);
}

static void one_node_has_every_stripe(void **state)
{
	static const unsigned long shares[] = { 0, 100 };

	(void)state;
	start_shares(2, shares, 0);
	assert_int_equal(rig.cache->nr_stripe_slots, 1);
	assert_int_equal(stripes_of(1), HEARTH_STRIPE_SLOTS);
	finish(&rig);
}

static void equal_nodes_take_turns(void **state)
{
	static const unsigned long shares[] = { 100, 100, 100, 100 };
	unsigned int i;

	(void)state;
	start_shares(4, shares, 1 << 20);
	for (i = 0; i < 64; i++)
		assert_int_equal(hearth_cache_shard(rig.cache, (u64)i << 20),
				 i % 4);
	assert_int_equal(hearth_cache_shard(rig.cache, (1 << 20) - 1), 0);
	finish(&rig);
}

static void stripes_follow_the_shares(void **state)
{
	static const unsigned long shares[] = { 300, 0, 100, 400 };

	(void)state;
	start_shares(4, shares, 0);
	assert_int_equal(stripes_of(0), 24);
	assert_int_equal(stripes_of(1), 0);
	assert_int_equal(stripes_of(2), 8);
	assert_int_equal(stripes_of(3), 32);
	finish(&rig);
}

static void a_stripe_beyond_the_map_starts_over(void **state)
{
	static const unsigned long shares[] = { 100, 300 };
	u64 stripe = HEARTH_EXTENT_BYTES;
	int near, far;
	u64 i;

	(void)state;
	start_shares(2, shares, stripe);
	for (i = 0; i < 64; i++) {
		near = hearth_cache_shard(rig.cache, i * stripe);
		far = hearth_cache_shard(rig.cache, (i + 64000) * stripe);
		assert_int_equal(near, far);
	}
	finish(&rig);
}

static void hits_and_misses_count_frames(void **state)
{
	(void)state;
	start(&rig, 64, 8 * E);
	do_read(&rig, 3, 2 * F);
	assert_int_equal(rig_count(&rig, HEARTH_MISSES), 3);
	assert_int_equal(rig_count(&rig, HEARTH_HITS), 0);
	do_read(&rig, 3, 3 * F);
	assert_int_equal(rig_count(&rig, HEARTH_MISSES), 4);
	assert_int_equal(rig_count(&rig, HEARTH_HITS), 3);
	do_write(&rig, 3, 3 * F);
	assert_int_equal(rig_count(&rig, HEARTH_MISSES), 4);
	assert_int_equal(rig_count(&rig, HEARTH_HITS), 3);
	finish(&rig);
}

static void copy(int cpu_nid, int memory_nid)
{
	struct req *req = rig_req(&rig, HEARTH_OP_WRITE, 0, F);

	shim_nid = cpu_nid;
	req_set_memory(req, memory_nid, 0, 0);
	rig_submit(req);
	rig_drain(&rig);
	req_free(req);
	shim_nid = 0;
}

static void bytes_are_local_if_cpu_and_memory_are(void **state)
{
	static const unsigned long shares[] = { 10, 0 };

	(void)state;
	start_shares(2, shares, 0);
	copy(0, 0);
	assert_int_equal(rig_count(&rig, HEARTH_LOCAL_BYTES), 4096);
	copy(1, 0);
	copy(0, 1);
	copy(1, 1);
	assert_int_equal(rig_count(&rig, HEARTH_LOCAL_BYTES), 4096);
	assert_int_equal(rig_count(&rig, HEARTH_REMOTE_BYTES), 3 * 4096);
	finish(&rig);
}

static void counters_are_summed_over_cpus(void **state)
{
	(void)state;
	start(&rig, 64, 8 * E);
	for (shim_cpu = 0; shim_cpu < SHIM_MAX_CPUS; shim_cpu++)
		do_read(&rig, shim_cpu * F, 1);
	shim_cpu = 0;
	assert_int_equal(rig_count(&rig, HEARTH_MISSES), SHIM_MAX_CPUS);
	finish(&rig);
}

static void a_node_without_a_share_has_no_frames(void **state)
{
	static const unsigned long shares[] = { 10, 0 };

	(void)state;
	start_shares(2, shares, 0);
	assert_int_equal(hearth_cache_limit(rig.cache, 0), 11);
	assert_int_equal(hearth_cache_limit(rig.cache, 1), 0);
	assert_int_equal(hearth_cache_frames(rig.cache, 1), 0);
	finish(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unused_cache_can_be_freed),
		cmocka_unit_test(a_full_cache_can_be_freed),
		cmocka_unit_test(a_cache_without_shares_is_refused),
		cmocka_unit_test(one_node_has_every_stripe),
		cmocka_unit_test(equal_nodes_take_turns),
		cmocka_unit_test(stripes_follow_the_shares),
		cmocka_unit_test(a_stripe_beyond_the_map_starts_over),
		cmocka_unit_test(hits_and_misses_count_frames),
		cmocka_unit_test(bytes_are_local_if_cpu_and_memory_are),
		cmocka_unit_test(counters_are_summed_over_cpus),
		cmocka_unit_test(a_node_without_a_share_has_no_frames),
	};

	return run_suite("cache", tests);
}
