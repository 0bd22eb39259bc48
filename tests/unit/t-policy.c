// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Replacement: which frame goes next.
 *
 * Block n is frame n of the LUN.  The tests keep a cache of @size blocks as
 * hearth_pool_get_page() does: who comes in when it is full displaces a victim.
 */
#include "suite.h"

#define NR_BLOCKS	8192

struct block {
	struct hearth_frame frame;
	struct hearth_extent extent;
	bool there;
};

static struct hearth_policy policy;
static struct block blocks[NR_BLOCKS];
static struct page some_page;
static unsigned long size, used;

static void begin_policy(unsigned long nr)
{
	unsigned int i;

	memset(blocks, 0, sizeof(blocks));
	memset(&policy, 0, sizeof(policy));
	size = nr;
	used = 0;
	assert_int_equal(hearth_policy_init(&policy, nr, 0), 0);
	for (i = 0; i < NR_BLOCKS; i++) {
		blocks[i].extent.key = i >> HEARTH_EXTENT_SHIFT;
		blocks[i].frame.extent = &blocks[i].extent;
		blocks[i].frame.index = i % HEARTH_EXTENT_FRAMES;
		blocks[i].frame.page = &some_page;
		blocks[i].frame.queue = HEARTH_QUEUE_NONE;
	}
}

static int end_policy(void **state)
{
	(void)state;
	hearth_policy_exit(&policy);
	memset(&policy, 0, sizeof(policy));
	assert_int_equal(shim_usage().chunks, 0);
	return 0;
}

/* The victim's number, or -1. */
static int evict(void)
{
	struct hearth_frame *frame = hearth_policy_victim(&policy);
	struct block *block = container_of(frame, struct block, frame);

	if (!frame)
		return -1;
	assert_int_equal(frame->queue, HEARTH_QUEUE_NONE);
	block->there = false;
	used--;
	return block - blocks;
}

/* A reference: returns whether it was a hit. */
static bool use(unsigned int nr)
{
	struct block *block = &blocks[nr];

	if (block->there) {
		hearth_policy_touch(&block->frame);
		return true;
	}
	if (used == size)
		assert_true(evict() >= 0);
	used++;
	block->there = true;
	block->frame.freq = 0;
	hearth_policy_insert(&policy, &block->frame);
	return false;
}

static void use_range(unsigned int from, unsigned int to)
{
	for (; from < to; from++)
		use(from);
}

static unsigned int nr_there(unsigned int from, unsigned int to)
{
	unsigned int nr = 0;

	for (; from < to; from++)
		nr += blocks[from].there;
	return nr;
}

static enum hearth_queue queue_of(unsigned int nr)
{
	return blocks[nr].frame.queue;
}

static void an_empty_cache_has_no_victim(void **state)
{
	(void)state;
	begin_policy(100);
	assert_int_equal(evict(), -1);
}

static void what_is_never_hit_goes_in_order(void **state)
{
	int i;

	(void)state;
	begin_policy(100);
	use_range(0, 100);
	for (i = 0; i < 100; i++)
		assert_int_equal(evict(), i);
	assert_int_equal(evict(), -1);
}

static void a_hit_leads_from_small_to_main(void **state)
{
	(void)state;
	begin_policy(100);
	use_range(0, 100);
	use(0);
	assert_int_equal(queue_of(0), HEARTH_QUEUE_SMALL);
	assert_int_equal(evict(), 1);
	assert_int_equal(queue_of(0), HEARTH_QUEUE_MAIN);
	assert_int_equal(blocks[0].frame.freq, 0);
}

static void hits_saturate_and_store_no_more(void **state)
{
	unsigned int i;

	(void)state;
	begin_policy(100);
	use(0);
	for (i = 0; i < 300; i++)
		use(0);
	assert_int_equal(blocks[0].frame.freq, HEARTH_FREQ_MAX);
}

static void a_hit_in_main_earns_another_round(void **state)
{
	(void)state;
	begin_policy(90);
	use_range(0, 90);
	use_range(0, 50);		/* they go to main when looked at */
	assert_int_equal(evict(), 50);
	assert_int_equal(policy.nr[HEARTH_QUEUE_MAIN], 50);
	use(0);
	while (queue_of(1) == HEARTH_QUEUE_MAIN)
		evict();
	assert_int_equal(queue_of(0), HEARTH_QUEUE_MAIN);
	assert_int_equal(blocks[0].frame.freq, 0);
}

static void a_scan_displaces_nothing_from_main(void **state)
{
	unsigned int i, nr;

	(void)state;
	begin_policy(300);
	for (i = 0; i < 3; i++)
		use_range(0, 180);	/* the working set */
	use_range(300, 2000);		/* sends it to main, then passes */
	/* finding a victim ends after so many second chances */
	nr = nr_there(0, 180);
	assert_in_range(nr, 175, 180);
	use_range(2000, 8000);
	assert_int_equal(nr_there(0, 180), nr);
}

static void a_ghost_returns_to_main(void **state)
{
	(void)state;
	begin_policy(90);
	use_range(0, 90);
	use(90);			/* displaces 0 */
	assert_false(blocks[0].there);
	assert_false(use(0));
	assert_int_equal(queue_of(0), HEARTH_QUEUE_MAIN);
	assert_int_equal(queue_of(90), HEARTH_QUEUE_SMALL);
}

/* Each of many ghosts is known, not only the last few. */
static void many_ghosts_are_remembered(void **state)
{
	unsigned int i, known = 0;

	(void)state;
	begin_policy(900);
	use_range(0, 1300);		/* 400 of them are ghosts */
	for (i = 0; i < 400; i++) {
		use(i);
		known += queue_of(i) == HEARTH_QUEUE_MAIN;
	}
	assert_in_range(known, 340, 400);
}

static void a_ghost_is_forgotten_in_time(void **state)
{
	(void)state;
	begin_policy(90);
	use_range(0, 90);
	use_range(90, 90 + 200);	/* 0 went 200 ghosts ago */
	use(0);
	assert_int_equal(queue_of(0), HEARTH_QUEUE_SMALL);
}

static void a_ghost_returns_once(void **state)
{
	(void)state;
	begin_policy(90);
	use_range(0, 91);
	use(0);
	assert_int_equal(queue_of(0), HEARTH_QUEUE_MAIN);
	hearth_policy_renew(&policy, &blocks[0].frame);
	assert_int_equal(queue_of(0), HEARTH_QUEUE_SMALL);
}

static void a_stranger_is_no_ghost(void **state)
{
	unsigned int i;

	(void)state;
	begin_policy(1000);
	use_range(0, 4000);
	for (i = 4000; i < NR_BLOCKS; i++) {
		use(i);
		assert_int_equal(queue_of(i), HEARTH_QUEUE_SMALL);
	}
}

static void popular_frames_still_yield_a_victim(void **state)
{
	unsigned int i, j;

	(void)state;
	begin_policy(2000);
	for (i = 0; i < 2000; i++) {
		for (j = 0; j <= HEARTH_FREQ_MAX; j++)
			use(i);
	}
	for (i = 0; i < 2000; i++)
		assert_true(evict() >= 0);
	assert_int_equal(evict(), -1);
}

/* A cache of one frame, and of few, has a small queue of none. */
static void tiny_caches_work(void **state)
{
	unsigned int nr;

	(void)state;
	for (nr = 1; nr < 8; nr++) {
		begin_policy(nr);
		use_range(0, 500);
		use_range(0, 20);
		assert_int_equal(used, nr);
		end_policy(state);
	}
}

static void an_empty_frame_goes_first(void **state)
{
	(void)state;
	begin_policy(3);
	use_range(0, 3);
	use(2);
	blocks[2].frame.page = NULL;
	hearth_policy_demote(&policy, &blocks[2].frame);
	assert_int_equal(evict(), 2);
	/* it was not judged too early, it was discarded */
	blocks[2].frame.page = &some_page;
	use(2);
	assert_int_equal(queue_of(2), HEARTH_QUEUE_SMALL);
}

static void a_renewed_frame_is_the_youngest(void **state)
{
	(void)state;
	begin_policy(3);
	use_range(0, 3);
	hearth_policy_demote(&policy, &blocks[1].frame);
	hearth_policy_renew(&policy, &blocks[1].frame);
	assert_int_equal(evict(), 0);
	assert_int_equal(evict(), 2);
	assert_int_equal(evict(), 1);
}

static void what_is_not_queued_stays_so(void **state)
{
	(void)state;
	begin_policy(2);
	use_range(0, 2);
	assert_int_equal(evict(), 0);
	hearth_policy_demote(&policy, &blocks[0].frame);
	assert_int_equal(queue_of(0), HEARTH_QUEUE_NONE);
	hearth_policy_renew(&policy, &blocks[0].frame);
	assert_int_equal(queue_of(0), HEARTH_QUEUE_NONE);
	assert_int_equal(evict(), 1);
	assert_int_equal(evict(), -1);
}

static void a_victim_that_cannot_go_returns_to_main(void **state)
{
	struct hearth_frame *victim;

	(void)state;
	begin_policy(3);
	use_range(0, 3);
	victim = hearth_policy_victim(&policy);
	assert_ptr_equal(victim, &blocks[0].frame);
	hearth_policy_return(&policy, victim);
	assert_int_equal(queue_of(0), HEARTH_QUEUE_MAIN);
	assert_int_equal(evict(), 1);
}

static void a_policy_without_memory_is_refused(void **state)
{
	(void)state;
	memset(&policy, 0, sizeof(policy));
	shim_fail_in = 1;
	assert_int_equal(hearth_policy_init(&policy, 100, 0), -ENOMEM);
	shim_fail_in = 0;
}

#define policy_test(f)	cmocka_unit_test_teardown(f, end_policy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		policy_test(an_empty_cache_has_no_victim),
		policy_test(what_is_never_hit_goes_in_order),
		policy_test(a_hit_leads_from_small_to_main),
		policy_test(hits_saturate_and_store_no_more),
		policy_test(a_hit_in_main_earns_another_round),
		policy_test(a_scan_displaces_nothing_from_main),
		policy_test(a_ghost_returns_to_main),
		policy_test(many_ghosts_are_remembered),
		policy_test(a_ghost_is_forgotten_in_time),
		policy_test(a_ghost_returns_once),
		policy_test(a_stranger_is_no_ghost),
		policy_test(popular_frames_still_yield_a_victim),
		policy_test(tiny_caches_work),
		policy_test(an_empty_frame_goes_first),
		policy_test(a_renewed_frame_is_the_youngest),
		policy_test(what_is_not_queued_stays_so),
		policy_test(a_victim_that_cannot_go_returns_to_main),
		policy_test(a_policy_without_memory_is_refused),
	};

	return run_suite("policy", tests);
}
