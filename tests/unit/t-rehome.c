// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Moving frames to where they are read: who has a say, what moves, what stays.
 */
#include "suite.h"

static struct rig rig;

static void start_nodes(unsigned long first, unsigned long second,
			enum hearth_home home)
{
	struct rig_config config = {
		.nr_nodes = 2, .nr_sectors = 64 * E, .home = home,
		.frames = { first, second }, .dispatch = HEARTH_DISPATCH_AUTO,
	};

	rig_init(&rig, &config);
	shim_nid = 0;
}

static void end(void)
{
	shim_nid = 0;
	finish(&rig);
}

static void read_on(int nid, u32 sector, u32 nr)
{
	struct req *req = rig_req(&rig, HEARTH_OP_READ, sector, nr);

	shim_nid = nid;
	req_set_pages(req, nid);
	rig_submit(req);
	rig_drain(&rig);
	assert_int_equal(req->io.error, 0);
	req_free(req);
	shim_nid = 0;
}

static struct hearth_frame *frame_at(u32 nr)
{
	struct hearth_extent *ext;
	struct hearth_frame *frame = NULL;

	rcu_read_lock();
	ext = hearth_extent_find(rig.cache, nr / HEARTH_EXTENT_FRAMES);
	if (ext)
		frame = ext->frames[nr % HEARTH_EXTENT_FRAMES];
	rcu_read_unlock();
	return frame;
}

static u64 rehomed(void)
{
	return rig_count(&rig, HEARTH_REHOMED);
}

static struct req *move_begin(int nid, u32 frame)
{
	struct hearth_io *io;

	shim_nid = nid;
	io = hearth_rehome_alloc(rig.cache, frame);
	assert_non_null(io);
	hearth_io_submit(io);
	shim_nid = 0;
	return container_of(io, struct req, io);
}

static void move(int nid, u32 frame)
{
	move_begin(nid, frame);
	rig_drain(&rig);
}

static void hot_frames_move_to_their_reader(void **state)
{
	u64 hits = 0;

	(void)state;
	start_nodes(200, 200, HEARTH_HOME_TOUCH);
	read_on(0, 0, 16 * F);
	while (!rehomed()) {
		read_on(1, 0, 16 * F);
		hits += 16;
		assert_in_range(hits, 0, 16 * HEARTH_VOTE_EVERY);
	}
	assert_in_range(hits, 7 * HEARTH_VOTE_EVERY, 16 * HEARTH_VOTE_EVERY);
	assert_int_equal(rehomed(), 16);
	assert_int_equal(frame_at(3)->nid, 1);
	assert_int_equal(hearth_cache_frames(rig.cache, 0), 0);
	assert_int_equal(hearth_cache_frames(rig.cache, 1), 16);
	assert_int_equal(rig.disk.nr_reads, 1);
	assert_int_equal(rig_count(&rig, HEARTH_REMOTE_STORES), 0);
	/* and there they stay */
	for (hits = 0; hits < 100; hits++)
		read_on(1, 0, 16 * F);
	assert_int_equal(rehomed(), 16);
	end();
}

static void what_both_read_stays(void **state)
{
	unsigned int i;

	(void)state;
	start_nodes(200, 200, HEARTH_HOME_TOUCH);
	read_on(0, 0, 16 * F);
	for (i = 0; i < 1000; i++)
		read_on(i & 1, 0, 16 * F);
	assert_int_equal(rehomed(), 0);
	end();
}

static void what_few_read_stays(void **state)
{
	unsigned int i;

	(void)state;
	start_nodes(1200, 1200, HEARTH_HOME_TOUCH);
	read_on(0, 0, 60 * E);
	for (i = 0; i < 7; i++)
		read_on(1, 0, 60 * E);
	assert_int_equal(rehomed(), 0);
	end();
}

static void under_stripe_the_address_has_the_say(void **state)
{
	unsigned int i;

	(void)state;
	start_nodes(200, 200, HEARTH_HOME_STRIPE);
	read_on(0, 0, 16 * F);
	for (i = 0; i < 200; i++) {
		read_on(0, 0, 16 * F);
		read_on(0, E, 16 * F);
	}
	assert_int_equal(rehomed(), 0);
	end();
}

static void one_node_keeps_no_table(void **state)
{
	(void)state;
	start(&rig, 100, 64 * E);
	assert_null(rig.cache->suitors);
	end();
}

static void partly_valid_frames_keep_what_they_have(void **state)
{
	(void)state;
	start_nodes(200, 200, HEARTH_HOME_TOUCH);
	do_write(&rig, 2 * F + 3, 2);
	do_write(&rig, 5 * F, 3 * F);
	move(1, 2);
	assert_int_equal(rehomed(), 4);
	assert_int_equal(frame_at(2)->nid, 1);
	assert_int_equal(frame_at(2)->valid, 0x18);
	assert_int_equal(do_read(&rig, 0, 16 * F), 0);
	end();
}

static void the_last_extent_of_the_lun_moves_too(void **state)
{
	struct rig_config config = {
		.nr_nodes = 2, .nr_sectors = 3 * E + 2 * F + 3,
		.frames = { 200, 200 },
	};

	(void)state;
	rig_init(&rig, &config);
	do_read(&rig, 3 * E, 2 * F + 3);
	move(1, 3 * HEARTH_EXTENT_FRAMES + 1);
	assert_int_equal(rehomed(), 3);
	assert_int_equal(do_read(&rig, 3 * E, 2 * F + 3), 0);
	end();
}

static void marks_and_heat_move_along(void **state)
{
	(void)state;
	start_nodes(200, 200, HEARTH_HOME_TOUCH);
	do_read(&rig, 0, 2 * F);
	frame_at(1)->ahead = 5;
	frame_at(1)->freq = 2;
	move(1, 0);
	assert_int_equal(frame_at(1)->ahead, 5);
	assert_int_equal(frame_at(1)->freq, 2);
	assert_int_equal(frame_at(1)->queue, HEARTH_QUEUE_MAIN);
	end();
}

static void what_is_claimed_stays(void **state)
{
	struct req *write;

	(void)state;
	start_nodes(200, 200, HEARTH_HOME_TOUCH);
	do_read(&rig, 0, 4 * F);
	write = begin(&rig, HEARTH_OP_WRITE, F, F);
	assert_on_disk(write);
	move_begin(1, 0);
	rig_run_all(&rig);
	assert_int_equal(rehomed(), 3);
	assert_int_equal(frame_at(1)->nid, 0);
	rig_finish_disk(write);
	assert_int_equal(do_read(&rig, 0, 4 * F), 0);
	finish(&rig, write);
}

static void who_comes_meanwhile_waits(void **state)
{
	struct req *write, *read;

	(void)state;
	start_nodes(200, 200, HEARTH_HOME_TOUCH);
	do_read(&rig, 0, 4 * F);
	move_begin(1, 0);
	write = rig_req(&rig, HEARTH_OP_WRITE, F, F);
	rig_submit(write);
	assert_waits(write);
	/* a hit does not */
	read = rig_req(&rig, HEARTH_OP_READ, 0, 4 * F);
	rig_submit(read);
	assert_done(read);
	rig_run_all(&rig);
	assert_on_disk(write);
	rig_finish_disk(write);
	assert_int_equal(frame_at(1)->nid, 1);
	assert_int_equal(do_read(&rig, 0, 4 * F), 0);
	finish(&rig, write, read);
}

static void what_a_range_discards_stays_away(void **state)
{
	struct req *discard;

	(void)state;
	start_nodes(200, 200, HEARTH_HOME_TOUCH);
	do_read(&rig, 0, 4 * F);
	discard = begin(&rig, HEARTH_OP_DISCARD, 0, 4 * F);
	assert_on_disk(discard);
	move_begin(1, 0);
	rig_run_all(&rig);
	assert_int_equal(rehomed(), 0);
	finish(&rig, discard);
}

static void one_at_a_time(void **state)
{
	(void)state;
	start_nodes(200, 200, HEARTH_HOME_TOUCH);
	do_read(&rig, 0, 40 * F);
	move_begin(1, 0);
	assert_null(hearth_rehome_alloc(rig.cache, 16));
	rig_drain(&rig);
	move(1, 16);
	assert_int_equal(rehomed(), 32);
	end();
}

static void a_full_node_makes_room(void **state)
{
	(void)state;
	start_nodes(40, 8, HEARTH_HOME_TOUCH);
	do_read(&rig, 0, 16 * F);
	do_read(&rig, 16 * F, 16 * F);
	read_on(1, 40 * F, 8 * F);
	move(1, 0);
	/* as many as the node may have */
	assert_int_equal(rehomed(), 8);
	assert_in_range(hearth_cache_frames(rig.cache, 1), 1, 8);
	assert_int_equal(do_read(&rig, 0, 16 * F), 0);
	end();
}

static void want_of_memory_leaves_them(void **state)
{
	long n;

	(void)state;
	for (n = 1; n < 40; n++) {
		start_nodes(200, 200, HEARTH_HOME_TOUCH);
		do_read(&rig, 0, 16 * F);
		shim_fail_in = n;
		shim_fail_every = 2;
		shim_nid = 1;
		hearth_io_submit(hearth_rehome_alloc(rig.cache, 0));
		rig_drain(&rig);
		shim_fail_in = 0;
		shim_nid = 0;
		assert_true(rehomed() < 16 || n > 30);
		assert_int_equal(do_read(&rig, 0, 16 * F), 0);
		assert_int_equal(rig.disk.nr_reads, 1);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hot_frames_move_to_their_reader),
		cmocka_unit_test(what_both_read_stays),
		cmocka_unit_test(what_few_read_stays),
		cmocka_unit_test(under_stripe_the_address_has_the_say),
		cmocka_unit_test(one_node_keeps_no_table),
		cmocka_unit_test(partly_valid_frames_keep_what_they_have),
		cmocka_unit_test(the_last_extent_of_the_lun_moves_too),
		cmocka_unit_test(marks_and_heat_move_along),
		cmocka_unit_test(what_is_claimed_stays),
		cmocka_unit_test(who_comes_meanwhile_waits),
		cmocka_unit_test(what_a_range_discards_stays_away),
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(a_full_node_makes_room),
		cmocka_unit_test(want_of_memory_leaves_them),
	};

	return run_suite("rehome", tests);
}
