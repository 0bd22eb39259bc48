// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Readahead: which windows are filled, when, and that nobody suffers from it.
 */
#include "suite.h"

#define MIN_FRAMES	32	/* the first window */

static struct rig rig;

static void start_ahead(unsigned long nr_frames, u32 nr_sectors, u64 bytes)
{
	struct rig_config config = {
		.frames = { nr_frames }, .nr_sectors = nr_sectors,
		.ahead_bytes = bytes,
	};

	rig_init(&rig, &config);
}

static u64 nr_ahead(void)
{
	return rig_count(&rig, HEARTH_AHEAD);
}

static void read_frames(u32 first, u32 nr)
{
	assert_int_equal(do_read(&rig, first * F, nr * F), 0);
}

/* Three reads make a stream.  Returns where it goes on. */
static u32 read_stream(u32 first, u32 nr)
{
	u32 i;

	for (i = 0; i < 3; i++)
		read_frames(first + i * nr, nr);
	return first + i * nr;
}

static u64 next_random(u64 *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

/* Submits what fills a window, as if a mark had been hit. */
static void fill(u32 frame, u8 order)
{
	struct hearth_ahead ahead = { .frame = frame, .order = order };
	struct hearth_io *io = hearth_ahead_alloc(rig.cache, ahead, 0);

	assert_non_null(io);
	hearth_io_submit(io);
	rig_run_all(&rig);
}

static u32 nr_cached(u32 from, u32 to)
{
	struct hearth_extent *ext;
	struct hearth_frame *frame;
	u32 nr = 0;

	rcu_read_lock();
	for (; from < to; from++) {
		ext = hearth_extent_find(rig.cache,
					 from / HEARTH_EXTENT_FRAMES);
		frame = ext ? ext->frames[from % HEARTH_EXTENT_FRAMES] : NULL;
		nr += frame && frame->valid;
	}
	rcu_read_unlock();
	return nr;
}

static void a_single_read_starts_none(void **state)
{
	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	read_frames(100, 16);
	assert_int_equal(nr_ahead(), 0);
	finish(&rig);
}

static void a_third_read_behind_two_starts_the_first_window(void **state)
{
	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	read_frames(100, 4);
	read_frames(104, 4);
	assert_int_equal(nr_ahead(), 0);
	read_frames(108, 4);
	assert_int_equal(nr_ahead(), MIN_FRAMES);
	assert_int_equal(nr_cached(112, 112 + MIN_FRAMES), MIN_FRAMES);
	assert_int_equal(nr_cached(112 + MIN_FRAMES, 400), 0);
	finish(&rig);
}

/* Beside what was read, before it, with a gap, over it: all of it no stream. */
static void neighbours_make_no_stream(void **state)
{
	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	read_frames(100, 4);
	read_frames(96, 4);
	read_frames(92, 4);
	read_frames(105, 4);
	read_frames(110, 4);
	read_frames(115, 4);
	read_frames(112, 8);
	assert_int_equal(nr_ahead(), 0);
	finish(&rig);
}

/* Reads of less than a frame, or that begin within the one before. */
static void a_stream_need_not_be_aligned(void **state)
{
	u32 i;

	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	for (i = 0; i < 2 * F + 1; i++)
		assert_int_equal(do_read(&rig, i, 1), 0);
	assert_int_equal(nr_ahead(), MIN_FRAMES);
	for (i = 0; i < 3; i++)
		assert_int_equal(do_read(&rig, 200 * F + i * 12, 12), 0);
	assert_int_equal(nr_ahead(), 2 * MIN_FRAMES);
	finish(&rig);
}

static void a_large_read_starts_a_large_window(void **state)
{
	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	read_stream(0, 64);
	assert_int_equal(nr_ahead(), 128);
	finish(&rig);
}

static void windows_double_up_to_the_limit(void **state)
{
	static const u32 sizes[] = { 32, 64, 128, 128, 128 };
	u32 at, total = 0, i;

	(void)state;
	start_ahead(4096, 512 * E, 128 * PAGE_SIZE);
	at = read_stream(0, 4);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		total += sizes[i];
		assert_int_equal(nr_ahead(), total);
		read_frames(at, 1);	/* hits the mark */
		at += sizes[i];
	}
	finish(&rig);
}

static void a_mark_counts_once(void **state)
{
	struct hearth_extent *ext;

	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	read_stream(0, 4);
	read_frames(12, 4);
	assert_int_equal(nr_ahead(), 32 + 64);
	read_frames(12, 4);
	read_frames(12, 4);
	assert_int_equal(nr_ahead(), 32 + 64);
	rcu_read_lock();
	ext = hearth_extent_find(rig.cache, 0);
	assert_int_equal(ext->frames[12]->ahead, 0);
	rcu_read_unlock();
	finish(&rig);
}

static void a_sequential_reader_rarely_misses(void **state)
{
	u32 at;

	(void)state;
	start_ahead(8192, 512 * E, 2 << 20);
	for (at = 0; at < 2048; at += 16)
		read_frames(at, 16);
	assert_int_equal(rig_count(&rig, HEARTH_MISSES), 48);
	assert_int_equal(rig_count(&rig, HEARTH_HITS), 2048 - 48);
	assert_true(nr_ahead() >= 2048 - 48);
	finish(&rig);
}

static void interleaved_streams_do_not_disturb_each_other(void **state)
{
	const u32 nr_streams = 13;
	u32 at, i;

	(void)state;
	start_ahead(16384, 512 * E, 1 << 20);
	for (at = 0; at < 512; at += 8) {
		for (i = 0; i < nr_streams; i++)
			read_frames(i * 600 + at, 8);
	}
	assert_int_equal(rig_count(&rig, HEARTH_MISSES), nr_streams * 24);
	finish(&rig);
}

/* Between two reads of a stream ten others go anywhere. */
static void random_reads_do_not_hide_a_stream(void **state)
{
	u64 before, seed = 7;
	u32 at, i, missed = 0;

	(void)state;
	start_ahead(16384, 1024 * E, 1 << 20);
	for (at = 0; at < 512; at += 4) {
		for (i = 0; i < 10; i++)
			read_frames(8192 + next_random(&seed) % 8192, 1);
		before = rig_count(&rig, HEARTH_MISSES);
		read_frames(at, 4);
		missed += rig_count(&rig, HEARTH_MISSES) - before;
	}
	assert_int_equal(missed, 12);
	finish(&rig);
}

static void random_reads_start_none(void **state)
{
	u32 i;

	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	for (i = 0; i < 500; i++)
		read_frames(i * 4099 % 8000 / 2 * 2, 1);
	assert_int_equal(nr_ahead(), 0);
	finish(&rig);
}

/*
 * Many reads of a small LUN, so that some begin where another has ended, and in
 * a cache that has half of it every other one lies behind something cached.
 */
static void random_reads_in_a_small_lun_start_hardly_any(void **state)
{
	u64 seed = 4711;
	u32 i;

	(void)state;
	start_ahead(16384, 1024 * E, 2 << 20);
	for (i = 0; i < 1024; i++)
		read_frames(next_random(&seed) % 16384, 1);
	assert_int_equal(nr_ahead(), 0);
	finish(&rig);
	start_ahead(1024, 256 * E, 2 << 20);
	for (i = 0; i < 3000; i++)
		read_frames(next_random(&seed) % 4096, 1);
	assert_true(nr_ahead() * 8 < rig_count(&rig, HEARTH_MISSES));
	finish(&rig);
}

/* A window that came to nothing costs one miss, not three. */
static void a_stream_goes_on_after_a_window_was_given_up(void **state)
{
	u32 at;

	(void)state;
	start_ahead(4096, 512 * E, 128 * PAGE_SIZE);
	at = read_stream(0, 4);
	shim_node_budget(0, 0);
	read_frames(at, 4);	/* the window behind gets no memory */
	shim_node_budget(0, -1);
	at += MIN_FRAMES;
	assert_int_equal(nr_cached(at, at + 128), 0);
	read_frames(at, 4);
	assert_int_equal(nr_ahead(), MIN_FRAMES + MIN_FRAMES);
	finish(&rig);
}

static void what_is_under_way_is_bounded(void **state)
{
	struct req *reqs[8];
	u32 i;

	(void)state;
	start_ahead(1024, 512 * E, 2 << 20);	/* 128 frames at once */
	for (i = 0; i < 8; i++)
		read_frames(i * 600, 4);
	for (i = 0; i < 8; i++)
		read_frames(i * 600 + 4, 4);
	for (i = 0; i < 8; i++) {
		reqs[i] = begin(&rig, HEARTH_OP_READ, (i * 600 + 8) * F, 4 * F);
		assert_in_range(atomic_long_read(&rig.cache->nr_ahead), 1,
				rig.cache->max_io_frames);
	}
	assert_int_equal(rig.disk.nr_aheads, 128 / MIN_FRAMES);
	finish(&rig, reqs[0], reqs[1], reqs[2], reqs[3], reqs[4], reqs[5],
	       reqs[6], reqs[7]);
}

/* A window is never larger than what may be under way: it would never start. */
static void a_small_cache_has_small_windows(void **state)
{
	u32 at;

	(void)state;
	start_ahead(1024, 512 * E, 8 << 20);
	for (at = 0; at < 4096; at += 16)
		read_frames(at, 16);
	assert_int_equal(rig_count(&rig, HEARTH_MISSES), 48);
	finish(&rig);
}

static void a_tiny_cache_still_reads_ahead(void **state)
{
	(void)state;
	start_ahead(64, 512 * E, 8 << 20);
	read_stream(0, 4);
	assert_int_equal(nr_ahead(), 16);
	finish(&rig);
}

static void it_can_be_switched_off_and_on(void **state)
{
	(void)state;
	start_ahead(4096, 512 * E, 0);
	read_stream(0, 4);
	assert_int_equal(nr_ahead(), 0);
	hearth_cache_set_ahead(rig.cache, 128 << 10);
	read_stream(12, 4);
	assert_int_equal(nr_ahead(), 32);
	hearth_cache_set_ahead(rig.cache, (128 << 10) - 1);
	read_frames(24, 4);
	read_stream(56, 4);
	assert_int_equal(nr_ahead(), 32);
	finish(&rig);
}

static void it_ends_with_the_lun(void **state)
{
	(void)state;
	start_ahead(4096, 40 * F + 3, 2 << 20);
	read_stream(16, 4);
	assert_int_equal(nr_ahead(), 41 - 28);
	assert_true(rig_hits(&rig, 28 * F, 12 * F + 3));
	read_frames(0, 40);
	assert_int_equal(do_read(&rig, 40 * F, 3), 0);
	assert_int_equal(nr_ahead(), 41 - 28);
	finish(&rig);
}

static void its_errors_are_nobodys(void **state)
{
	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	rig.disk.cannot_read[20 * F + 1] = true;
	read_stream(0, 4);
	assert_int_equal(rig.disk.nr_blocks, 0);
	assert_int_equal(nr_cached(12, 44), 0);
	read_frames(8, 4);
	assert_int_equal(do_read(&rig, 20 * F, F), -EIO);
	rig.disk.cannot_read[20 * F + 1] = false;
	read_frames(20, 1);
	finish(&rig);
}

/* Sectors that a frame had already survive a window that fails. */
static void a_failed_window_takes_nothing_away(void **state)
{
	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	assert_int_equal(do_write(&rig, 20 * F, 2), 0);
	rig.disk.cannot_read[9 * F] = true;
	fill(8, 5);
	rig_drain(&rig);
	assert_true(rig_hits(&rig, 20 * F, 2));
	assert_false(rig_hits(&rig, 20 * F, F));
	rig.disk.cannot_read[9 * F] = false;
	fill(8, 5);
	rig_drain(&rig);
	assert_true(rig_hits(&rig, 8 * F, 32 * F));
	assert_int_equal(do_read(&rig, 20 * F, F), 0);
	finish(&rig);
}

static void claimed_frames_are_skipped(void **state)
{
	struct req *write;

	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	write = begin(&rig, HEARTH_OP_WRITE, 20 * F, 2 * F);
	assert_on_disk(write);
	fill(8, 5);
	assert_int_equal(rig.nr_on_disk, 2);
	assert_int_equal(nr_ahead(), 30);
	rig_drain(&rig);
	assert_true(rig_hits(&rig, 8 * F, 32 * F));
	finish(&rig, write);
}

/* Where somebody waits, readahead does not overtake him. */
static void wanted_frames_are_skipped(void **state)
{
	struct req *first, *second;

	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	first = begin(&rig, HEARTH_OP_WRITE, 8 * F, F);
	second = begin(&rig, HEARTH_OP_WRITE, 8 * F, 2 * F);
	assert_waits(second);
	fill(8, 5);
	assert_int_equal(nr_ahead(), 30);
	rig_drain(&rig);
	finish(&rig, first, second);
}

static void ranges_are_respected(void **state)
{
	struct req *discard;

	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	discard = begin(&rig, HEARTH_OP_DISCARD, 16 * F, 8 * F);
	assert_on_disk(discard);
	fill(0, 6);
	assert_int_equal(nr_ahead(), 48);	/* but for one extent */
	rig_drain(&rig);
	assert_int_equal(nr_cached(0, 64), 48);
	finish(&rig, discard);
}

static void a_range_waits_for_a_window(void **state)
{
	struct req *discard;

	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	fill(0, 5);
	discard = begin(&rig, HEARTH_OP_DISCARD, 16 * F, 8 * F);
	assert_waits(discard);
	rig_drain(&rig);
	assert_done(discard);
	assert_int_equal(nr_cached(0, 64), 24);
	finish(&rig, discard);
}

static void a_reader_joins_the_window(void **state)
{
	struct req *read;

	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	fill(0, 5);
	read = begin(&rig, HEARTH_OP_READ, 4 * F, 8 * F);
	assert_waits(read);
	assert_int_equal(rig.nr_on_disk, 1);
	rig_drain(&rig);
	assert_done(read);
	assert_int_equal(rig.disk.nr_reads, 0);
	finish(&rig, read);
}

/* What is cached already is not read again, and loses neither mark nor place. */
static void a_window_over_cached_frames_leaves_them_alone(void **state)
{
	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	fill(32, 5);
	rig_drain(&rig);
	fill(0, 6);
	rig_drain(&rig);
	assert_int_equal(nr_ahead(), 64);
	assert_int_equal(rig_count(&rig, HEARTH_HITS), 0);
	read_frames(32, 1);	/* finds its mark */
	assert_int_equal(nr_ahead(), 64 + 64);
	fill(0, 6);
	rig_drain(&rig);
	assert_int_equal(rig.disk.nr_aheads, 3);
	finish(&rig);
}

static void a_window_that_finds_nothing_to_do_leaves_nothing(void **state)
{
	struct req *discard;

	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	discard = begin(&rig, HEARTH_OP_DISCARD, 0, 64 * F);
	fill(0, 6);
	assert_int_equal(nr_ahead(), 0);
	assert_int_equal(atomic_long_read(&rig.cache->nr_ahead), 0);
	rig_drain(&rig);	/* no empty extent is left: see check_rest() */
	finish(&rig, discard);
}

static void want_of_memory_gives_it_up(void **state)
{
	(void)state;
	start_ahead(4096, 512 * E, 2 << 20);
	read_frames(0, 4);
	read_frames(4, 4);
	shim_node_budget(0, 6);
	read_frames(8, 4);
	shim_node_budget(0, -1);
	assert_int_equal(nr_cached(12, 64), 0);
	assert_int_equal(rig_count(&rig, HEARTH_BYPASSES), 0);
	assert_int_equal(atomic_long_read(&rig.cache->nr_ahead), 0);
	finish(&rig);
}

/*
 * The cache may end as soon as the last of its requests is over: what a read
 * starts behind its own end has to be one of them by then.
 */
static struct hearth_cache *mortal;
static unsigned int nr_alive;

static void mortal_submit(struct hearth_io *io)
{
	io->stage = HEARTH_STAGE_COMPLETE;
	hearth_io_run(io);
}

static void mortal_done(struct hearth_io *io)
{
	if (io->op == HEARTH_OP_PREFETCH)
		free(io);
	if (!--nr_alive)
		hearth_cache_free(mortal);
}

static struct hearth_io *mortal_ahead(struct hearth_cache *cache,
				      enum hearth_op op, u64 offset, u64 len,
				      int nid)
{
	struct hearth_io *io = calloc(1, sizeof(*io));

	io->cache = cache;
	io->op = op;
	io->nid = nid;
	io->span.offset = offset;
	io->span.len = len;
	nr_alive++;
	return io;
}

static void a_cache_may_end_with_its_last_request(void **state)
{
	static const struct hearth_cache_ops ops = {
		.submit = mortal_submit, .done = mortal_done,
		.alloc = mortal_ahead,
	};
	static const unsigned long shares[] = { 4096 };
	struct hearth_cache_params p = {
		.ops = &ops, .size_bytes = 1 << 24, .block_bytes = 512,
		.stripe_bytes = HEARTH_EXTENT_BYTES, .nr_pages = shares,
		.ahead_bytes = 2 << 20,
	};
	struct page *page = shim_buffer_alloc(0, 1);
	struct scatterlist sg = { .page = page, .length = PAGE_SIZE,
				  .last = true };
	struct hearth_io io = { .op = HEARTH_OP_READ };
	u32 i;

	(void)state;
	nr_node_ids = 1;
	assert_int_equal(hearth_core_init(), 0);
	mortal = hearth_cache_alloc(&p);
	assert_non_null(mortal);
	io.cache = mortal;
	nr_alive = 1;			/* keeps it until the last read */
	for (i = 0; i < 3; i++) {
		io.span = (struct hearth_span){ .offset = i * PAGE_SIZE,
						.len = PAGE_SIZE, .sg = &sg };
		nr_alive += i < 2;
		hearth_io_submit(&io);
	}
	assert_int_equal(nr_alive, 0);
	hearth_core_exit();
	assert_int_equal(shim_usage().chunks, 0);
	shim_buffer_free(page, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_single_read_starts_none),
		cmocka_unit_test(a_third_read_behind_two_starts_the_first_window),
		cmocka_unit_test(neighbours_make_no_stream),
		cmocka_unit_test(a_stream_need_not_be_aligned),
		cmocka_unit_test(a_large_read_starts_a_large_window),
		cmocka_unit_test(windows_double_up_to_the_limit),
		cmocka_unit_test(a_mark_counts_once),
		cmocka_unit_test(a_sequential_reader_rarely_misses),
		cmocka_unit_test(interleaved_streams_do_not_disturb_each_other),
		cmocka_unit_test(random_reads_start_none),
		cmocka_unit_test(random_reads_do_not_hide_a_stream),
		cmocka_unit_test(random_reads_in_a_small_lun_start_hardly_any),
		cmocka_unit_test(a_stream_goes_on_after_a_window_was_given_up),
		cmocka_unit_test(what_is_under_way_is_bounded),
		cmocka_unit_test(a_small_cache_has_small_windows),
		cmocka_unit_test(a_tiny_cache_still_reads_ahead),
		cmocka_unit_test(it_can_be_switched_off_and_on),
		cmocka_unit_test(it_ends_with_the_lun),
		cmocka_unit_test(its_errors_are_nobodys),
		cmocka_unit_test(a_failed_window_takes_nothing_away),
		cmocka_unit_test(claimed_frames_are_skipped),
		cmocka_unit_test(wanted_frames_are_skipped),
		cmocka_unit_test(ranges_are_respected),
		cmocka_unit_test(a_range_waits_for_a_window),
		cmocka_unit_test(a_reader_joins_the_window),
		cmocka_unit_test(a_window_over_cached_frames_leaves_them_alone),
		cmocka_unit_test(a_window_that_finds_nothing_to_do_leaves_nothing),
		cmocka_unit_test(want_of_memory_gives_it_up),
		cmocka_unit_test(a_cache_may_end_with_its_last_request),
	};

	return run_suite("ahead", tests);
}
