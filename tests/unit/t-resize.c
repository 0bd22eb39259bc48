// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * More and less memory for a cache in use: resizing, shrinking under pressure,
 * dropping, pinning, pausing.
 */
#include "suite.h"
#include "pin.h"

#define NR	400	/* pages of the cache */

static struct rig rig;

static void start_pages(unsigned long nr_pages)
{
	struct rig_config config = {
		.nr_nodes = 1, .nr_pages = { nr_pages }, .nr_sectors = 4 * NR * F,
	};

	rig_init(&rig, &config);
}

static void resize(unsigned long nr_pages)
{
	const unsigned long pages[] = { nr_pages };

	assert_int_equal(hearth_cache_can_resize(rig.cache, 0, nr_pages), 0);
	assert_int_equal(hearth_cache_resize(rig.cache, pages, pages), 0);
}

static unsigned long frames(void)
{
	return hearth_cache_frames(rig.cache, 0);
}

static void read_frames(u32 from, u32 to)
{
	for (; from < to; from += 8)
		do_read(&rig, from * F, min(8U, to - from) * F);
}

static unsigned int nr_there(u32 from, u32 to)
{
	unsigned int nr = 0;

	for (; from < to; from++)
		nr += rig_hits(&rig, from * F, F);
	return nr;
}

static void a_larger_cache_keeps_more(void **state)
{
	unsigned long before;

	(void)state;
	start_pages(NR);
	read_frames(0, 3 * NR);
	before = frames();
	assert_in_range(before, NR - 12, NR);
	resize(3 * NR);
	assert_int_equal(frames(), before);
	read_frames(0, 3 * NR);
	assert_in_range(frames(), 3 * NR - 40, 3 * NR);
	assert_in_range(hearth_cache_memory(rig.cache, 0),
			(3 * NR - 10) * PAGE_SIZE, 3 * NR * PAGE_SIZE);
	finish(&rig);
}

static void a_smaller_cache_gives_memory_back(void **state)
{
	(void)state;
	start_pages(NR);
	read_frames(0, NR);
	resize(100);
	assert_in_range(shim_usage().pages, 80, 99);
	assert_in_range(hearth_cache_memory(rig.cache, 0), 0, 100 * PAGE_SIZE);
	assert_in_range(nr_there(0, NR), 80, 99);
	read_frames(NR, 2 * NR);
	assert_in_range(shim_usage().pages, 80, 99);
	resize(NR);
	read_frames(0, NR);
	assert_in_range(frames(), NR - 12, NR);
	finish(&rig);
}

static void what_is_hit_survives_the_shrinking(void **state)
{
	unsigned int i;

	(void)state;
	start_pages(NR);
	read_frames(0, NR - 20);
	for (i = 0; i < 4; i++)
		assert_int_equal(nr_there(100, 140), 40);
	resize(100);
	assert_int_equal(nr_there(100, 140), 40);
	finish(&rig);
}

/* Frames that are claimed go when their requests end. */
static void claimed_frames_go_later(void **state)
{
	struct req *reqs[9] = { };
	unsigned int i;

	(void)state;
	start_pages(NR);
	for (i = 0; i < 8; i++)
		reqs[i] = begin(&rig, HEARTH_OP_READ, i * 40 * F, 40 * F);
	resize(100);
	assert_in_range(shim_usage().pages, 320, 330);
	for (i = 0; i < 8; i++) {
		assert_on_disk(reqs[i]);
		rig_finish_disk(reqs[i]);
		req_free(reqs[i]);
	}
	assert_in_range(shim_usage().pages, 60, 99);
	finish(&rig);
}

static void a_size_that_the_index_cannot_bear_is_refused(void **state)
{
	(void)state;
	start_pages(NR);	/* 128 buckets */
	assert_int_equal(hearth_cache_can_resize(rig.cache, 0, 16 * 128), 0);
	assert_int_equal(hearth_cache_can_resize(rig.cache, 0, 16 * 128 + 1),
			 -E2BIG);
	assert_int_equal(hearth_cache_can_resize(rig.cache, 0, 17), -ENOSPC);
	finish(&rig);
}

static void want_of_memory_leaves_the_old_size(void **state)
{
	const unsigned long pages[] = { 2 * NR };
	unsigned int n;
	int ret = -ENOMEM;

	(void)state;
	start_pages(NR);
	read_frames(0, NR);
	for (n = 1; ret; n++) {
		shim_fail_in = n;
		ret = hearth_cache_resize(rig.cache, pages, pages);
		assert_true(!ret || ret == -ENOMEM);
		assert_int_equal(hearth_cache_limit(rig.cache, 0),
				 ret ? NR : 2 * NR);
	}
	shim_fail_in = 0;
	assert_int_equal(n, 4);
	finish(&rig);
}

static void pressure_gives_pages_back_and_the_cache_goes_on(void **state)
{
	unsigned long nr;

	(void)state;
	start_pages(NR);
	read_frames(0, NR);
	nr = frames();
	assert_in_range(hearth_cache_reclaimable(rig.cache, 0), nr, nr + 8);
	assert_int_equal(hearth_cache_shrink(rig.cache, 0, 150), 150);
	assert_in_range(shim_usage().pages, nr - 150, nr - 142);
	assert_int_equal(rig_count(&rig, HEARTH_RECLAIMS), 150);
	assert_in_range(hearth_cache_shrink(rig.cache, 0, 10 * NR), nr - 150,
			nr - 142);
	assert_int_equal(shim_usage().pages, 0);
	assert_int_equal(hearth_cache_shrink(rig.cache, 0, 1), 0);
	read_frames(0, NR);
	assert_int_equal(frames(), nr);
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 0);
	finish(&rig);
}

static void pressure_spares_what_is_in_use(void **state)
{
	struct req *write, *read;

	(void)state;
	start_pages(NR);
	do_read(&rig, 0, 3 * F);
	write = begin(&rig, HEARTH_OP_WRITE, 0, 1);
	read = rig_req(&rig, HEARTH_OP_READ, F, F);
	req_set_pages(read, 0);		/* keeps the page that it is given */
	rig_submit(read);
	assert_done(read);
	assert_int_equal(hearth_cache_shrink(rig.cache, 0, 100), 1);
	assert_int_equal(nr_there(0, 3), 2);
	finish(&rig, write, read);
}

static void dropping_leaves_nothing_clean(void **state)
{
	struct req *write;

	(void)state;
	start_pages(NR);
	read_frames(0, NR);
	write = begin(&rig, HEARTH_OP_WRITE, 0, F);
	hearth_cache_drop(rig.cache);
	assert_int_equal(nr_there(0, NR), 0);
	assert_int_equal(shim_usage().pages, 1);	/* the write's new one */
	rig_drain(&rig);
	assert_int_equal(nr_there(0, NR), 1);
	finish(&rig, write);
}

static void a_pinned_range_is_not_evicted(void **state)
{
	(void)state;
	start_pages(NR);
	assert_int_equal(hearth_pin_add(rig.cache, 0, 100 * PAGE_SIZE), 0);
	read_frames(0, 100);
	read_frames(100, 3 * NR);
	read_frames(100, 3 * NR);
	assert_int_equal(nr_there(0, 100), 100);
	hearth_cache_drop(rig.cache);
	assert_int_equal(nr_there(0, 3 * NR), 100);
	assert_in_range(hearth_cache_shrink(rig.cache, 0, 10 * NR), 0, 8);
	assert_int_equal(nr_there(0, 100), 100);

	assert_int_equal(hearth_pin_remove(rig.cache, 0, 100 * PAGE_SIZE), 0);
	hearth_cache_drop(rig.cache);
	assert_int_equal(nr_there(0, 100), 0);
	finish(&rig);
}

static void what_is_pinned_yields_to_a_smaller_cache(void **state)
{
	(void)state;
	start_pages(NR);
	assert_int_equal(hearth_pin_add(rig.cache, 0, 200 * PAGE_SIZE), 0);
	read_frames(0, 200);
	read_frames(200, NR);
	resize(100);
	assert_in_range(shim_usage().pages, 45, 99);
	assert_in_range(nr_there(0, 200), 45, 99);
	read_frames(NR, 2 * NR);
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 0);
	finish(&rig);
}

static void a_discarded_frame_that_was_pinned_goes(void **state)
{
	(void)state;
	start_pages(NR);
	assert_int_equal(hearth_pin_add(rig.cache, 0, 100 * PAGE_SIZE), 0);
	read_frames(0, 100);
	hearth_cache_drop(rig.cache);	/* all are set aside now */
	rig_do(&rig, HEARTH_OP_DISCARD, 0, 100 * F);
	hearth_cache_drop(rig.cache);
	assert_int_equal(shim_usage().objects, 0);
	finish(&rig);
}

static void pins_are_refused_that_cannot_be_kept(void **state)
{
	unsigned int i;

	(void)state;
	start_pages(NR);
	assert_int_equal(hearth_pin_add(rig.cache, 0, 0), -EINVAL);
	assert_int_equal(hearth_pin_add(rig.cache, 4 * NR * PAGE_SIZE, 1),
			 -EINVAL);
	assert_int_equal(hearth_pin_add(rig.cache, PAGE_SIZE, -1ull), -EINVAL);
	assert_int_equal(hearth_pin_add(rig.cache, 0, 201 * PAGE_SIZE), -ENOSPC);
	assert_int_equal(hearth_pin_add(rig.cache, 100, PAGE_SIZE), 0);
	assert_int_equal(hearth_pin_add(rig.cache, PAGE_SIZE + 99, 1), -EEXIST);
	assert_int_equal(hearth_pin_add(rig.cache, 2 * PAGE_SIZE,
					199 * PAGE_SIZE), -ENOSPC);
	for (i = 1; i < HEARTH_MAX_PINS; i++)
		assert_int_equal(hearth_pin_add(rig.cache, 2 * i * PAGE_SIZE,
						1), 0);
	assert_int_equal(hearth_pin_add(rig.cache, 999 * PAGE_SIZE, 1), -ENOSPC);
	assert_int_equal(hearth_pin_remove(rig.cache, 0, 1), -ENOENT);
	assert_int_equal(hearth_pin_remove(rig.cache, 100, PAGE_SIZE), 0);
	finish(&rig);
}

/* Whether a range is pinned: it cannot be pinned again. */
static bool is_pinned(u64 frame)
{
	u64 offset = frame * PAGE_SIZE;

	if (hearth_pin_add(rig.cache, offset, PAGE_SIZE) == -EEXIST)
		return true;
	assert_int_equal(hearth_pin_remove(rig.cache, offset, PAGE_SIZE), 0);
	return false;
}

static void just_the_range_that_was_named_is_unpinned(void **state)
{
	unsigned int which, i;

	(void)state;
	start_pages(NR);
	for (which = 0; which < 4; which++) {
		for (i = 0; i < 4; i++)
			assert_int_equal(hearth_pin_add(rig.cache,
							i * PAGE_SIZE,
							PAGE_SIZE), 0);
		assert_int_equal(hearth_pin_remove(rig.cache, which * PAGE_SIZE,
						   PAGE_SIZE), 0);
		for (i = 0; i < 4; i++)
			assert_int_equal(is_pinned(i), i != which);
		for (i = 0; i < 4; i++)
			if (i != which)
				hearth_pin_remove(rig.cache, i * PAGE_SIZE,
						  PAGE_SIZE);
	}
	finish(&rig);
}

static void a_paused_cache_is_bypassed_and_stays_coherent(void **state)
{
	(void)state;
	start_pages(NR);
	read_frames(0, 20);
	rig.cache->paused = true;
	assert_false(rig_hits(&rig, 0, F));
	do_write(&rig, 3, 1);
	do_read(&rig, 0, 30 * F);
	do_read(&rig, 30 * F, 30 * F);
	assert_int_equal(frames(), 20);
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 0);
	rig.cache->paused = false;
	assert_false(rig_hits(&rig, 3, 1));
	assert_true(rig_hits(&rig, 4, 1));
	do_read(&rig, 0, F);
	assert_true(rig_hits(&rig, 0, F));
	finish(&rig);
}

/* It waits for what is under way, and who comes later waits for it. */
static void forgetting_runs_alone(void **state)
{
	struct req *read, *forget, *late;

	(void)state;
	start_pages(NR);
	read_frames(0, 40);
	read = begin(&rig, HEARTH_OP_READ, 40 * F, F);
	forget = begin(&rig, HEARTH_OP_ALONE, 0, 100 * F);
	late = begin(&rig, HEARTH_OP_READ, 50 * F, F);
	assert_on_disk(read);
	assert_waits(forget);
	assert_waits(late);
	rig_finish_disk(read);
	assert_on_disk(forget);
	assert_waits(late);
	rig_finish_disk(forget);
	assert_done(forget);
	assert_int_equal(nr_there(0, 100), 0);
	finish(&rig, read, forget, late);
}

/* A fill that began on the smaller LUN has not read what is behind its end. */
static void a_lun_grows_under_a_fill_of_its_last_frame(void **state)
{
	struct rig_config config = {
		.nr_nodes = 1, .frames = { 10 }, .nr_sectors = 2 * F,
	};
	struct req *read;

	(void)state;
	rig_init(&rig, &config);
	rig.cache->size_bytes = (2 * F - 3) * SECTOR_BYTES;
	read = begin(&rig, HEARTH_OP_READ, F, 1);
	rig.cache->size_bytes = 2 * F * SECTOR_BYTES;
	rig_drain(&rig);
	assert_true(rig_hits(&rig, F, F - 3));
	assert_false(rig_hits(&rig, 2 * F - 3, 1));
	do_read(&rig, F, F);
	assert_true(rig_hits(&rig, F, F));
	finish(&rig, read);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_larger_cache_keeps_more),
		cmocka_unit_test(a_smaller_cache_gives_memory_back),
		cmocka_unit_test(what_is_hit_survives_the_shrinking),
		cmocka_unit_test(claimed_frames_go_later),
		cmocka_unit_test(a_size_that_the_index_cannot_bear_is_refused),
		cmocka_unit_test(want_of_memory_leaves_the_old_size),
		cmocka_unit_test(pressure_gives_pages_back_and_the_cache_goes_on),
		cmocka_unit_test(pressure_spares_what_is_in_use),
		cmocka_unit_test(dropping_leaves_nothing_clean),
		cmocka_unit_test(a_pinned_range_is_not_evicted),
		cmocka_unit_test(what_is_pinned_yields_to_a_smaller_cache),
		cmocka_unit_test(a_discarded_frame_that_was_pinned_goes),
		cmocka_unit_test(pins_are_refused_that_cannot_be_kept),
		cmocka_unit_test(just_the_range_that_was_named_is_unpinned),
		cmocka_unit_test(a_paused_cache_is_bypassed_and_stays_coherent),
		cmocka_unit_test(forgetting_runs_alone),
		cmocka_unit_test(a_lun_grows_under_a_fill_of_its_last_frame),
	};

	return run_suite("resize", tests);
}
