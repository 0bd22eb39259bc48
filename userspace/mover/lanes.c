// SPDX-License-Identifier: GPL-2.0-or-later
/* The streams of a job at one end, and a thread for each. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "../common/io.h"
#include "lanes.h"
#include "numa.h"

/* When a stream breaks, the whole job may be about to end: the reason comes first. */
#define BREATH_MS 200
#define RETRY_MS 1000

static void *run_lane(void *arg)
{
	struct hearth_lane *lane = arg;
	struct hearth_lanes *l = lane->lanes;

	hearth_numa_bind_thread(l->node);
	l->body(l->end, lane->stream);
	pthread_mutex_lock(&l->lock);
	lane->is_over = true;
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

static bool is_live(const struct hearth_lane *lane)
{
	return lane->stream && !lane->stream->is_lost;
}

static uint32_t count_live(const struct hearth_lanes *l)
{
	uint32_t nr = 0;

	for (size_t i = 0; i < HEARTH_MAX_STREAMS; i++)
		nr += is_live(&l->v[i]);
	return nr;
}

static void look_at(struct hearth_stream *s, struct hearth_stream_path *sum)
{
	struct hearth_stream_path p = { 0 };

	if (s->ops->look)
		s->ops->look(s, &p);
	sum->delivered += p.delivered;
	sum->lost += p.lost;
	sum->busy_ns += p.busy_ns;
	sum->peer_limited_ns += p.peer_limited_ns;
	sum->own_limited_ns += p.own_limited_ns;
	if (p.min_rtt_ns && (!sum->min_rtt_ns || p.min_rtt_ns < sum->min_rtt_ns))
		sum->min_rtt_ns = p.min_rtt_ns;
	if (p.peer_window > sum->peer_window)
		sum->peer_window = p.peer_window;
	if (p.nr_ways > sum->nr_ways)
		sum->nr_ways = p.nr_ways;
}

/* Its thread has been waited for. */
static void clear_place(struct hearth_lanes *l, struct hearth_lane *lane)
{
	l->gone_wire += lane->stream->wire_bytes;
	if (lane->is_own)
		lane->stream->ops->free(lane->stream);
	memset(lane, 0, sizeof(*lane));
}

static struct hearth_lane *free_place(struct hearth_lanes *l)
{
	for (size_t i = 0; i < HEARTH_MAX_STREAMS; i++) {
		struct hearth_lane *lane = &l->v[i];

		if (lane->stream && lane->is_over && lane->stream->is_lost) {
			pthread_join(lane->thread, NULL);
			clear_place(l, lane);
		}
		if (!lane->stream)
			return lane;
	}
	return NULL;
}

static bool is_known(const struct hearth_lanes *l, uint32_t number)
{
	for (size_t i = 0; i < HEARTH_MAX_STREAMS; i++)
		if (l->v[i].stream && l->v[i].stream->number == number)
			return true;
	return false;
}

static bool add_locked(struct hearth_lanes *l, uint32_t number, struct hearth_stream *s,
		       bool is_own)
{
	struct hearth_lane *lane = l->is_closing || is_known(l, number) ? NULL : free_place(l);

	if (!lane)
		return false;
	s->number = number;
	s->is_parked = count_live(l) >= l->in_use;
	s->compress_level = l->compress_level;
	s->on_quiet_ctx = l->end;
	s->on_quiet = l->on_quiet;
	*lane = (struct hearth_lane){ .lanes = l, .stream = s, .is_own = is_own };
	if (!pthread_create(&lane->thread, NULL, run_lane, lane))
		return true;
	memset(lane, 0, sizeof(*lane));
	return false;
}

/* One that the peer has connected. */
static bool take(void *arg, uint32_t number, struct hearth_stream *s)
{
	struct hearth_lanes *l = arg;
	bool is_taken;

	pthread_mutex_lock(&l->lock);
	is_taken = add_locked(l, number, s, true);
	pthread_mutex_unlock(&l->lock);
	return is_taken;
}

static void *attend(void *arg)
{
	struct hearth_lanes *l = arg;
	const struct hearth_supply *supply = l->wires->supply;

	supply->attend(supply->ctx, l->wake_fd, take, l);
	return NULL;
}

static void wait_locked(struct hearth_lanes *l, long ms)
{
	struct timespec ts;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += ms * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	while (!l->is_closing && !err)
		err = pthread_cond_timedwait(&l->changed, &l->lock, &ts);
}

/* Connects one more. 0 or -errno. */
static int dial_locked(struct hearth_lanes *l)
{
	const struct hearth_supply *supply = l->wires->supply;
	uint32_t number = l->next_number++;
	struct hearth_stream *s;
	int err;

	pthread_mutex_unlock(&l->lock);
	err = supply->dial(supply->ctx, number, &s);
	pthread_mutex_lock(&l->lock);
	if (!err && !add_locked(l, number, s, true)) {
		s->ops->free(s);
		err = -ECANCELED;
	}
	l->failures = err ? l->failures + 1 : 0;
	return err;
}

static void *dial(void *arg)
{
	struct hearth_lanes *l = arg;
	bool has_given_up = false;
	int err = 0;

	pthread_mutex_lock(&l->lock);
	while (!l->is_closing && !has_given_up) {
		if (count_live(l) >= l->wanted || l->failures >= HEARTH_LANES_TRIES) {
			pthread_cond_wait(&l->changed, &l->lock);
			continue;
		}
		if (l->nr_lost || l->failures)
			wait_locked(l, l->failures ? RETRY_MS : BREATH_MS);
		if (!l->is_closing)
			err = dial_locked(l);
		has_given_up = l->failures >= HEARTH_LANES_TRIES && !count_live(l);
	}
	has_given_up &= !l->is_closing;
	pthread_mutex_unlock(&l->lock);
	if (has_given_up)
		hearth_job_fail(l->job, HEARTH_EXIT_LOST,
				"all data connections broke, and no new one could be made (%s); run the same command again to continue",
				strerror(-err));
	return NULL;
}

int hearth_lanes_init(struct hearth_lanes *l, struct hearth_job *job,
		      const struct hearth_wires *wires, void *end)
{
	pthread_condattr_t attr;

	memset(l, 0, sizeof(*l));
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0)
		return -errno;
	l->job = job;
	l->wires = wires;
	l->end = end;
	l->wanted = wires->nr_streams;
	l->in_use = wires->nr_streams;
	l->next_number = wires->nr_streams;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&l->lock, NULL);
	return 0;
}

void hearth_lanes_exit(struct hearth_lanes *l)
{
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	hearth_close(&l->wake_fd);
}

bool hearth_lanes_can_replace(const struct hearth_lanes *l)
{
	/* What comes from a pipe cannot be read again, and what is measured is not repaired. */
	return l->wires->supply && l->job->stream_fd < 0 && !l->job->opt.bench;
}

bool hearth_lanes_start(struct hearth_lanes *l,
			void (*body)(void *end, struct hearth_stream *stream), int node)
{
	const struct hearth_wires *w = l->wires;
	bool is_ok = true;

	l->body = body;
	l->node = node;
	pthread_mutex_lock(&l->lock);
	for (uint32_t i = 0; i < w->nr_streams && is_ok; i++)
		is_ok = add_locked(l, i, w->streams[i], false);
	if (is_ok && hearth_lanes_can_replace(l)) {
		if (w->supply->dial)
			l->has_dialer = !pthread_create(&l->dialer, NULL, dial, l);
		else
			l->has_doorman = !pthread_create(&l->doorman, NULL, attend, l);
		is_ok = l->has_dialer || l->has_doorman;
	}
	pthread_mutex_unlock(&l->lock);
	return is_ok;
}

static void close_door(struct hearth_lanes *l)
{
	uint64_t one = 1;

	pthread_mutex_lock(&l->lock);
	l->is_closing = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	while (write(l->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void hearth_lanes_join(struct hearth_lanes *l)
{
	close_door(l);
	if (l->has_dialer)
		pthread_join(l->dialer, NULL);
	if (l->has_doorman)
		pthread_join(l->doorman, NULL);
	l->has_dialer = false;
	l->has_doorman = false;
	for (size_t i = 0; i < HEARTH_MAX_STREAMS; i++)
		if (l->v[i].stream)
			pthread_join(l->v[i].thread, NULL);
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < HEARTH_MAX_STREAMS; i++) {
		if (is_live(&l->v[i]))
			look_at(l->v[i].stream, &l->gone);
		if (l->v[i].stream)
			clear_place(l, &l->v[i]);
	}
	pthread_mutex_unlock(&l->lock);
}

void hearth_lanes_cancel(struct hearth_lanes *l)
{
	close_door(l);
	for (uint32_t i = 0; i < l->wires->nr_streams; i++)
		l->wires->streams[i]->ops->cancel(l->wires->streams[i]);
	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < HEARTH_MAX_STREAMS; i++)
		if (l->v[i].stream && l->v[i].is_own)
			l->v[i].stream->ops->cancel(l->v[i].stream);
	pthread_mutex_unlock(&l->lock);
}

bool hearth_lanes_lose(struct hearth_lanes *l, uint32_t number)
{
	bool was_there = false;

	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < HEARTH_MAX_STREAMS; i++) {
		struct hearth_stream *s = l->v[i].stream;

		if (!s || s->number != number || s->is_lost)
			continue;
		look_at(s, &l->gone);
		s->is_lost = true;
		s->ops->cancel(s);
		l->nr_lost++;
		l->failures = 0;
		was_there = true;
	}
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
	return was_there;
}

void hearth_lanes_want(struct hearth_lanes *l, uint32_t nr)
{
	pthread_mutex_lock(&l->lock);
	if (nr > l->wanted)
		l->failures = 0;
	l->wanted = nr < HEARTH_MAX_STREAMS ? nr : HEARTH_MAX_STREAMS;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->lock);
}

uint32_t hearth_lanes_park(struct hearth_lanes *l, uint32_t in_use)
{
	uint32_t nr = 0;

	pthread_mutex_lock(&l->lock);
	l->in_use = in_use;
	for (size_t i = 0; i < HEARTH_MAX_STREAMS; i++)
		if (is_live(&l->v[i]))
			l->v[i].stream->is_parked = nr++ >= in_use;
	pthread_mutex_unlock(&l->lock);
	return nr;
}

void hearth_lanes_look(struct hearth_lanes *l, struct hearth_stream_path *ret)
{
	pthread_mutex_lock(&l->lock);
	*ret = l->gone;
	for (size_t i = 0; i < HEARTH_MAX_STREAMS; i++)
		if (is_live(&l->v[i]))
			look_at(l->v[i].stream, ret);
	pthread_mutex_unlock(&l->lock);
}

uint64_t hearth_lanes_wire(struct hearth_lanes *l)
{
	uint64_t sum;

	pthread_mutex_lock(&l->lock);
	sum = l->gone_wire;
	for (size_t i = 0; i < HEARTH_MAX_STREAMS; i++)
		sum += l->v[i].stream ? (uint64_t)l->v[i].stream->wire_bytes : 0;
	pthread_mutex_unlock(&l->lock);
	return sum;
}
