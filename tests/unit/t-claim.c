// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Claims: one backing I/O per frame, in arrival order, fills shared.
 */
#include "suite.h"

static struct rig rig;

static void concurrent_misses_share_one_fill(void **state)
{
	struct req *reads[10];
	unsigned int i;

	(void)state;
	start(&rig, 64, 8 * E);
	for (i = 0; i < 10; i++)
		reads[i] = begin(&rig, HEARTH_OP_READ, i % F, 1);
	assert_on_disk(reads[0]);
	for (i = 1; i < 10; i++)
		assert_waits(reads[i]);
	rig_finish_disk(reads[0]);
	for (i = 0; i < 10; i++) {
		assert_done(reads[i]);
		req_free(reads[i]);
	}
	assert_int_equal(rig.disk.nr_reads, 1);
	assert_int_equal(rig_count(&rig, HEARTH_MISSES), 1);
	assert_int_equal(rig_count(&rig, HEARTH_HITS), 9);
	finish(&rig);
}

static void a_failed_fill_is_tried_again_by_who_waits(void **state)
{
	struct req *first, *second;

	(void)state;
	start(&rig, 64, 8 * E);
	rig.disk.cannot_read[3] = true;
	first = begin(&rig, HEARTH_OP_READ, 3, 1);
	second = begin(&rig, HEARTH_OP_READ, 0, F);
	rig_finish_disk(first);
	assert_int_equal(first->io.error, -EIO);
	assert_on_disk(second);
	rig.disk.cannot_read[3] = false;
	rig_finish_disk(second);
	assert_int_equal(second->io.error, 0);
	finish(&rig, first, second);
}

static void other_frames_are_not_held_up(void **state)
{
	struct req *a, *b, *c;

	(void)state;
	start(&rig, 64, 8 * E);
	a = begin(&rig, HEARTH_OP_WRITE, 0, F);
	b = begin(&rig, HEARTH_OP_WRITE, F, F);
	c = begin(&rig, HEARTH_OP_READ, 2 * F, 1);
	assert_on_disk(a);
	assert_on_disk(b);
	assert_on_disk(c);
	finish(&rig, a, b, c);
}

static void writes_of_a_frame_go_in_arrival_order(void **state)
{
	struct req *writes[5];
	unsigned int i, j;

	(void)state;
	start(&rig, 64, 8 * E);
	for (i = 0; i < 5; i++)
		writes[i] = begin(&rig, HEARTH_OP_WRITE, 2, 3);
	for (i = 0; i < 5; i++) {
		assert_on_disk(writes[i]);
		for (j = i + 1; j < 5; j++)
			assert_waits(writes[j]);
		rig_finish_disk(writes[i]);
		assert_done(writes[i]);
	}
	assert_int_equal(rig.disk.values[2], req_new_value(writes[4], 0));
	for (i = 0; i < 5; i++)
		req_free(writes[i]);
	finish(&rig);
}

static void a_newcomer_does_not_overtake_who_waits(void **state)
{
	struct req *a, *b, *c, *d;

	(void)state;
	start(&rig, 64, 8 * E);
	a = begin(&rig, HEARTH_OP_WRITE, 0, F);		/* frame 0 */
	b = begin(&rig, HEARTH_OP_WRITE, 0, 2 * F);	/* 0 and 1 */
	c = begin(&rig, HEARTH_OP_WRITE, F, F);		/* 1: free, but wanted */
	d = begin(&rig, HEARTH_OP_WRITE, 2 * F, F);	/* 2: free */
	assert_on_disk(a);
	assert_waits(b);
	assert_waits(c);
	assert_on_disk(d);
	rig_finish_disk(a);
	assert_on_disk(b);
	assert_waits(c);
	rig_finish_disk(b);
	assert_on_disk(c);
	finish(&rig, a, b, c, d);
}

static void a_waiter_does_not_overtake_another(void **state)
{
	struct req *a, *b, *both, *c;

	(void)state;
	start(&rig, 64, 8 * E);
	a = begin(&rig, HEARTH_OP_WRITE, 0, F);
	b = begin(&rig, HEARTH_OP_WRITE, F, F);
	both = begin(&rig, HEARTH_OP_WRITE, 0, 2 * F);
	c = begin(&rig, HEARTH_OP_WRITE, F, F);
	rig_finish_disk(b);
	assert_waits(both);
	assert_waits(c);	/* its frame is free, but both wants it first */
	rig_finish_disk(a);
	assert_on_disk(both);
	assert_waits(c);
	finish(&rig, a, b, both, c);
}

static void a_claim_is_handed_over_before_its_owner_runs(void **state)
{
	struct req *a, *b, *c;

	(void)state;
	start(&rig, 64, 8 * E);
	a = begin(&rig, HEARTH_OP_WRITE, 0, F);
	b = begin(&rig, HEARTH_OP_WRITE, 0, F);
	while (!rig_disk(&rig, 0, 0))
		;
	rig_run(&rig, 0);			/* a completes, b is runnable */
	assert_done(a);
	assert_int_equal(b->state, REQ_QUEUED);
	c = rig_req(&rig, HEARTH_OP_WRITE, 0, F);
	rig_submit(c);
	assert_waits(c);
	rig_run_all(&rig);
	assert_on_disk(b);
	assert_waits(c);
	finish(&rig, a, b, c);
}

static void a_request_over_two_extents_waits_with_what_it_has(void **state)
{
	struct req *high, *both, *low;

	(void)state;
	start(&rig, 64, 8 * E);
	high = begin(&rig, HEARTH_OP_WRITE, E, F);
	both = begin(&rig, HEARTH_OP_WRITE, E - F, 2 * F);
	low = begin(&rig, HEARTH_OP_WRITE, E - F, F);
	assert_on_disk(high);
	assert_waits(both);
	assert_waits(low);
	rig_finish_disk(high);
	assert_on_disk(both);
	assert_waits(low);
	finish(&rig, high, both, low);
}

static void a_read_hits_while_the_frame_is_written(void **state)
{
	struct req *write, *read;

	(void)state;
	start(&rig, 64, 8 * E);
	do_read(&rig, 0, F);
	write = begin(&rig, HEARTH_OP_WRITE, 0, F);
	read = begin(&rig, HEARTH_OP_READ, 0, F);
	assert_on_disk(write);
	assert_done(read);
	finish(&rig, write, read);
}

static void a_read_fills_only_what_is_missing(void **state)
{
	struct req *read;

	(void)state;
	start(&rig, 64, 8 * E);
	do_read(&rig, F, F);
	read = begin(&rig, HEARTH_OP_READ, 0, 3 * F);
	assert_on_disk(read);
	assert_int_equal(read->nr_moves, 2 * F);
	finish(&rig, read);
}

static void a_write_needs_no_read_first(void **state)
{
	(void)state;
	start(&rig, 64, 8 * E);
	do_write(&rig, 3, 2);
	assert_int_equal(rig.disk.nr_reads, 0);
	assert_true(rig_hits(&rig, 3, 2));
	assert_false(rig_hits(&rig, 2, 1));
	assert_false(rig_hits(&rig, 5, 1));
	finish(&rig);
}

static void a_fill_keeps_what_was_written_before(void **state)
{
	(void)state;
	start(&rig, 64, 8 * E);
	do_write(&rig, 3, 2);
	do_read(&rig, 0, F);
	assert_true(rig_hits(&rig, 0, F));
	do_read(&rig, 0, F);
	finish(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(concurrent_misses_share_one_fill),
		cmocka_unit_test(a_failed_fill_is_tried_again_by_who_waits),
		cmocka_unit_test(other_frames_are_not_held_up),
		cmocka_unit_test(writes_of_a_frame_go_in_arrival_order),
		cmocka_unit_test(a_newcomer_does_not_overtake_who_waits),
		cmocka_unit_test(a_waiter_does_not_overtake_another),
		cmocka_unit_test(a_claim_is_handed_over_before_its_owner_runs),
		cmocka_unit_test(a_request_over_two_extents_waits_with_what_it_has),
		cmocka_unit_test(a_read_hits_while_the_frame_is_written),
		cmocka_unit_test(a_read_fills_only_what_is_missing),
		cmocka_unit_test(a_write_needs_no_read_first),
		cmocka_unit_test(a_fill_keeps_what_was_written_before),
	};

	return run_suite("claim", tests);
}
