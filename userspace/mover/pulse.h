/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread that tells the peer every few seconds that this end lives, and flushes acknowledgements
 * in between.
 */
#ifndef HEARTH_PULSE_H
#define HEARTH_PULSE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "control.h"

struct hearth_pulse {
	struct hearth_control *control;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_stopped;
	uint64_t flush_bytes; /* so much is acknowledged at once; set before the first */
	uint64_t bytes; /* that the acknowledgements at hand are for */
	uint32_t nr_acks;
	uint64_t acks[HEARTH_MAX_ACKS];
};

/* 0 or -errno. */
int hearth_pulse_start(struct hearth_pulse *p, struct hearth_control *control);
void hearth_pulse_stop(struct hearth_pulse *p);

/* Acknowledges a stored block, within 20 ms and together with others. 0 or -errno. */
int hearth_pulse_ack(struct hearth_pulse *p, uint64_t seq, uint64_t bytes);

#endif
