// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several LUNs on one node: what each is guaranteed, what they share.
 *
 * Caches are filled directly from their pools; nothing is read.
 */
#include "suite.h"
#include "share.h"

#define MAX	1000		/* of each, so that no one reaches it */
#define MIN	100
#define COMMONS	600

static struct hearth_cache *caches[3];

static struct hearth_cache *make(unsigned long min, unsigned long max)
{
	const unsigned long mins[] = { min }, maxs[] = { max };
	struct hearth_cache_params p = {
		.size_bytes = 1ull << 40, .block_bytes = 512,
		.stripe_bytes = HEARTH_EXTENT_BYTES,
		.nr_pages = maxs, .min_pages = mins,
	};
	struct hearth_cache *cache = hearth_cache_alloc(&p);

	assert_non_null(cache);
	return cache;
}

static void begin_shares(unsigned int nr)
{
	unsigned int i;

	nr_node_ids = 1;
	assert_int_equal(hearth_core_init(), 0);
	hearth_share_set_commons(0, COMMONS);
	for (i = 0; i < nr; i++)
		caches[i] = make(MIN, MAX);
}

static void end_shares(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(caches); i++) {
		if (caches[i])
			hearth_cache_free(caches[i]);
		caches[i] = NULL;
	}
	hearth_core_exit();
	assert_int_equal(shim_usage().pages + shim_usage().chunks +
			 shim_usage().objects, 0);
}

/* Puts one frame more into the cache; returns whether there was room. */
static bool add_frame(struct hearth_cache *cache, u64 nr)
{
	struct page *page = hearth_pool_get_page(cache, 0, NULL, false);
	struct hearth_frame *frame;
	struct hearth_extent *ext;

	if (!page)
		return false;
	frame = hearth_frame_alloc(cache, 0);
	ext = hearth_extent_lock(cache, nr >> HEARTH_EXTENT_SHIFT);
	frame->extent = ext;
	frame->index = nr % HEARTH_EXTENT_FRAMES;
	frame->page = page;
	frame->valid = HEARTH_FRAME_ALL;
	ext->frames[frame->index] = frame;
	ext->nr_frames++;
	hearth_pool_insert(cache, frame);
	spin_unlock(&ext->lock);
	hearth_pools_trim(cache);
	return true;
}

static u64 next_frame;

static void fill(struct hearth_cache *cache, unsigned int nr)
{
	while (nr--)
		assert_true(add_frame(cache, next_frame++));
}

static unsigned long limit(unsigned int i)
{
	return hearth_cache_limit(caches[i], 0);
}

static void check_all(void)
{
	unsigned long lent = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(caches); i++) {
		if (!caches[i])
			continue;
		assert_in_range(limit(i), MIN, MAX);
		assert_true(hearth_cache_memory(caches[i], 0) <=
			    limit(i) * PAGE_SIZE);
		lent += limit(i) - MIN;
	}
	assert_in_range(lent, 0, COMMONS);
}

static void one_alone_may_use_all_that_is_shared(void **state)
{
	(void)state;
	begin_shares(2);
	assert_int_equal(limit(0), MIN);
	fill(caches[0], 2000);
	check_all();
	assert_in_range(limit(0), MIN + COMMONS - 32, MIN + COMMONS);
	assert_int_equal(limit(1), MIN);
	end_shares();
}

static void a_guarantee_is_there_at_once_and_costs_nobody_anything(void **state)
{
	u64 before;

	(void)state;
	begin_shares(2);
	fill(caches[0], 2000);
	before = hearth_cache_frames(caches[0], 0);
	fill(caches[1], MIN - 10);
	assert_int_equal(hearth_cache_frames(caches[1], 0), MIN - 10);
	assert_int_equal(hearth_cache_frames(caches[0], 0), before);
	check_all();
	end_shares();
}

static void who_wants_more_takes_from_who_has_more(void **state)
{
	unsigned int i;

	(void)state;
	begin_shares(3);
	fill(caches[0], 2000);
	fill(caches[1], 2000);
	check_all();
	assert_in_range(limit(0), MIN + COMMONS / 2 - 64, MIN + COMMONS / 2 + 64);
	assert_in_range(limit(1), MIN + COMMONS / 2 - 64, MIN + COMMONS / 2 + 64);
	for (i = 0; i < 100; i++) {	/* all at once */
		fill(caches[0], 20);
		fill(caches[1], 20);
		fill(caches[2], 20);
		check_all();
	}
	for (i = 0; i < 3; i++)
		assert_in_range(limit(i), MIN + COMMONS / 3 - 64,
				MIN + COMMONS / 3 + 64);
	end_shares();
}

/* Who has as much as the others does not take it from them in turns. */
static void equal_loans_stay(void **state)
{
	unsigned long before[2];
	unsigned int i;

	(void)state;
	begin_shares(2);
	for (i = 0; i < 40; i++) {
		fill(caches[0], 50);
		fill(caches[1], 50);
	}
	before[0] = limit(0);
	before[1] = limit(1);
	for (i = 0; i < 40; i++) {
		fill(caches[i % 2], 50);
		assert_int_equal(limit(0), before[0]);
		assert_int_equal(limit(1), before[1]);
	}
	end_shares();
}

/* A stream that never ends takes nothing of what an idle LUN is guaranteed. */
static void the_greedy_do_not_touch_a_guarantee(void **state)
{
	unsigned int i;

	(void)state;
	begin_shares(3);
	fill(caches[2], MIN - 10);
	for (i = 0; i < 50; i++) {
		fill(caches[0], 100);
		fill(caches[1], 100);
		assert_int_equal(hearth_cache_frames(caches[2], 0), MIN - 10);
	}
	check_all();
	end_shares();
}

static void the_maximum_is_kept(void **state)
{
	(void)state;
	begin_shares(1);
	caches[1] = make(MIN, MIN + 50);
	fill(caches[1], 1000);
	assert_int_equal(limit(1), MIN + 50);
	fill(caches[0], 2000);
	fill(caches[1], 1000);
	assert_int_equal(limit(1), MIN + 50);
	end_shares();
}

static void what_was_lent_comes_back(void **state)
{
	(void)state;
	begin_shares(2);
	fill(caches[0], 2000);
	hearth_cache_drop(caches[0]);
	assert_in_range(limit(0), MIN, MIN + 64);
	fill(caches[1], 2000);
	assert_in_range(limit(1), MIN + COMMONS - 64, MIN + COMMONS);
	hearth_cache_free(caches[1]);
	caches[1] = NULL;
	fill(caches[0], 2000);
	assert_in_range(limit(0), MIN + COMMONS - 32, MIN + COMMONS);
	end_shares();
}

/* A new LUN's guarantee is taken out of the commons. */
static void fewer_commons_are_called_in(void **state)
{
	(void)state;
	begin_shares(2);
	fill(caches[0], 2000);
	hearth_share_set_commons(0, COMMONS - MIN);
	assert_in_range(limit(0), MIN + COMMONS - MIN - 32,
			MIN + COMMONS - MIN);
	assert_true(hearth_cache_memory(caches[0], 0) <= limit(0) * PAGE_SIZE);
	hearth_share_set_commons(0, 0);
	assert_int_equal(limit(0), MIN);
	assert_true(hearth_cache_memory(caches[0], 0) <= MIN * PAGE_SIZE);
	end_shares();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_alone_may_use_all_that_is_shared),
		cmocka_unit_test(a_guarantee_is_there_at_once_and_costs_nobody_anything),
		cmocka_unit_test(who_wants_more_takes_from_who_has_more),
		cmocka_unit_test(equal_loans_stay),
		cmocka_unit_test(the_greedy_do_not_touch_a_guarantee),
		cmocka_unit_test(the_maximum_is_kept),
		cmocka_unit_test(what_was_lent_comes_back),
		cmocka_unit_test(fewer_commons_are_called_in),
	};

	return run_suite("share", tests);
}
