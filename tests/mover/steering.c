// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How an end follows its path, on paths that are made up: no clock, no socket, no thread. And the
 * pool that grows and shrinks, and the flight that bounds and takes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "adapt.h"
#include "pool.h"
#include "work.h"

#define MIB (1ull << 20)
#define MS 1000000ull
#define TICK_NS (100 * MS)
#define NODE (64ull << 30)

/* Rates are in bytes a second. */
struct path {
	double capacity;
	double per_stream; /* what the kernel's buffers allow each */
	double source; /* what there is to send */
	uint64_t rtt_ns;
	uint32_t others; /* streams of somebody else, each as strong as one of ours */
	uint64_t window; /* bytes that may be under way */
	double rate;
	struct hearth_sample sample;
};

static double least(double a, double b)
{
	return a < b ? a : b;
}

static double reachable(const struct path *p, uint32_t nr)
{
	double rate = least(p->capacity * nr / (nr + p->others), p->per_stream * nr);

	return least(least(rate, p->source), (double)p->window * 1e9 / (double)p->rtt_ns);
}

/* A tick later; a rate needs some round trips to change. */
static void flow(struct path *p, uint32_t nr)
{
	double wanted = reachable(p, nr);

	p->rate += (wanted - p->rate) * least(1, (double)TICK_NS / (3.0 * (double)p->rtt_ns));
	p->sample.now_ns += TICK_NS;
	p->sample.delivered += (uint64_t)(p->rate * (double)TICK_NS / 1e9);
	p->sample.min_rtt_ns = p->rtt_ns;
	p->sample.sending_ns += (uint64_t)(nr * TICK_NS * (wanted < p->source ? 0.95 : 0.3));
	p->sample.nr_streams = nr;
}

static struct path long_path(void)
{
	return (struct path){ .capacity = 125e6,
			      .per_stream = 31e6,
			      .source = 1e12,
			      .rtt_ns = 100 * MS,
			      .window = UINT64_MAX,
			      .sample.now_ns = 1000 * MS };
}

static void run_pool(struct hearth_adapt_pool *pool, struct path *p, uint32_t seconds)
{
	for (uint32_t i = 0; i < seconds * 10; i++) {
		p->window = pool->bytes;
		flow(p, 64);
		hearth_adapt_pool(pool, &p->sample);
	}
}

static void bytes_under_way_grow_until_the_path_is_full(void **state)
{
	struct hearth_adapt_pool pool;
	struct path p = long_path();

	(void)state;
	p.per_stream = 1e12;
	p.capacity = 1250e6; /* 125 MB are under way when it is full */
	hearth_adapt_pool_init(&pool, 0, NODE);
	assert_int_equal(pool.bytes, 32 * MIB);
	run_pool(&pool, &p, 30);
	assert_int_equal(pool.bytes, 256 * MIB);
	assert_true(p.rate > 0.99 * p.capacity);
	assert_false(pool.is_capped);
	/* Much more than the least cap, where the path holds it and the node has it. */
	p.capacity *= 8;
	run_pool(&pool, &p, 60);
	assert_true(pool.bytes >= 1800 * MIB);
	assert_true(p.rate > 0.99 * p.capacity);
	/* A pause of some seconds takes nothing away, a long one all that came on top. */
	p.source = 1e6;
	run_pool(&pool, &p, 5);
	assert_true(pool.bytes >= 1800 * MIB);
	run_pool(&pool, &p, 300);
	assert_int_equal(pool.bytes, 32 * MIB);
}

static void a_short_path_needs_no_more(void **state)
{
	struct hearth_adapt_pool pool;
	struct path p = long_path();

	(void)state;
	p.capacity = 5e9;
	p.per_stream = 5e9;
	p.rtt_ns = MS / 10;
	hearth_adapt_pool_init(&pool, 0, NODE);
	run_pool(&pool, &p, 60);
	assert_int_equal(pool.bytes, 32 * MIB);
	assert_false(pool.is_capped);
}

static void limits_hold_and_are_noticed(void **state)
{
	struct hearth_adapt_pool pool;
	struct path p = long_path();

	(void)state;
	p.capacity = 1250e6;
	hearth_adapt_pool_init(&pool, 8 * MIB, NODE);
	run_pool(&pool, &p, 30);
	assert_int_equal(pool.bytes, 8 * MIB);
	assert_true(pool.is_capped);
	hearth_adapt_pool_init(&pool, 0, 1024 * MIB); /* an eighth of the node */
	run_pool(&pool, &p, 30);
	assert_int_equal(pool.bytes, 128 * MIB);
	assert_true(pool.is_capped);
	assert_int_equal(hearth_adapt_cap(0, NODE, 0), 256 * MIB);
	assert_int_equal(hearth_adapt_cap(0, NODE, 500 * MIB), 1000 * MIB);
	assert_int_equal(hearth_adapt_cap(0, NODE, 100ull << 30), NODE / 8);
	assert_int_equal(hearth_adapt_cap(77 * MIB, NODE, 500 * MIB), 77 * MIB);
}

static void messages_are_as_long_as_the_path_has_use_for(void **state)
{
	/* product, round trip, ways, and the length that becomes of 512 KiB */
	static const struct {
		uint64_t product;
		uint64_t rtt_ms;
		uint32_t nr_ways;
		uint32_t kib;
	} cases[] = {
		{ 625000, 100, 1, 512 },
		{ 625000, 100, 4, 128 },
		{ 1250000, 100, 4, 256 },
		{ 1250000, 100, 16, 128 },
		{ 12500000, 100, 4, 512 },
		{ 125000, 100, 4, 128 },
		{ 1000, 100, 1, 128 },
		{ 0, 100, 4, 128 }, /* nothing has come yet */
		{ 125000, 10, 4, 256 }, /* as much a second as before, over a shorter path */
	};
	uint32_t most = 512 << 10, last = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(hearth_adapt_message(cases[i].product, cases[i].rtt_ms * MS,
						      cases[i].nr_ways, most),
				 cases[i].kib << 10);
	/* Near, and before it is known how far it is, the longest. */
	assert_int_equal(hearth_adapt_message(1000, 9 * MS, 4, most), most);
	assert_int_equal(hearth_adapt_message(0, 0, 4, most), most);
	/* What was asked for is never exceeded, nor is what is short made shorter. */
	assert_int_equal(hearth_adapt_message(1ull << 40, 100 * MS, 1, most), most);
	assert_int_equal(hearth_adapt_message(1000, 100 * MS, 1, 4096), 4096);
	for (uint64_t product = 1000; product < 1ull << 32; product *= 2) {
		uint32_t len = hearth_adapt_message(product, 100 * MS, 4, most);

		assert_true(len >= last);
		last = len;
	}
}

static void what_is_registered_fills_the_path_as_far_as_it_may(void **state)
{
	static const struct {
		uint64_t product_mib, most_mib; /* of a path with two ways, 32 messages each */
		uint64_t memory_mib;
		uint32_t kib;
	} cases[] = {
		{ 0, 8192, 32, 512 },
		{ 16, 8192, 32, 512 },
		{ 30, 8192, 64, 1024 },
		{ 475, 8192, 1024, 16384 },
		{ 475, 256, 256, 4096 },
		{ 475, 32, 32, 512 },
		{ 475, 8, 32, 512 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t memory = 32 * MIB;
		uint32_t message = 512 << 10;

		hearth_adapt_registered(cases[i].product_mib * MIB, 2, 32,
					cases[i].most_mib * MIB, &message, &memory);
		assert_int_equal(memory, cases[i].memory_mib * MIB);
		assert_int_equal(message, cases[i].kib << 10);
	}
}

static uint32_t piece_at(struct hearth_adapt_piece *p, uint64_t *now_ns, uint64_t *read,
			 double mib_s, uint32_t nr_ways, int ms)
{
	for (int i = 0; i < ms; i += 10) {
		*now_ns += 10 * MS;
		*read += (uint64_t)(mib_s * MIB / 100);
		hearth_adapt_piece(p, *now_ns, *read, nr_ways);
	}
	return p->bytes >> 10;
}

static void blocks_are_read_in_pieces_until_the_way_is_known_to_be_fast(void **state)
{
	uint64_t now_ns = 1000 * MS, read = 1;
	struct hearth_adapt_piece p;

	(void)state;
	hearth_adapt_piece_init(&p);
	assert_int_equal(p.bytes, 256 << 10);
	assert_int_equal(piece_at(&p, &now_ns, &read, 12, 4, 3000), 256);
	assert_int_equal(piece_at(&p, &now_ns, &read, 60, 4, 3000), 256);
	assert_int_equal(piece_at(&p, &now_ns, &read, 60, 2, 200), 4096);
	/* The sender rests, and then the wire has become slow. */
	assert_int_equal(piece_at(&p, &now_ns, &read, 0, 2, 900), 4096);
	assert_int_equal(piece_at(&p, &now_ns, &read, 60, 2, 200), 4096);
	assert_int_equal(piece_at(&p, &now_ns, &read, 12, 2, 1200), 256);
}

/* Messages over RDMA: each takes the round trip, and its turn on the wire. */
struct wire {
	double rate; /* messages a second that it takes at most */
	uint64_t rtt_ns;
	uint64_t now_ns;
	double done;
};

static double wire_rate(const struct wire *w, uint32_t depth)
{
	return least(w->rate, depth / ((double)w->rtt_ns / 1e9 + 1 / w->rate));
}

static void run_depth(struct hearth_adapt_depth *d, struct wire *w, uint32_t ms)
{
	for (uint32_t i = 0; i < ms; i += 10) {
		w->done += wire_rate(w, d->depth) / 100;
		w->now_ns += 10 * MS;
		hearth_adapt_depth(d, w->now_ns, (uint64_t)w->done,
				   w->rtt_ns + (uint64_t)(1e9 / w->rate));
	}
}

static void as_many_messages_are_under_way_as_fill_the_path(void **state)
{
	static const struct {
		double rate;
		uint64_t rtt_ns;
		uint32_t fewest, most;
	} cases[] = {
		{ 100, MS / 10, 4, 8 }, /* near */
		{ 5000, MS / 10, 4, 8 },
		{ 100, 100 * MS, 22, 28 },
		{ 100, 20 * MS, 6, 12 },
		{ 1000, 100 * MS, 128, 128 }, /* as far as it goes */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct wire w = { cases[i].rate, cases[i].rtt_ns, 1000 * MS, 0 };
		struct hearth_adapt_depth d;

		hearth_adapt_depth_init(&d, 8, 4, 128);
		run_depth(&d, &w, 30000);
		assert_in_range(d.depth, cases[i].fewest, cases[i].most);
		if (d.depth < 128)
			assert_true(wire_rate(&w, d.depth) >= 0.95 * w.rate);
	}
}

static void the_depth_follows_up_within_trips_and_down_within_seconds(void **state)
{
	struct wire w = { 100, 100 * MS, 1000 * MS, 0 };
	struct hearth_adapt_depth d;

	(void)state;
	hearth_adapt_depth_init(&d, 8, 4, 128);
	run_depth(&d, &w, 1000);
	assert_true(wire_rate(&w, d.depth) >= 0.95 * w.rate);
	/* Four times the rate: ten round trips. */
	w.rate = 400;
	run_depth(&d, &w, 1000);
	assert_true(wire_rate(&w, d.depth) >= 0.95 * w.rate);
	w.rate = 20;
	run_depth(&d, &w, 1000);
	assert_true(d.depth > 40); /* that may be a pause */
	run_depth(&d, &w, 15000);
	assert_in_range(d.depth, 6, 16);
	/* Never more than there is room for, even if that is less than what is usual. */
	hearth_adapt_depth_init(&d, 8, 4, 2);
	run_depth(&d, &w, 5000);
	assert_int_equal(d.depth, 2);
}

static void run_streams(struct hearth_adapt_streams *a, struct path *p, uint32_t seconds)
{
	for (uint32_t i = 0; i < seconds * 10; i++) {
		flow(p, a->wanted);
		hearth_adapt_streams(a, &p->sample);
	}
}

/* For most of the time, attempts left out. */
static bool is_mostly(struct hearth_adapt_streams *a, struct path *p, uint32_t wanted)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < 3000; i++) {
		flow(p, a->wanted);
		hearth_adapt_streams(a, &p->sample);
		nr += a->wanted == wanted;
	}
	return nr >= 2500;
}

static void the_fewest_streams_that_do_are_found(void **state)
{
	/* per stream, and how many of them are within 5 % of 125 MB/s */
	static const struct {
		double per_stream;
		uint32_t wanted;
	} cases[] = { { 130e6, 1 }, { 62e6, 2 }, { 31e6, 4 }, { 17e6, 7 }, { 10e6, 12 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (uint32_t first = 1; first <= 4; first += 3) {
			struct hearth_adapt_streams a;
			struct path p = long_path();

			p.per_stream = cases[i].per_stream;
			hearth_adapt_streams_init(&a, first, 32);
			run_streams(&a, &p, 60);
			assert_true(is_mostly(&a, &p, cases[i].wanted));
		}
	}
}

static void near_and_slow_sources_need_no_more_streams(void **state)
{
	struct hearth_adapt_streams a;
	struct path p = long_path();

	(void)state;
	p.rtt_ns = MS / 10;
	hearth_adapt_streams_init(&a, 2, 32);
	run_streams(&a, &p, 60);
	assert_int_equal(a.wanted, 2);
	p = long_path();
	p.source = 20e6;
	hearth_adapt_streams_init(&a, 4, 32);
	for (uint32_t i = 0; i < 600; i++) {
		run_streams(&a, &p, 1);
		assert_true(a.wanted <= 4); /* more is not even tried */
	}
	assert_true(is_mostly(&a, &p, 1));
}

/* The rate that a run finds that knows no other path. */
static double fresh_rate(uint32_t others)
{
	struct hearth_adapt_streams a;
	struct path p = long_path();

	p.others = others;
	hearth_adapt_streams_init(&a, 1, 32);
	run_streams(&a, &p, 60);
	return reachable(&p, a.wanted);
}

static void a_flow_that_comes_and_goes_is_made_up_for(void **state)
{
	static const uint32_t others[] = { 4, 0, 2, 8, 0 };
	struct hearth_adapt_streams a;
	struct path p = long_path();

	(void)state;
	hearth_adapt_streams_init(&a, 1, 32);
	/* Nobody comes for so long that attempts have become rare. */
	for (uint32_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		run_streams(&a, &p, 600);
		p.others = others[i];
		run_streams(&a, &p, 5);
		assert_true(p.rate >= 0.85 * fresh_rate(others[i]));
	}
}

/* Slow start: for some seconds each second brings more, whatever one does. */
static void a_rate_that_rises_by_itself_misleads_for_a_while_only(void **state)
{
	struct hearth_adapt_streams a;
	struct path p = long_path();

	(void)state;
	p.per_stream = 130e6;
	p.capacity = 1e6;
	hearth_adapt_streams_init(&a, 4, 32);
	for (; p.capacity < 125e6; p.capacity *= 1.05) {
		flow(&p, a.wanted);
		hearth_adapt_streams(&a, &p.sample);
	}
	assert_true(a.wanted > 4);
	run_streams(&a, &p, 120);
	assert_true(is_mostly(&a, &p, 1));
}

static void nothing_is_judged_before_the_streams_are_there(void **state)
{
	struct hearth_adapt_streams a;
	struct path p = long_path();

	(void)state;
	hearth_adapt_streams_init(&a, 1, 32);
	while (a.wanted == 1) {
		flow(&p, 1);
		hearth_adapt_streams(&a, &p.sample);
	}
	for (int i = 0; i < 600; i++) {
		flow(&p, 1);
		hearth_adapt_streams(&a, &p.sample);
		assert_int_equal(a.wanted, 2);
	}
}

static void a_pool_grows_and_shrinks_while_blocks_are_out(void **state)
{
	struct hearth_block *out[40];
	struct hearth_pool pool;
	uint32_t nr;

	(void)state;
	assert_int_equal(hearth_pool_init(&pool, 4096, 8 * 4096, -1), 0);
	assert_int_equal(hearth_pool_resize(&pool, 32 * 4096), 0);
	assert_int_equal(hearth_pool_resize(&pool, 40 * 4096), 0);
	assert_int_equal(pool.nr_blocks, 40);
	for (nr = 0; nr < 40; nr++) {
		out[nr] = hearth_pool_get(&pool);
		memset(out[nr]->data, (int)nr, 4096);
	}
	/* To eight: the chunk of 24 and that of 8 are to go, but their blocks are out. */
	assert_int_equal(hearth_pool_resize(&pool, 8 * 4096), 0);
	assert_int_equal(pool.nr_blocks, 8);
	for (nr = 0; nr < 40; nr++) {
		assert_int_equal(out[nr]->data[4095], nr);
		hearth_pool_put(out[nr]);
	}
	for (int i = 1; i < HEARTH_POOL_MAX_CHUNKS; i++)
		assert_null(pool.chunks[i].memory);
	assert_non_null(pool.chunks[0].memory);
	/* It never becomes less than it was, and grows again. */
	assert_int_equal(hearth_pool_resize(&pool, 4096), 0);
	assert_int_equal(pool.nr_blocks, 8);
	for (nr = 0; nr < 8; nr++)
		out[nr] = hearth_pool_get(&pool);
	assert_int_equal(hearth_pool_resize(&pool, 9 * 4096), 0);
	out[nr] = hearth_pool_get(&pool);
	assert_non_null(out[nr]);
	hearth_pool_put(out[nr]);
	assert_int_equal(hearth_pool_resize(&pool, 8 * 4096), 0);
	assert_null(pool.chunks[1].memory);
	hearth_pool_exit(&pool);
}

struct preparation {
	struct hearth_pool *pool;
	int ret;
	uint32_t nr_blocks;
};

static int prepare(void *ctx, struct hearth_pool_chunk *c)
{
	struct preparation *p = ctx;

	assert_true(hearth_pool_is_empty(p->pool));
	memset(c->memory, 0, c->memory_bytes);
	p->nr_blocks += c->nr_blocks;
	return p->ret;
}

static void a_chunk_is_prepared_before_its_blocks_go_out(void **state)
{
	struct hearth_block *out[4];
	struct hearth_pool pool;
	struct preparation p = { &pool, -1, 0 };

	(void)state;
	assert_int_equal(hearth_pool_init(&pool, 4096, 4 * 4096, -1), 0);
	assert_false(hearth_pool_is_empty(&pool));
	for (uint32_t i = 0; i < 4; i++)
		out[i] = hearth_pool_get(&pool);
	assert_true(hearth_pool_is_empty(&pool));
	/* Of one that could not be prepared nothing is left. */
	assert_true(hearth_pool_add(&pool, 3 * 4096, prepare, &p) < 0);
	assert_null(hearth_pool_try_get(&pool));
	assert_int_equal(pool.nr_blocks, 4);
	assert_null(pool.chunks[1].memory);
	p.ret = 0;
	assert_int_equal(hearth_pool_add(&pool, 3 * 4096, prepare, &p), 0);
	assert_int_equal(p.nr_blocks, 6);
	assert_int_equal(pool.nr_blocks, 7);
	hearth_pool_put(out[0]);
	for (uint32_t i = 0; i < 4; i++)
		assert_non_null(hearth_pool_try_get(&pool));
	assert_null(hearth_pool_try_get(&pool));
	hearth_pool_exit(&pool);
}

/* Adds a block of 100 bytes at @voff and sends it. */
static uint64_t send(struct hearth_flight *f, struct hearth_block *b, uint64_t voff,
		     uint32_t stream)
{
	b->nr_segs = 0;
	hearth_block_add(b, HEARTH_SEGMENT_DATA, voff, 100);
	b->len = 100;
	assert_int_equal(hearth_flight_add(f, b, 0), 0);
	hearth_flight_send(f, b, stream);
	return b->seq;
}

static void what_a_lost_stream_had_is_taken_back(void **state)
{
	struct hearth_flight *f = malloc(sizeof(*f));
	struct hearth_block *b = calloc(1, sizeof(*b));
	struct hearth_flight_slot slot;
	uint64_t first, second, third;

	(void)state;
	hearth_flight_init(f);
	first = send(f, b, 0, 7);
	second = send(f, b, 100, 3);
	third = send(f, b, 200, 7);
	assert_int_equal(f->under_way, 300);
	assert_true(hearth_flight_is_older(f, 7, UINT64_MAX));
	assert_false(hearth_flight_is_older(f, 7, 0));
	assert_false(hearth_flight_is_older(f, 4, UINT64_MAX));
	assert_false(hearth_flight_may_be_late(f, first));
	/* The newest first, so that pushed to the front they are in order again. */
	assert_true(hearth_flight_take_back(f, 7, &slot));
	assert_int_equal(slot.seq, third);
	assert_int_equal(slot.segs[0].voff, 200);
	free(slot.segs);
	assert_true(hearth_flight_take_back(f, 7, &slot));
	assert_int_equal(slot.seq, first);
	free(slot.segs);
	assert_false(hearth_flight_take_back(f, 7, &slot));
	assert_int_equal(f->under_way, 100);
	/* Answers that come after all are no offence, for what was never sent they are. */
	assert_false(hearth_flight_remove(f, first, &slot));
	assert_true(hearth_flight_may_be_late(f, first));
	assert_false(hearth_flight_may_be_late(f, third + 1));
	assert_true(hearth_flight_remove(f, second, &slot));
	free(slot.segs);
	assert_int_equal(f->under_way, 0);
	/* What is filled and not sent belongs to no stream. */
	b->nr_segs = 0;
	hearth_block_add(b, HEARTH_SEGMENT_DATA, 0, 100);
	assert_int_equal(hearth_flight_add(f, b, 0), 0);
	assert_false(hearth_flight_take_back(f, 0, &slot));
	assert_false(hearth_flight_remove(f, b->seq, &slot));
	hearth_flight_exit(f);
	free(b);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_under_way_grow_until_the_path_is_full),
		cmocka_unit_test(a_short_path_needs_no_more),
		cmocka_unit_test(limits_hold_and_are_noticed),
		cmocka_unit_test(messages_are_as_long_as_the_path_has_use_for),
		cmocka_unit_test(what_is_registered_fills_the_path_as_far_as_it_may),
		cmocka_unit_test(blocks_are_read_in_pieces_until_the_way_is_known_to_be_fast),
		cmocka_unit_test(as_many_messages_are_under_way_as_fill_the_path),
		cmocka_unit_test(the_depth_follows_up_within_trips_and_down_within_seconds),
		cmocka_unit_test(the_fewest_streams_that_do_are_found),
		cmocka_unit_test(near_and_slow_sources_need_no_more_streams),
		cmocka_unit_test(a_flow_that_comes_and_goes_is_made_up_for),
		cmocka_unit_test(a_rate_that_rises_by_itself_misleads_for_a_while_only),
		cmocka_unit_test(nothing_is_judged_before_the_streams_are_there),
		cmocka_unit_test(a_pool_grows_and_shrinks_while_blocks_are_out),
		cmocka_unit_test(a_chunk_is_prepared_before_its_blocks_go_out),
		cmocka_unit_test(what_a_lost_stream_had_is_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
