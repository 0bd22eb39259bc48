/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --bwlimit: how fast an end sends. */
#ifndef HEARTH_PACE_H
#define HEARTH_PACE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct hearth_pace {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t bytes_per_s;
	uint64_t next_ns; /* when what was admitted so far has gone out */
	bool is_cancelled;
};

void hearth_pace_init(struct hearth_pace *p, uint64_t bytes_per_s);
void hearth_pace_exit(struct hearth_pace *p);

/* Waits until @len more bytes may go out. */
void hearth_pace_take(struct hearth_pace *p, uint64_t len);

/* Lets everybody go, for good. */
void hearth_pace_cancel(struct hearth_pace *p);

#endif
