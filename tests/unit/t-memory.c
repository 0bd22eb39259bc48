// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Want of memory: every allocation fails once, for every one there is, and no
 * request notices.
 */
#include "suite.h"

static struct rig rig;
static const unsigned long shares[] = { 12, 9 };

/* Something of everything; requests overlap. */
static void scenario(void)
{
	static const struct {
		enum hearth_op op;
		u32 sector, nr;
	} ops[] = {
		{ HEARTH_OP_READ, 3, 20 },	{ HEARTH_OP_WRITE, 9, 1 },
		{ HEARTH_OP_WRITE, 0, 100 },	{ HEARTH_OP_READ, 0, 128 },
		{ HEARTH_OP_DISCARD, 10, 50 },	{ HEARTH_OP_READ, 125, 9 },
		{ HEARTH_OP_WRITE_SAME, 5, 9 },	{ HEARTH_OP_WRITE, 120, 40 },
		{ HEARTH_OP_FLUSH, 0, 0 },	{ HEARTH_OP_READ, 0, 200 },
		{ HEARTH_OP_WRITE, 300, 300 },	{ HEARTH_OP_READ, 290, 20 },
	};
	struct req *reqs[2];
	unsigned int i, j;

	for (i = 0; i < 12; i += 2) {
		for (j = 0; j < 2; j++)
			reqs[j] = begin(&rig, ops[i + j].op, ops[i + j].sector,
					ops[i + j].nr);
		rig_drain(&rig);
		for (j = 0; j < 2; j++) {
			assert_int_equal(reqs[j]->io.error, 0);
			req_free(reqs[j]);
		}
	}
}

static void start_scenario(void)
{
	struct rig_config config = {
		.nr_nodes = 2, .nr_sectors = 8 * E,
		.home = HEARTH_HOME_STRIPE,
	};

	memcpy(config.frames, shares, sizeof(shares));
	rig_init(&rig, &config);
}

/* Fails the @n-th allocation, and every @every-th after it. */
static bool fails_within(long n, long every)
{
	bool reached;

	start_scenario();
	shim_fail_in = n;
	shim_fail_every = every;
	scenario();
	reached = !shim_fail_in || every;
	shim_fail_in = 0;
	finish(&rig);
	return reached;
}

static void any_one_allocation_may_fail(void **state)
{
	long n = 1;

	(void)state;
	while (fails_within(n, 0))
		n++;
	assert_in_range(n, 50, 10000);
}

static void every_allocation_from_any_on_may_fail(void **state)
{
	long n;

	(void)state;
	for (n = 1; n < 200; n++)
		fails_within(n, 1);
}

static void all_but_some_allocations_may_fail(void **state)
{
	long every;

	(void)state;
	for (every = 2; every < 20; every++)
		fails_within(1, every);
}

static void a_cache_that_cannot_be_made_leaves_nothing(void **state)
{
	struct hearth_cache_params p = {
		.size_bytes = 1 << 20, .block_bytes = 512,
		.stripe_bytes = HEARTH_EXTENT_BYTES, .nr_pages = shares,
	};
	struct hearth_cache *cache = NULL;
	unsigned int n;

	(void)state;
	nr_node_ids = 2;
	assert_int_equal(hearth_core_init(), 0);
	shim_fail_every = 0;
	for (n = 1; !cache; n++) {
		shim_fail_in = n;
		cache = hearth_cache_alloc(&p);
		assert_true(cache || !shim_fail_in);
		assert_int_equal(shim_usage().chunks - 3, cache ? 10 : 0);
	}
	shim_fail_in = 0;
	assert_int_equal(n, 12);
	hearth_cache_free(cache);
	hearth_core_exit();
	assert_int_equal(shim_usage().chunks, 0);
}

static void a_core_that_cannot_start_leaves_nothing(void **state)
{
	long n;

	(void)state;
	for (n = 1; n <= 3; n++) {
		shim_fail_in = n;
		assert_int_equal(hearth_core_init(), -ENOMEM);
		assert_int_equal(shim_usage().chunks, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_one_allocation_may_fail),
		cmocka_unit_test(every_allocation_from_any_on_may_fail),
		cmocka_unit_test(all_but_some_allocations_may_fail),
		cmocka_unit_test(a_cache_that_cannot_be_made_leaves_nothing),
		cmocka_unit_test(a_core_that_cannot_start_leaves_nothing),
	};

	return run_suite("memory", tests);
}
