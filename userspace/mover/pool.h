/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fixed set of blocks in one pinned mapping, and queues of them.
 *
 * A pool bounds the memory of an end: whoever wants to fill a block waits until
 * one is free. The index and the control channel have memory of their own, so
 * an exhausted pool never stops them.
 */
#ifndef HEARTH_POOL_H
#define HEARTH_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "block.h"

struct hearth_queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct hearth_block *head;
	struct hearth_block **tail;
	bool is_closed;
};

void hearth_queue_init(struct hearth_queue *q);
void hearth_queue_push(struct hearth_queue *q, struct hearth_block *b);

/* Waits for a block; NULL once the queue is closed and empty. */
struct hearth_block *hearth_queue_pop(struct hearth_queue *q);

/* No block follows; those in the queue can still be popped. */
void hearth_queue_close(struct hearth_queue *q);
void hearth_queue_exit(struct hearth_queue *q);

struct hearth_pool {
	struct hearth_queue idle;
	struct hearth_block *blocks;
	uint8_t *memory;
	size_t memory_bytes;
	uint32_t nr_blocks;
	bool is_pinned;
};

/*
 * @memory_bytes of blocks with @block_bytes of payload each, at least four; on a node, or anywhere:
 * -1. 0 or -ENOMEM.
 */
int hearth_pool_init(struct hearth_pool *pool, uint32_t block_bytes, uint64_t memory_bytes,
		     int node);

/* Waits for an idle block; NULL once the pool was closed. */
struct hearth_block *hearth_pool_get(struct hearth_pool *pool);
void hearth_pool_put(struct hearth_block *b);

/* Wakes those who wait, for good. */
void hearth_pool_close(struct hearth_pool *pool);
void hearth_pool_exit(struct hearth_pool *pool);

#endif
