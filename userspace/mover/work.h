/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the sender still has to do: a queue of ranges to be sent, and the flight
 * of blocks that were sent and not yet acknowledged.
 */
#ifndef HEARTH_WORK_H
#define HEARTH_WORK_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "block.h"

/* A block that arrives damaged this often ends the job. */
#define HEARTH_MAX_TRIES 5

/* Blocks in flight at most; their sequence numbers lie in one window of this size. */
#define HEARTH_MAX_FLIGHT 1024

struct hearth_work_range {
	uint64_t voff;
	uint64_t len;
	uint32_t tries; /* times it was sent in vain */
	bool is_sum; /* the receiver may have it: a sum will do */
};

struct hearth_work {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct hearth_work_range *v; /* a ring of a power of two */
	size_t first;
	size_t nr;
	size_t cap;
	bool is_closed;
};

void hearth_work_init(struct hearth_work *w);
void hearth_work_exit(struct hearth_work *w);

/* At the end, or at the front of the queue. 0 or -ENOMEM. */
int hearth_work_push(struct hearth_work *w, struct hearth_work_range range);
int hearth_work_push_front(struct hearth_work *w, struct hearth_work_range range);

/*
 * Takes up to @max bytes of the first range. Waits for one if @may_wait; false if there is none or
 * the queue is closed.
 */
bool hearth_work_pop(struct hearth_work *w, uint64_t max, bool may_wait,
		     struct hearth_work_range *ret);

/*
 * Waits until @is_wanted, which is asked whenever something was pushed. False: the queue is closed.
 */
bool hearth_work_wait(struct hearth_work *w, bool (*is_wanted)(const void *), const void *ctx);
bool hearth_work_has_some(const void *work);
void hearth_work_close(struct hearth_work *w);

struct hearth_flight_slot {
	bool is_used;
	uint64_t seq;
	uint32_t tries;
	uint32_t nr_segs;
	struct hearth_segment *segs;
};

struct hearth_flight {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t next_seq;
	bool is_cancelled;
	struct hearth_flight_slot slots[HEARTH_MAX_FLIGHT];
};

void hearth_flight_init(struct hearth_flight *f);
void hearth_flight_exit(struct hearth_flight *f);

/*
 * Numbers the block and remembers what it holds; waits while its slot is taken. 0, -ENOMEM or
 * -ECANCELED.
 */
int hearth_flight_add(struct hearth_flight *f, struct hearth_block *b, uint32_t tries);

/*
 * Forgets a block and hands over what it held (free @ret->segs); false if no such block is in
 * flight.
 */
bool hearth_flight_remove(struct hearth_flight *f, uint64_t seq, struct hearth_flight_slot *ret);
void hearth_flight_cancel(struct hearth_flight *f);

#endif
