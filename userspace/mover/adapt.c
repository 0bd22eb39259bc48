// SPDX-License-Identifier: GPL-2.0-or-later
/* How an end follows its path: from what was measured to what is wanted. */
#include <string.h>

#include "adapt.h"
#include "pool.h"

#define MS 1000000ull

/* Of the node's memory. */
#define NODE_SHARE 8

/* A rate is measured over so many round trips, but at least so long. */
#define RATE_TRIPS 4
#define RATE_NS (200 * MS)

/* So long must less have been enough. */
#define SHRINK_NS (10000 * MS)

/*
 * Of messages over a far path each way has two under way in a round trip. What takes less than so
 * long, or is shorter than that, is not worth its while.
 */
#define MESSAGES_PER_TRIP 2
#define MESSAGE_NS (50 * MS)
#define LEAST_MESSAGE (128u << 10)

/* Pieces: long ones where such a one takes no longer; over so long that is measured, and held. */
#define PIECE_NS (250 * MS)
#define PIECE_RATE_NS (100 * MS)
#define PIECE_HOLD_NS (1000 * MS)
#define SHORT_PIECE (256u << 10)
#define LONG_PIECE (4u << 20)

/* Depth: what a change brings is seen after a trip; less must have been enough for so long. */
#define DEPTH_TRIPS 2
#define DEPTH_NS (50 * MS)
#define DEPTH_SHRINK_NS (2000 * MS)

/* After a change, streams need time to find their rate. */
#define SETTLE_TRIPS 10
#define SETTLE_NS (200 * MS)
#define SETTLE_MOST_NS (2500 * MS)
#define MEASURE_TRIPS 5
#define MEASURE_NS (400 * MS)
#define MEASURE_MOST_NS (2000 * MS)

/* Fewer streams are as good as more if they reach this part of their rate. */
#define AS_GOOD 0.95

/* The rate has changed by itself. */
#define CHANGED_UP 1.2
#define CHANGED_DOWN 0.85

/* The part of their time that threads wait for streams where these are what is slow. */
#define SLOW_PART 0.7

#define FIRST_REST 4
#define MOST_REST 64

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint64_t hearth_adapt_cap(uint64_t memory_bytes, uint64_t node_bytes, uint64_t product)
{
	uint64_t most = node_bytes / NODE_SHARE;

	if (memory_bytes)
		return memory_bytes;
	return lesser(greater(HEARTH_ADAPT_LEAST_CAP, 2 * product),
		      greater(most, HEARTH_POOL_START_BYTES));
}

void hearth_adapt_pool_init(struct hearth_adapt_pool *p, uint64_t memory_bytes, uint64_t node_bytes)
{
	memset(p, 0, sizeof(*p));
	p->memory_bytes = memory_bytes;
	p->node_bytes = node_bytes;
	p->least = lesser(HEARTH_POOL_START_BYTES,
			  hearth_adapt_cap(memory_bytes, node_bytes, 0));
	p->bytes = p->least;
}

/* Twice the product, in doublings of what it began with, within the limit. */
static uint64_t wanted_bytes(const struct hearth_adapt_pool *p, uint64_t cap)
{
	uint64_t bytes = p->least;

	while (bytes < 2 * p->product)
		bytes *= 2;
	return lesser(bytes, cap);
}

/* Rate times round trip since the last time; false until that is long enough ago. */
static bool measure_product(struct hearth_adapt_pool *p, const struct hearth_sample *s,
			    uint64_t *ret)
{
	uint64_t time = s->now_ns - p->since_ns;

	if (p->since_ns && time < greater(RATE_NS, RATE_TRIPS * s->min_rtt_ns))
		return false;
	*ret = !p->since_ns ? 0
			    : (uint64_t)((double)(s->delivered - p->delivered) *
					 (double)s->min_rtt_ns / (double)time);
	p->since_ns = s->now_ns;
	p->delivered = s->delivered;
	return true;
}

bool hearth_adapt_pool(struct hearth_adapt_pool *p, const struct hearth_sample *s)
{
	uint64_t before = p->bytes, product, cap;

	if (!measure_product(p, s, &product))
		return false;
	if (product > p->product / 4 || !p->large_ns)
		p->large_ns = s->now_ns;
	if (product > p->product) {
		p->product = product;
	} else if (s->now_ns - p->large_ns > SHRINK_NS) {
		p->product /= 2;
		p->large_ns = s->now_ns;
	}
	cap = hearth_adapt_cap(p->memory_bytes, p->node_bytes, p->product);
	p->is_capped = 2 * p->product > cap;
	p->bytes = wanted_bytes(p, cap);
	return p->bytes != before;
}

uint32_t hearth_adapt_message(uint64_t product, uint64_t rtt_ns, uint32_t nr_ways, uint32_t most)
{
	uint64_t time = greater(rtt_ns / MESSAGES_PER_TRIP, MESSAGE_NS), wanted;
	uint32_t len = most;

	if (rtt_ns < HEARTH_ADAPT_LONG_WAY_NS)
		return most;
	wanted = (uint64_t)((double)product * (double)time / (double)rtt_ns) /
		 (nr_ways ? nr_ways : 1);
	while (len / 2 >= greater(wanted, LEAST_MESSAGE))
		len /= 2;
	return len;
}

void hearth_adapt_registered(uint64_t product, uint32_t nr_ways, uint32_t per_way, uint64_t most,
			     uint32_t *message, uint64_t *memory)
{
	uint64_t at_once = (uint64_t)nr_ways * per_way;

	while (*memory < 2 * product && 2 * *memory <= most)
		*memory *= 2;
	while (at_once * *message < lesser(2 * product, *memory) &&
	       2 * *message <= HEARTH_BLOCK_MAX_PAYLOAD)
		*message *= 2;
}

void hearth_adapt_piece_init(struct hearth_adapt_piece *p)
{
	*p = (struct hearth_adapt_piece){ .bytes = SHORT_PIECE };
}

void hearth_adapt_piece(struct hearth_adapt_piece *p, uint64_t now_ns, uint64_t read_bytes,
			uint32_t nr_ways)
{
	double time = (double)(now_ns - p->since_ns), bytes;
	bool is_fast;

	if (p->since_ns && now_ns - p->since_ns < PIECE_RATE_NS)
		return;
	bytes = (double)(read_bytes - p->read_before) / nr_ways;
	is_fast = p->since_ns && bytes * PIECE_NS >= time * LONG_PIECE;
	p->since_ns = now_ns;
	p->read_before = read_bytes;
	if (is_fast)
		p->fast_ns = now_ns;
	p->bytes = p->fast_ns && now_ns - p->fast_ns <= PIECE_HOLD_NS ? LONG_PIECE : SHORT_PIECE;
}

void hearth_adapt_depth_init(struct hearth_adapt_depth *d, uint32_t first, uint32_t least,
			     uint32_t most)
{
	memset(d, 0, sizeof(*d));
	d->most = most;
	d->least = least < most ? least : most;
	d->depth = first < most ? first : most;
}

bool hearth_adapt_depth(struct hearth_adapt_depth *d, uint64_t now_ns, uint64_t nr_done,
			uint64_t trip_ns)
{
	uint64_t time = now_ns - d->since_ns, wanted;
	uint32_t before = d->depth;

	if (d->since_ns && time < greater(DEPTH_NS, DEPTH_TRIPS * trip_ns))
		return false;
	wanted = d->since_ns ? 2 * (nr_done - d->nr_before) * trip_ns / time + d->least : d->depth;
	d->since_ns = now_ns;
	d->nr_before = nr_done;
	if (wanted > d->depth / 2 || !d->large_ns)
		d->large_ns = now_ns;
	if (wanted > d->depth)
		d->depth = (uint32_t)lesser(wanted, d->most);
	else if (now_ns - d->large_ns > DEPTH_SHRINK_NS)
		d->depth = (uint32_t)greater(d->depth / 2, d->least);
	if (d->depth < before)
		d->large_ns = now_ns;
	return d->depth != before;
}

void hearth_adapt_streams_init(struct hearth_adapt_streams *a, uint32_t nr, uint32_t most)
{
	memset(a, 0, sizeof(*a));
	a->wanted = nr;
	a->most = most;
	a->patience = 1;
	a->rest = FIRST_REST;
}

static void begin(struct hearth_adapt_streams *a, const struct hearth_sample *s, bool settles)
{
	uint64_t time = settles ? lesser(greater(SETTLE_NS, SETTLE_TRIPS * s->min_rtt_ns),
					 SETTLE_MOST_NS)
				: 0;

	a->from = *s;
	a->settled_ns = time ? s->now_ns + time : 0;
}

static void change(struct hearth_adapt_streams *a, const struct hearth_sample *s,
		   enum hearth_adapt_goal goal, uint32_t wanted)
{
	a->goal = goal;
	a->wanted = wanted;
	begin(a, s, true);
}

/* Between what is too few and what is enough lies what to try next, until they meet. */
static void narrow(struct hearth_adapt_streams *a, const struct hearth_sample *s)
{
	uint32_t middle = (a->few + a->enough) / 2;

	if (middle > a->few) {
		change(a, s, HEARTH_ADAPT_DOWN, middle);
		return;
	}
	a->held = 0;
	a->patience = a->rest;
	change(a, s, HEARTH_ADAPT_HOLD, a->enough);
}

static void try_more(struct hearth_adapt_streams *a, const struct hearth_sample *s, double rate)
{
	a->enough = a->wanted;
	a->best = rate;
	change(a, s, HEARTH_ADAPT_UP, (uint32_t)lesser(2 * a->wanted, a->most));
}

static void try_fewer(struct hearth_adapt_streams *a, const struct hearth_sample *s, double rate)
{
	a->enough = a->wanted;
	a->best = rate;
	narrow(a, s);
}

/*
 * While a path is new its rate rises by itself, and more streams seem to be the reason: what seemed
 * too few is tried once more, from the second attempt in vain until they have become rare.
 */
static void doubt(struct hearth_adapt_streams *a)
{
	if (a->rest > FIRST_REST && a->rest < MOST_REST)
		a->few /= 4;
	a->rest = (uint32_t)lesser(2 * a->rest, MOST_REST);
}

static void judge_more(struct hearth_adapt_streams *a, const struct hearth_sample *s, double rate)
{
	if (a->best >= AS_GOOD * rate) {
		doubt(a);
		narrow(a, s);
		return;
	}
	a->rest = FIRST_REST;
	a->few = a->enough;
	a->enough = a->wanted;
	a->best = rate;
	if (a->wanted < a->most)
		try_more(a, s, rate);
	else
		narrow(a, s);
}

static void judge_fewer(struct hearth_adapt_streams *a, const struct hearth_sample *s, double rate)
{
	if (rate >= AS_GOOD * a->best)
		a->enough = a->wanted;
	else
		a->few = a->wanted;
	narrow(a, s);
}

/* @is_slow: the streams are what holds the rate down. */
static void hold(struct hearth_adapt_streams *a, const struct hearth_sample *s, double rate,
		 bool is_slow)
{
	if (a->held && (rate < CHANGED_DOWN * a->held || rate > CHANGED_UP * a->held)) {
		a->patience = 1;
		a->rest = FIRST_REST;
		a->few = 0;
	}
	a->held = a->held && a->patience > 1 ? (3 * a->held + rate) / 4 : rate;
	if (a->patience && --a->patience) {
		begin(a, s, false);
	} else if (is_slow && a->wanted < a->most) {
		try_more(a, s, rate);
	} else {
		doubt(a);
		try_fewer(a, s, rate);
	}
}

/* Whether what is under way has lasted long enough to say something. */
static bool is_measured(struct hearth_adapt_streams *a, const struct hearth_sample *s)
{
	uint64_t time = lesser(greater(MEASURE_NS, MEASURE_TRIPS * s->min_rtt_ns), MEASURE_MOST_NS);

	if (!a->from.now_ns || s->nr_streams < a->wanted) {
		begin(a, s, true);
		return false;
	}
	if (a->settled_ns && s->now_ns < a->settled_ns)
		return false;
	if (a->settled_ns) {
		begin(a, s, false);
		return false;
	}
	return s->now_ns - a->from.now_ns >= time;
}

void hearth_adapt_streams(struct hearth_adapt_streams *a, const struct hearth_sample *s)
{
	double time, rate;
	bool is_slow;

	if (s->min_rtt_ns < HEARTH_ADAPT_FAR_NS || !is_measured(a, s))
		return;
	time = (double)(s->now_ns - a->from.now_ns);
	rate = (double)(s->delivered - a->from.delivered) / time;
	is_slow = (double)(s->sending_ns - a->from.sending_ns) >= SLOW_PART * a->wanted * time;
	if (a->goal == HEARTH_ADAPT_UP)
		judge_more(a, s, rate);
	else if (a->goal == HEARTH_ADAPT_DOWN)
		judge_fewer(a, s, rate);
	else
		hold(a, s, rate, is_slow);
}
