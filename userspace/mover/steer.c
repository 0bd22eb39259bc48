// SPDX-License-Identifier: GPL-2.0-or-later
/* The sender follows its path. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../common/io.h"
#include "engine.h"
#include "send.h"

#define TICK_MS 100
#define LEAST_BLOCKS 4
#define MS 1000000ull

/* A tick that comes this late says that the process, or the machine, slept. */
#define PAUSE_NS (1000 * MS)

/* What was sent so long ago should have arrived. */
#define SILENCE_NS (HEARTH_STREAM_QUIET_MS * MS)

/* So long may streams be missing before those that there are have to do, */
#define SHORT_NS (15000 * MS)
/* and so long may there be none at all where the receiver makes them. */
#define NONE_NS (30000 * MS)

/* What held the rate down for less of the time is not worth a word. */
#define MIN_PERMILLE 100

uint32_t hearth_steer_first(const struct hearth_sender *s)
{
	return s->job->opt.spares_streams && !hearth_engine_is_split(s->job, &s->numa)
		       ? 1
		       : s->wires->nr_streams;
}

static void measure(struct hearth_steer *st, struct hearth_sample *ret,
		    struct hearth_stream_path *ret_path)
{
	struct hearth_sender *s = st->sender;

	hearth_lanes_look(&s->engine.lanes, ret_path);
	pthread_mutex_lock(&s->flight.lock);
	*ret = (struct hearth_sample){
		.now_ns = hearth_now_ns(),
		.delivered = ret_path->delivered ? ret_path->delivered : s->flight.answered,
		.min_rtt_ns = ret_path->min_rtt_ns ? ret_path->min_rtt_ns : s->flight.min_trip_ns,
		.sending_ns = s->sending_ns,
	};
	pthread_mutex_unlock(&s->flight.lock);
}

/* Some blocks always may, however large they are. */
static void set_window(struct hearth_steer *st)
{
	uint64_t least = (uint64_t)LEAST_BLOCKS * st->sender->job->opt.block_bytes;

	hearth_flight_set_window(&st->sender->flight,
				 st->pool.bytes > least ? st->pool.bytes : least);
	hearth_sender_share_out(st->sender);
}

/* In a measurement it is the length asked for. */
static void follow_message(struct hearth_steer *st, const struct hearth_sample *sample,
			   uint32_t nr_ways)
{
	struct hearth_sender *s = st->sender;

	if (!s->job->opt.bench)
		s->message_bytes = hearth_adapt_message(st->pool.product, sample->min_rtt_ns,
							nr_ways ? nr_ways : st->streams.wanted,
							s->pool->block_bytes);
	s->job->path.message_bytes = s->message_bytes;
}

static void follow_pool(struct hearth_steer *st, const struct hearth_sample *sample,
			uint32_t nr_ways)
{
	struct hearth_sender *s = st->sender;
	bool has_changed = hearth_adapt_pool(&st->pool, sample);

	follow_message(st, sample, nr_ways);
	/* What is registered with a card stays. */
	if (!has_changed || s->wires->pool)
		return;
	/* Without memory for it, it stays as it is. */
	if (hearth_pool_resize(s->pool, st->pool.bytes))
		return;
	set_window(st);
	if (st->pool.bytes > s->job->path.pool_bytes)
		s->job->path.pool_bytes = st->pool.bytes;
	hearth_control_send_u64(s->wires->control, HEARTH_FRAME_WINDOW, st->pool.bytes);
}

/* Has as many streams made as are wanted, by this end or by the other. */
static void ask_for(struct hearth_steer *st, uint32_t nr)
{
	struct hearth_sender *s = st->sender;

	if (!s->wires->supply || nr == st->asked)
		return;
	st->asked = nr;
	if (s->wires->supply->dial)
		hearth_lanes_want(&s->engine.lanes, nr);
	else
		hearth_control_send_u64(s->wires->control, HEARTH_FRAME_STREAMS, nr);
}

static void miss(struct hearth_steer *st, uint64_t now_ns, uint32_t nr_live)
{
	uint64_t missed;

	if (nr_live >= st->streams.wanted) {
		st->short_ns = 0;
		return;
	}
	st->short_ns = st->short_ns ? st->short_ns : now_ns;
	missed = now_ns - st->short_ns;
	if (!nr_live && missed > NONE_NS)
		hearth_job_fail(st->sender->job, HEARTH_EXIT_LOST,
				"all data connections broke, and no new one came in; run the same command again to continue");
	else if (nr_live && missed > SHORT_NS && st->follows)
		hearth_adapt_streams_init(&st->streams, nr_live, nr_live);
}

static void follow_streams(struct hearth_steer *st, struct hearth_sample *sample, bool knows_path)
{
	struct hearth_sender *s = st->sender;
	uint32_t before = st->streams.wanted, nr_live, nr_first = s->wires->nr_streams;

	nr_live = hearth_lanes_park(&s->engine.lanes, before);
	sample->nr_streams = nr_live < before ? nr_live : before;
	if (st->follows && knows_path)
		hearth_adapt_streams(&st->streams, sample);
	miss(st, sample->now_ns, nr_live);
	if (st->streams.wanted > s->job->path.streams_most)
		s->job->path.streams_most = st->streams.wanted;
	s->job->path.streams = st->streams.wanted;
	ask_for(st, st->streams.wanted > nr_first ? st->streams.wanted : nr_first);
	if (st->streams.wanted != before)
		hearth_lanes_park(&s->engine.lanes, st->streams.wanted);
	hearth_work_poke(&s->devices.work[0]);
}

static void tick(struct hearth_steer *st)
{
	struct hearth_stream_path path;
	struct hearth_sample sample;

	measure(st, &sample, &path);
	if (path.peer_window > st->peer_window)
		st->peer_window = path.peer_window;
	pthread_mutex_lock(&st->lock);
	if (sample.now_ns - st->tick_ns > PAUSE_NS)
		st->awake_ns = sample.now_ns;
	st->tick_ns = sample.now_ns;
	pthread_mutex_unlock(&st->lock);
	follow_pool(st, &sample, path.nr_ways);
	if (st->sender->wires->pool)
		return;
	/* Of a path inside ssh nothing is known, and each stream is a process. */
	follow_streams(st, &sample, path.min_rtt_ns);
}

static void *run(void *arg)
{
	struct hearth_steer *st = arg;
	struct timespec ts;

	pthread_mutex_lock(&st->lock);
	while (!st->is_stopped) {
		int err = 0;

		pthread_mutex_unlock(&st->lock);
		tick(st);
		pthread_mutex_lock(&st->lock);
		clock_gettime(CLOCK_MONOTONIC, &ts);
		ts.tv_nsec += TICK_MS * MS;
		ts.tv_sec += ts.tv_nsec / 1000000000;
		ts.tv_nsec %= 1000000000;
		while (!st->is_stopped && !err)
			err = pthread_cond_timedwait(&st->changed, &st->lock, &ts);
	}
	pthread_mutex_unlock(&st->lock);
	return NULL;
}

/* Both ends in one process have none. */
static bool knows_path(const struct hearth_sender *s)
{
	return !s->wires->pool || s->wires->streams[0]->ops->look;
}

int hearth_steer_start(struct hearth_steer *st, struct hearth_sender *s)
{
	uint32_t first = hearth_steer_first(s);
	struct hearth_stream_path path;
	struct hearth_sample sample;
	pthread_condattr_t attr;

	memset(st, 0, sizeof(*st));
	st->sender = s;
	st->start_ns = hearth_now_ns();
	st->tick_ns = st->start_ns;
	st->awake_ns = st->start_ns;
	st->asked = s->wires->nr_streams;
	st->follows = s->job->opt.spares_streams && hearth_lanes_can_replace(&s->engine.lanes);
	hearth_adapt_streams_init(&st->streams, first, HEARTH_ADAPT_MAX_STREAMS);
	hearth_adapt_pool_init(&st->pool, s->job->opt.memory_bytes,
			       hearth_numa_memory("", s->numa.card_node));
	pthread_mutex_init(&st->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&st->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (!knows_path(s))
		return 0;
	if (!s->wires->pool) {
		s->job->path.pool_bytes = st->pool.bytes;
		s->job->path.streams = first;
		s->job->path.streams_most = first;
		set_window(st);
	}
	measure(st, &sample, &path);
	follow_message(st, &sample, path.nr_ways);
	st->is_running = !pthread_create(&st->thread, NULL, run, st);
	return st->is_running ? 0 : -EAGAIN;
}

void hearth_steer_stop(struct hearth_steer *st)
{
	pthread_mutex_lock(&st->lock);
	st->is_stopped = true;
	pthread_cond_broadcast(&st->changed);
	pthread_mutex_unlock(&st->lock);
	if (st->is_running)
		pthread_join(st->thread, NULL);
	pthread_cond_destroy(&st->changed);
	pthread_mutex_destroy(&st->lock);
}

bool hearth_steer_is_silent(struct hearth_steer *st, uint32_t number)
{
	struct hearth_stream_path path;
	struct hearth_sample sample;
	uint64_t patience, now;
	bool is_awake;

	measure(st, &sample, &path);
	now = sample.now_ns;
	patience = SILENCE_NS + 2 * sample.min_rtt_ns;
	pthread_mutex_lock(&st->lock);
	is_awake = now - st->tick_ns < PAUSE_NS && now - st->awake_ns > patience;
	pthread_mutex_unlock(&st->lock);
	return is_awake &&
	       hearth_flight_is_older(&st->sender->flight, number, now - patience);
}

/* The most that the kernel buffers for a stream of this end; 0: it does not say. */
uint64_t hearth_steer_buffer(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned long long most = 0;

	if (f && fscanf(f, "%*u %*u %llu", &most) != 1)
		most = 0;
	if (f)
		fclose(f);
	return most;
}

static void add_limit(struct hearth_path *path, const char *name, const char *end, uint64_t value,
		      uint64_t bytes_per_s, double part)
{
	struct hearth_limit *l = &path->limits[path->nr_limits];
	uint32_t permille = part < 1 ? (uint32_t)(part * 1000) : 1000;

	if (permille < MIN_PERMILLE || !value)
		return;
	snprintf(l->name, sizeof(l->name), "%s", name);
	snprintf(l->end, sizeof(l->end), "%s", end);
	l->value = value;
	l->bytes_per_s = bytes_per_s;
	l->permille = permille;
	path->nr_limits++;
}

/*
 * A small window alone says nothing: a receiver that stores slowly has one too. But then the kernel
 * does not make the buffer as large as it may.
 */
static bool has_full_window(const struct hearth_steer *st)
{
	return st->peer_buffer && st->peer_window >= st->peer_buffer / 4;
}

void hearth_steer_report(struct hearth_steer *st, struct hearth_path *ret)
{
	struct hearth_sender *s = st->sender;
	struct hearth_stream_path p;
	struct hearth_sample sample;
	double busy, time;
	uint64_t rate;

	if (!knows_path(s))
		return;
	measure(st, &sample, &p);
	ret->rtt_us = sample.min_rtt_ns / 1000;
	ret->streams_lost = s->engine.lanes.nr_lost;
	if (sample.min_rtt_ns < HEARTH_ADAPT_FAR_NS || !p.busy_ns)
		return;
	time = (double)(sample.now_ns - st->start_ns);
	busy = (double)p.busy_ns;
	rate = (uint64_t)((double)p.delivered * 1e9 / busy);
	if (st->pool.is_capped)
		add_limit(ret, "--memory", "sender", st->pool.bytes,
			  (uint64_t)((double)p.delivered * 1e9 / time),
			  (double)s->flight.waited_ns / time);
	if (has_full_window(st))
		add_limit(ret, "tcp_rmem[2]", "receiver", st->peer_buffer, rate,
			  (double)p.peer_limited_ns / busy);
	add_limit(ret, "tcp_wmem[2]", "sender",
		  hearth_steer_buffer("/proc/sys/net/ipv4/tcp_wmem"), rate,
		  (double)p.own_limited_ns / busy);
}
