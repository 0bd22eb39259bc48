/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the sender still has to do: queues of ranges to be sent, and the flight
 * of blocks that were filled and not yet acknowledged.
 *
 * Volumes are the devices that the receiver writes to, by its numbers. A block
 * holds what goes to one of them, and if there are several each has a share of
 * the blocks: one that does not answer keeps its share, and the others go on.
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

/* Devices that one end has queues and threads of their own for at most. */
#define HEARTH_MAX_DEVICES 8

/* Blocks in flight at most; their sequence numbers lie in one window of this size. */
#define HEARTH_MAX_FLIGHT 8192

struct hearth_work_range {
	uint64_t voff;
	uint64_t len;
	uint32_t tries; /* times it was sent in vain */
	uint8_t volume;
	bool is_sum; /* the receiver may have it: a sum will do */
};

struct hearth_work_ring {
	struct hearth_work_range *v; /* of a power of two */
	size_t first;
	size_t nr;
	size_t cap;
};

struct hearth_flight;

struct hearth_work {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct hearth_flight *flight; /* whose blocks the ranges go into */
	struct hearth_work_ring rings[HEARTH_MAX_DEVICES]; /* by volume */
	uint32_t last; /* volume that was taken from */
	bool is_closed;
};

void hearth_work_init(struct hearth_work *w, struct hearth_flight *flight);
void hearth_work_exit(struct hearth_work *w);

/* At the end, or at the front of the queue. 0 or -ENOMEM. */
int hearth_work_push(struct hearth_work *w, struct hearth_work_range range);
int hearth_work_push_front(struct hearth_work *w, struct hearth_work_range range);

/* In place of a volume: the next one that has something and may have one more block. */
#define HEARTH_WORK_NEW_BLOCK UINT32_MAX

/*
 * Takes up to @max bytes of the first range of @volume; a new block is taken from the volume's
 * share. Waits for one if @may_wait; false if there is none or the queue is closed.
 */
bool hearth_work_pop(struct hearth_work *w, uint32_t volume, uint64_t max, bool may_wait,
		     struct hearth_work_range *ret);

/*
 * Waits until @is_wanted, which is asked whenever something was pushed. False: the queue is closed.
 */
bool hearth_work_wait(struct hearth_work *w, bool (*is_wanted)(void *), void *ctx);
bool hearth_work_has_some(void *work);

/* Has those who wait ask again. */
void hearth_work_poke(struct hearth_work *w);
void hearth_work_close(struct hearth_work *w);

struct hearth_flight_slot {
	bool is_used;
	bool is_sent;
	uint8_t volume;
	uint32_t stream; /* number of the one that it was sent on */
	uint64_t sent_ns;
	uint64_t bytes;
	uint64_t seq;
	uint32_t tries;
	uint32_t nr_segs;
	struct hearth_segment *segs;
};

/*
 * A block is taken before it is filled, added when it is, sent when its turn comes, and removed
 * when the receiver has answered for it. What is sent and not answered for is bounded by @window.
 */
struct hearth_flight {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t next_seq;
	bool is_cancelled;
	bool has_taken_back; /* so an answer may come for what is not in flight any more */
	uint64_t window; /* bytes that may be under way; one block always may */
	uint64_t under_way;
	uint64_t waited_ns; /* that threads spent waiting for the window */
	uint64_t answered; /* bytes */
	uint64_t min_trip_ns; /* from sending a block to its answer; 0: none yet */
	uint32_t share; /* blocks of a volume at most */
	uint32_t nr_taken[HEARTH_MAX_DEVICES]; /* blocks of each */
	struct hearth_flight_slot slots[HEARTH_MAX_FLIGHT];
};

void hearth_flight_init(struct hearth_flight *f);
void hearth_flight_exit(struct hearth_flight *f);

/* Whether a volume may have one more block; takes it, or only says so. One always may. */
bool hearth_flight_take(struct hearth_flight *f, uint32_t volume);
bool hearth_flight_may_take(struct hearth_flight *f, uint32_t volume);

/* The block was taken in vain. */
void hearth_flight_put(struct hearth_flight *f, uint32_t volume);

/* Has @nr volumes share what there may be of blocks: in @pool_bytes, and under way. */
void hearth_flight_divide(struct hearth_flight *f, uint64_t pool_bytes, uint32_t block_bytes,
			  uint32_t nr);

/*
 * Numbers the block and remembers what it holds; waits while its slot is taken. 0, -ENOMEM or
 * -ECANCELED.
 */
int hearth_flight_add(struct hearth_flight *f, struct hearth_block *b, uint32_t tries);

/* The block goes out on this stream now; waits for the window. */
void hearth_flight_send(struct hearth_flight *f, const struct hearth_block *b, uint32_t stream);

/* How many bytes may be under way from now on. */
void hearth_flight_set_window(struct hearth_flight *f, uint64_t bytes);

/*
 * Forgets a block and hands over what it held (free @ret->segs); false if no such block is in
 * flight.
 */
bool hearth_flight_remove(struct hearth_flight *f, uint64_t seq, struct hearth_flight_slot *ret);

/* The same for one that was sent on this stream, the newest first; false: there is none left. */
bool hearth_flight_take_back(struct hearth_flight *f, uint32_t stream,
			     struct hearth_flight_slot *ret);

/* Whether an answer for @seq, that is not in flight, can be one for what was taken back. */
bool hearth_flight_may_be_late(struct hearth_flight *f, uint64_t seq);

/* Whether a block that was sent on this stream before @ns is still not answered for. */
bool hearth_flight_is_older(struct hearth_flight *f, uint32_t stream, uint64_t ns);
void hearth_flight_cancel(struct hearth_flight *f);

#endif
