// SPDX-License-Identifier: GPL-2.0-or-later
/* A thread that tells the peer that this end lives, and flushes acknowledgements. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "pulse.h"

#define PING_MS 5000
#define ACK_MS 20
#define ACKS_AT_ONCE 32

static int flush_locked(struct hearth_pulse *p)
{
	int ret = p->nr_acks ? hearth_control_send_seqs(p->control, HEARTH_FRAME_ACK, p->acks,
							p->nr_acks)
			     : 0;

	p->nr_acks = 0;
	p->bytes = 0;
	return ret;
}

static struct timespec deadline(long ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += ms * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

/*
 * Sleeps for @ms or until stopped; with @until_acks also until there is something to acknowledge.
 *
 */
static void wait_locked(struct hearth_pulse *p, long ms, bool until_acks)
{
	struct timespec ts = deadline(ms);
	int err = 0;

	while (!p->is_stopped && !err && !(until_acks && p->nr_acks))
		err = pthread_cond_timedwait(&p->changed, &p->lock, &ts);
}

static void *run(void *arg)
{
	struct hearth_pulse *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->is_stopped) {
		wait_locked(p, PING_MS, true);
		if (p->nr_acks) {
			wait_locked(p, ACK_MS, false);
			flush_locked(p);
		} else if (!p->is_stopped) {
			hearth_control_send(p->control, HEARTH_FRAME_PING, NULL, 0);
		}
	}
	flush_locked(p);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

int hearth_pulse_start(struct hearth_pulse *p, struct hearth_control *control)
{
	pthread_condattr_t attr;

	memset(p, 0, sizeof(*p));
	p->control = control;
	p->flush_bytes = UINT64_MAX;
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
	return -pthread_create(&p->thread, NULL, run, p);
}

void hearth_pulse_stop(struct hearth_pulse *p)
{
	pthread_mutex_lock(&p->lock);
	p->is_stopped = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
}

int hearth_pulse_ack(struct hearth_pulse *p, uint64_t seq, uint64_t bytes)
{
	int ret = 0;

	pthread_mutex_lock(&p->lock);
	p->acks[p->nr_acks++] = seq;
	if (p->nr_acks == 1)
		pthread_cond_signal(&p->changed);
	p->bytes += bytes;
	if (p->nr_acks >= ACKS_AT_ONCE || p->bytes >= p->flush_bytes)
		ret = flush_locked(p);
	pthread_mutex_unlock(&p->lock);
	return ret;
}
