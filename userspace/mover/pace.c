// SPDX-License-Identifier: GPL-2.0-or-later
/* --bwlimit: how fast an end sends. */
#include <hearth/mover.h>
#include <time.h>

#include "../common/io.h"
#include "pace.h"

void hearth_pace_init(struct hearth_pace *p, uint64_t bytes_per_s)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&p->lock, NULL);
	p->bytes_per_s = bytes_per_s;
	p->next_ns = 0;
	p->is_cancelled = false;
}

void hearth_pace_exit(struct hearth_pace *p)
{
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
}

void hearth_pace_take(struct hearth_pace *p, uint64_t len)
{
	uint64_t now = hearth_now_ns();
	struct timespec until;

	if (p->bytes_per_s == HEARTH_UNLIMITED)
		return;
	pthread_mutex_lock(&p->lock);
	if (p->next_ns < now)
		p->next_ns = now;
	p->next_ns += (uint64_t)((double)len * 1e9 / (double)p->bytes_per_s);
	until.tv_sec = (time_t)(p->next_ns / 1000000000);
	until.tv_nsec = (long)(p->next_ns % 1000000000);
	while (!p->is_cancelled && !pthread_cond_timedwait(&p->changed, &p->lock, &until))
		;
	pthread_mutex_unlock(&p->lock);
}

void hearth_pace_cancel(struct hearth_pace *p)
{
	pthread_mutex_lock(&p->lock);
	p->is_cancelled = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}
