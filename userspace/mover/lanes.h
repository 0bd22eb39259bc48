/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The streams of a job at one end, and a thread for each.
 *
 * They come and go while the job runs: a sender parks those that it does not need,
 * more are made when they are wanted, and those that broke or fell silent are lost
 * and replaced. One of the ends connects (it dials), the other takes in what comes
 * (it attends); where neither can, as within one process, the first ones are all.
 *
 * A lost stream is cancelled, and its thread ends. What was under way on it is the
 * sender's business (send.c).
 */
#ifndef HEARTH_LANES_H
#define HEARTH_LANES_H

#include <hearth/mover.h>
#include <pthread.h>

#include "transport.h"

#define HEARTH_MAX_STREAMS 64

/* Attempts in a row to connect a stream before that is given up. */
#define HEARTH_LANES_TRIES 3

struct hearth_lanes;

struct hearth_lane {
	struct hearth_lanes *lanes;
	struct hearth_stream *stream; /* NULL: a free place */
	pthread_t thread;
	bool is_own; /* made while the job ran, and so freed here */
	bool is_over; /* its thread has nothing more to do */
};

struct hearth_lanes {
	struct hearth_job *job;
	const struct hearth_wires *wires;
	void (*body)(void *end, struct hearth_stream *stream);
	void (*on_quiet)(struct hearth_stream *stream, void *end);
	void *end;
	int node;
	uint8_t compress_level;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct hearth_lane v[HEARTH_MAX_STREAMS];
	uint32_t next_number;
	uint32_t wanted; /* that should be there */
	uint32_t in_use; /* that are not parked, of those that are there */
	uint32_t failures; /* to connect one, in a row */
	uint32_t nr_lost;
	bool is_closing;
	bool has_dialer;
	bool has_doorman;
	int wake_fd;
	pthread_t dialer;
	pthread_t doorman;
	uint64_t gone_wire; /* what those carried that are gone, */
	struct hearth_stream_path gone; /* and what was known of them */
};

/* 0 or -errno. */
int hearth_lanes_init(struct hearth_lanes *l, struct hearth_job *job,
		      const struct hearth_wires *wires, void *end);
void hearth_lanes_exit(struct hearth_lanes *l);

/* Starts a thread with @body for each of the first streams, and has more come. */
bool hearth_lanes_start(struct hearth_lanes *l,
			void (*body)(void *end, struct hearth_stream *stream), int node);

/* Waits until all threads have ended; no stream comes any more. */
void hearth_lanes_join(struct hearth_lanes *l);
void hearth_lanes_cancel(struct hearth_lanes *l);

/* Whether a job can go on when it loses a stream. */
bool hearth_lanes_can_replace(const struct hearth_lanes *l);

/* True if the stream of this number was there until now. */
bool hearth_lanes_lose(struct hearth_lanes *l, uint32_t number);

/* How many there should be. */
void hearth_lanes_want(struct hearth_lanes *l, uint32_t nr);

/* Parks all but @in_use of those that are there; how many there are. */
uint32_t hearth_lanes_park(struct hearth_lanes *l, uint32_t in_use);

/* Sums up what is known of all, those gone included; of round trips and windows the extremes. */
void hearth_lanes_look(struct hearth_lanes *l, struct hearth_stream_path *ret);

/* Bytes on the wire, of all. */
uint64_t hearth_lanes_wire(struct hearth_lanes *l);

#endif
