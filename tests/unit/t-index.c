// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The index: extents come with their first use and go with their last.
 */
#include "suite.h"

static struct rig rig;

static bool is_there(u64 key)
{
	bool there;

	rcu_read_lock();
	there = hearth_extent_find(rig.cache, key);
	rcu_read_unlock();
	return there;
}

static void an_extent_comes_with_its_first_frame(void **state)
{
	(void)state;
	start(&rig, 64, 8 * E);
	assert_false(is_there(3));
	assert_int_equal(do_read(&rig, 3 * E + F, 1), 0);
	assert_true(is_there(3));
	assert_false(is_there(2));
	assert_false(is_there(4));
	finish(&rig);
}

static void an_extent_goes_with_its_last_frame(void **state)
{
	long nr_before;
	unsigned int i;

	(void)state;
	start(&rig, 1, 8 * E);
	do_read(&rig, 0, 1);
	nr_before = shim_usage().objects;
	for (i = 1; i < 8; i++)
		do_read(&rig, i * E, 1);
	assert_false(is_there(0));
	assert_true(is_there(7));
	assert_int_equal(shim_usage().objects, nr_before);
	finish(&rig);
}

static void an_extent_outlives_the_section_that_found_it(void **state)
{
	struct hearth_extent *ext;

	(void)state;
	start(&rig, 1, 8 * E);
	do_read(&rig, 0, 1);
	rcu_read_lock();
	ext = hearth_extent_find(rig.cache, 0);
	rig.is_nested = true;
	do_read(&rig, E, 1);
	rig.is_nested = false;
	assert_true(ext->dead);
	assert_null(hearth_extent_find(rig.cache, 0));
	rcu_read_unlock();
	finish(&rig);
}

static void locking_makes_an_extent_once(void **state)
{
	struct hearth_extent *ext;

	(void)state;
	start(&rig, 8, 8 * E);
	ext = hearth_extent_lock(rig.cache, 5);
	assert_non_null(ext);
	assert_int_equal(ext->key, 5);
	spin_unlock(&ext->lock);
	assert_ptr_equal(hearth_extent_lock(rig.cache, 5), ext);
	spin_unlock(&ext->lock);
	rcu_read_lock();
	hearth_extent_reap(rig.cache, ext);
	rcu_read_unlock();
	assert_false(is_there(5));
	finish(&rig);
}

static void an_extent_in_use_is_not_reaped(void **state)
{
	(void)state;
	start(&rig, 8, 8 * E);
	do_read(&rig, 0, 1);
	rcu_read_lock();
	hearth_extent_reap(rig.cache, hearth_extent_find(rig.cache, 0));
	rcu_read_unlock();
	assert_true(is_there(0));
	finish(&rig);
}

struct visits {
	u64 seen;
	unsigned int left;
};

static bool visit(struct hearth_extent *ext, void *arg)
{
	struct visits *v = arg;

	lockdep_assert_held(&ext->lock);
	assert_false(v->seen & BIT(ext->key));
	v->seen |= BIT(ext->key);
	return !--v->left;
}

/* A LUN of 60 extents, of which every third is there. */
static void walk(u64 first, u64 last, unsigned int left, struct visits *v)
{
	bool ended;

	*v = (struct visits){ .left = left };
	ended = hearth_index_walk(rig.cache, first, last, visit, v);
	assert_int_equal(ended, !v->left);
}

static void a_walk_visits_what_is_in_the_range(void **state)
{
	struct visits v;
	unsigned int i;
	u64 all = 0;

	(void)state;
	start(&rig, 100, 60 * E);
	for (i = 0; i < 60; i += 3) {
		do_read(&rig, i * E, 1);
		all |= BIT(i);
	}
	walk(0, 59, 100, &v);
	assert_int_equal(v.seen, all);
	walk(0, 1000000, 100, &v);	/* by bucket */
	assert_int_equal(v.seen, all);
	walk(6, 9, 100, &v);
	assert_int_equal(v.seen, BIT(6) | BIT(9));
	walk(7, 8, 100, &v);
	assert_int_equal(v.seen, 0);
	finish(&rig);
}

static void a_walk_ends_when_the_visitor_says_so(void **state)
{
	struct visits v;
	unsigned int i;

	(void)state;
	start(&rig, 100, 60 * E);
	for (i = 0; i < 60; i++)
		do_read(&rig, i * E, 1);
	walk(0, 59, 5, &v);
	assert_int_equal(__builtin_popcountll(v.seen), 5);
	walk(0, 1000000, 5, &v);
	assert_int_equal(__builtin_popcountll(v.seen), 5);
	finish(&rig);
}

static void extents_of_one_bucket_are_told_apart(void **state)
{
	struct visits v;
	unsigned int i;

	(void)state;
	start(&rig, 1000, 500 * E);	/* 500 extents in 256 buckets */
	for (i = 0; i < 500; i++)
		do_write(&rig, i * E + i % E, 1);
	for (i = 0; i < 500; i++)
		assert_true(rig_hits(&rig, i * E + i % E, 1));
	walk(10, 12, 100, &v);
	assert_int_equal(v.seen, BIT(10) | BIT(11) | BIT(12));
	finish(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_extent_comes_with_its_first_frame),
		cmocka_unit_test(an_extent_goes_with_its_last_frame),
		cmocka_unit_test(an_extent_outlives_the_section_that_found_it),
		cmocka_unit_test(locking_makes_an_extent_once),
		cmocka_unit_test(an_extent_in_use_is_not_reaped),
		cmocka_unit_test(a_walk_visits_what_is_in_the_range),
		cmocka_unit_test(a_walk_ends_when_the_visitor_says_so),
		cmocka_unit_test(extents_of_one_bucket_are_told_apart),
	};

	return run_suite("index", tests);
}
