/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sender's glue between what is measured (lanes.h, work.h) and what is wanted
 * (adapt.h): a thread that looks ten times a second, and says afterwards what held
 * the rate down.
 */
#ifndef HEARTH_STEER_H
#define HEARTH_STEER_H

#include "adapt.h"
#include "lanes.h"
#include "work.h"

struct hearth_sender;

struct hearth_steer {
	struct hearth_sender *sender;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_running;
	bool is_stopped;
	bool follows; /* the number of streams is for this to find */
	uint64_t start_ns;
	uint64_t tick_ns; /* when it looked last */
	uint64_t awake_ns; /* since when it looks without a pause */
	uint64_t short_ns; /* since when there are fewer streams than wanted; 0: there are not */
	uint64_t peer_buffer; /* the most that the receiver's kernel buffers; 0: unknown */
	uint64_t peer_window; /* the largest seen */
	uint32_t asked; /* how many streams the receiver was asked for */
	struct hearth_adapt_pool pool;
	struct hearth_adapt_streams streams;
};

/* Both ends in one process need none of this: then it does nothing. 0 or -errno. */
int hearth_steer_start(struct hearth_steer *st, struct hearth_sender *s);
void hearth_steer_stop(struct hearth_steer *st);

/* How many streams are in use to begin with. */
uint32_t hearth_steer_first(const struct hearth_sender *s);

/*
 * Whether a stream on which the receiver hears nothing has fallen silent: if this process did not
 * sleep itself, and something was sent on it long enough ago.
 */
bool hearth_steer_is_silent(struct hearth_steer *st, uint32_t number);

/* The most that the kernel buffers for a stream, as tcp_rmem or tcp_wmem says; 0: unknown. */
uint64_t hearth_steer_buffer(const char *path);

/* What is to be told of the path. */
void hearth_steer_report(struct hearth_steer *st, struct hearth_path *ret);

#endif
