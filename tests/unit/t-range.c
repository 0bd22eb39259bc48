// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ranges: what goes past the cache excludes, and is excluded by, claims.
 */
#include "suite.h"

static struct rig rig;

static void a_range_waits_for_claims(void **state)
{
	struct req *write, *discard;

	(void)state;
	start(&rig, 64, 8 * E);
	write = begin(&rig, HEARTH_OP_WRITE, 2 * F, F);
	discard = begin(&rig, HEARTH_OP_DISCARD, F, 2 * F);
	assert_on_disk(write);
	assert_waits(discard);
	rig_finish_disk(write);
	assert_on_disk(discard);
	finish(&rig, write, discard);
}

static void a_range_lets_claims_beside_it_alone(void **state)
{
	struct req *write, *discard, *read;

	(void)state;
	start(&rig, 64, 8 * E);
	write = begin(&rig, HEARTH_OP_WRITE, 0, F);
	discard = begin(&rig, HEARTH_OP_DISCARD, F, 2 * F);
	read = begin(&rig, HEARTH_OP_READ, 3 * F, F);
	assert_on_disk(write);
	assert_on_disk(discard);
	assert_on_disk(read);
	finish(&rig, write, discard, read);
}

static void later_claims_wait_for_a_range(void **state)
{
	struct req *discard, *read, *write;

	(void)state;
	start(&rig, 64, 8 * E);
	discard = begin(&rig, HEARTH_OP_DISCARD, 0, 2 * E);
	read = begin(&rig, HEARTH_OP_READ, F, F);
	write = begin(&rig, HEARTH_OP_WRITE, E, F);
	assert_on_disk(discard);
	assert_waits(read);
	assert_waits(write);
	rig_finish_disk(discard);
	assert_on_disk(read);
	assert_on_disk(write);
	finish(&rig, discard, read, write);
}

static void a_range_stops_claims_while_it_waits_itself(void **state)
{
	struct req *write, *discard, *later;

	(void)state;
	start(&rig, 64, 8 * E);
	write = begin(&rig, HEARTH_OP_WRITE, 0, F);
	discard = begin(&rig, HEARTH_OP_DISCARD, 0, E);
	later = begin(&rig, HEARTH_OP_WRITE, 5 * F, F);
	assert_waits(discard);
	assert_waits(later);
	rig_finish_disk(write);
	assert_on_disk(discard);
	assert_waits(later);
	finish(&rig, write, discard, later);
}

static void overlapping_ranges_run_in_order(void **state)
{
	struct req *a, *b, *c;

	(void)state;
	start(&rig, 64, 8 * E);
	a = begin(&rig, HEARTH_OP_DISCARD, 0, 2 * F);
	b = begin(&rig, HEARTH_OP_WRITE_SAME, F, 2 * F);
	c = begin(&rig, HEARTH_OP_DISCARD, 2 * F, 2 * F);
	assert_on_disk(a);
	assert_waits(b);
	assert_waits(c);	/* not before b, which came earlier */
	rig_finish_disk(a);
	assert_on_disk(b);
	assert_waits(c);
	rig_finish_disk(b);
	assert_on_disk(c);
	finish(&rig, a, b, c);
}

static void ranges_that_share_only_a_frame_run_in_order(void **state)
{
	struct req *a, *b;

	(void)state;
	start(&rig, 64, 8 * E);
	a = begin(&rig, HEARTH_OP_DISCARD, 0, 3);
	b = begin(&rig, HEARTH_OP_DISCARD, 3, 3);
	assert_on_disk(a);
	assert_waits(b);
	finish(&rig, a, b);
}

static void ranges_apart_run_together(void **state)
{
	struct req *a, *b;

	(void)state;
	start(&rig, 64, 8 * E);
	a = begin(&rig, HEARTH_OP_DISCARD, 0, F);
	b = begin(&rig, HEARTH_OP_DISCARD, F, F);
	assert_on_disk(a);
	assert_on_disk(b);
	finish(&rig, a, b);
}

static void unmapping_the_whole_lun_empties_the_cache(void **state)
{
	unsigned int i;

	(void)state;
	start(&rig, 64, 300 * E - 3);
	for (i = 0; i < 60; i++)
		do_read(&rig, i * 5 * E, F);
	assert_int_equal(hearth_cache_frames(rig.cache, 0), 60);
	assert_int_equal(rig_do(&rig, HEARTH_OP_DISCARD, 0, 300 * E - 3), 0);
	assert_int_equal(hearth_cache_frames(rig.cache, 0), 0);
	for (i = 0; i < 60; i++)
		assert_false(rig_hits(&rig, i * 5 * E, 1));
	do_read(&rig, 5 * E, F);
	finish(&rig);
}

static void a_range_takes_away_just_its_sectors(void **state)
{
	(void)state;
	start(&rig, 64, 8 * E);
	do_read(&rig, 0, 3 * F);
	rig_do(&rig, HEARTH_OP_WRITE_SAME, F + 2, 3);
	assert_true(rig_hits(&rig, 0, F + 2));
	assert_false(rig_hits(&rig, F + 2, 1));
	assert_false(rig_hits(&rig, F + 4, 1));
	assert_true(rig_hits(&rig, F + 5, F));
	do_read(&rig, 0, 3 * F);
	finish(&rig);
}

static void a_failed_range_takes_them_away_as_well(void **state)
{
	(void)state;
	start(&rig, 64, 8 * E);
	do_read(&rig, 0, 3 * F);
	rig.disk.cannot_write[F + 1] = true;
	assert_int_equal(rig_do(&rig, HEARTH_OP_DISCARD, F, F), -EIO);
	assert_false(rig_hits(&rig, F, 1));
	do_read(&rig, 0, 3 * F);
	finish(&rig);
}

static void a_read_past_the_cache_takes_nothing_away(void **state)
{
	(void)state;
	start(&rig, 16, 8 * E);
	do_read(&rig, 0, 4 * F);
	rig_do(&rig, HEARTH_OP_READ, F + 1, 40 * F);
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 1);
	assert_true(rig_hits(&rig, 0, 4 * F));
	finish(&rig);
}

static void a_read_hits_while_a_range_runs(void **state)
{
	struct req *discard, *read;

	(void)state;
	start(&rig, 64, 8 * E);
	do_read(&rig, 0, F);
	discard = begin(&rig, HEARTH_OP_DISCARD, 0, F);
	read = begin(&rig, HEARTH_OP_READ, 0, F);
	assert_on_disk(discard);
	assert_done(read);
	finish(&rig, discard, read);
}

/*
 * W holds frame 15 and wants 16; the range over both waits for 15.  So W has to
 * be let through, or each waits for the other.
 */
static void who_holds_a_frame_in_a_range_is_let_through(void **state)
{
	struct req *other, *w, *range;

	(void)state;
	start(&rig, 64, 8 * E);
	other = begin(&rig, HEARTH_OP_WRITE, E, F);
	w = begin(&rig, HEARTH_OP_WRITE, E - F, 2 * F);
	range = begin(&rig, HEARTH_OP_DISCARD, E - F, 3 * F);
	assert_on_disk(other);
	assert_waits(w);
	assert_waits(range);
	rig_finish_disk(other);
	assert_on_disk(w);
	assert_waits(range);
	rig_finish_disk(w);
	assert_on_disk(range);
	finish(&rig, other, w, range);
}

/*
 * The range may not wait for B, which is queued for a frame within but waits for
 * one below that A holds, while A waits for the range:
 *
 *     frame      10        14 15 | 16
 *     A          held              wants
 *     B          wants ----- wants
 *     range                [ ======== ]
 */
static void a_range_does_not_wait_for_who_is_only_queued(void **state)
{
	struct req *c, *a, *b, *range;

	(void)state;
	start(&rig, 64, 8 * E);
	do_read(&rig, 11 * F, 5 * F);
	c = begin(&rig, HEARTH_OP_WRITE, 16 * F, F);
	a = begin(&rig, HEARTH_OP_READ, 10 * F, 7 * F);
	b = begin(&rig, HEARTH_OP_WRITE, 10 * F, 6 * F);
	assert_on_disk(c);
	assert_waits(a);
	assert_waits(b);
	range = begin(&rig, HEARTH_OP_DISCARD, 14 * F, 2 * F);
	finish(&rig, c, a, b, range);

	start(&rig, 64, 8 * E);
	do_read(&rig, 11 * F, 5 * F);
	c = begin(&rig, HEARTH_OP_DISCARD, 16 * F, F);
	a = begin(&rig, HEARTH_OP_READ, 10 * F, 7 * F);
	b = begin(&rig, HEARTH_OP_WRITE, 10 * F, 6 * F);
	range = begin(&rig, HEARTH_OP_DISCARD, 14 * F, 4 * F);
	finish(&rig, c, a, b, range);
}

static void who_was_queued_before_a_range_runs_after_it(void **state)
{
	struct req *a, *b, *range;

	(void)state;
	start(&rig, 64, 8 * E);
	a = begin(&rig, HEARTH_OP_WRITE, 0, F);
	b = begin(&rig, HEARTH_OP_WRITE, 0, 2 * F);
	range = begin(&rig, HEARTH_OP_DISCARD, F, F);
	assert_on_disk(a);
	assert_waits(b);
	rig_finish_disk(range);
	assert_done(range);
	finish(&rig, a, b, range);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_range_waits_for_claims),
		cmocka_unit_test(a_range_lets_claims_beside_it_alone),
		cmocka_unit_test(later_claims_wait_for_a_range),
		cmocka_unit_test(a_range_stops_claims_while_it_waits_itself),
		cmocka_unit_test(overlapping_ranges_run_in_order),
		cmocka_unit_test(ranges_that_share_only_a_frame_run_in_order),
		cmocka_unit_test(ranges_apart_run_together),
		cmocka_unit_test(unmapping_the_whole_lun_empties_the_cache),
		cmocka_unit_test(a_range_takes_away_just_its_sectors),
		cmocka_unit_test(a_failed_range_takes_them_away_as_well),
		cmocka_unit_test(a_read_past_the_cache_takes_nothing_away),
		cmocka_unit_test(a_read_hits_while_a_range_runs),
		cmocka_unit_test(who_holds_a_frame_in_a_range_is_let_through),
		cmocka_unit_test(a_range_does_not_wait_for_who_is_only_queued),
		cmocka_unit_test(who_was_queued_before_a_range_runs_after_it),
	};

	return run_suite("range", tests);
}
