/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks in pinned mappings, and queues of them.
 *
 * A pool bounds the memory of an end: whoever wants to fill a block waits until
 * one is free. The index and the control channel have memory of their own, so
 * an exhausted pool never stops them.
 *
 * It grows and shrinks by chunks, each a mapping of its own, so that what is
 * known of one (pinned, registered with a network card) stays true. A chunk that
 * is to go hands out no more blocks, and goes when its last one has come home.
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

#define HEARTH_POOL_START_BYTES (32u << 20)
#define HEARTH_POOL_MAX_CHUNKS 32

/* What a pool begins with that may grow to @most bytes; 0: as far as it takes. */
static inline uint64_t hearth_pool_start_bytes(uint64_t most)
{
	return most && most < HEARTH_POOL_START_BYTES ? most : HEARTH_POOL_START_BYTES;
}

struct hearth_pool_chunk {
	uint8_t *memory; /* NULL: a free place */
	size_t memory_bytes;
	struct hearth_block *blocks;
	uint32_t nr_blocks;
	uint32_t nr_home; /* of one that is to go: blocks that will not be handed out again */
	bool is_going;
	bool is_huge; /* in pages that were set aside */
	bool is_pinned;
};

struct hearth_pool {
	struct hearth_queue idle; /* its lock is also the chunks' */
	struct hearth_pool_chunk chunks[HEARTH_POOL_MAX_CHUNKS];
	uint32_t block_bytes;
	int node;
	uint32_t nr_blocks; /* without those that are to go */
};

/*
 * @memory_bytes of blocks with @block_bytes of payload each, at least four; on a node, or anywhere:
 * -1. 0 or -ENOMEM.
 */
int hearth_pool_init(struct hearth_pool *pool, uint32_t block_bytes, uint64_t memory_bytes,
		     int node);

/*
 * Makes it as large as @memory_bytes, or as near to that as whole chunks come, and never smaller
 * than it began. One thread. 0 or -ENOMEM.
 */
int hearth_pool_resize(struct hearth_pool *pool, uint64_t memory_bytes);

/* What has to be done to a chunk before a block of it is handed out. 0 or -errno. */
typedef int hearth_pool_prepare(void *ctx, struct hearth_pool_chunk *c);

/* A chunk of @memory_bytes more. One thread. 0 or -ENOMEM, also if it could not be prepared. */
int hearth_pool_add(struct hearth_pool *pool, uint64_t memory_bytes, hearth_pool_prepare *prepare,
		    void *ctx);

/* Whether all blocks are handed out. */
bool hearth_pool_is_empty(struct hearth_pool *pool);

/* What all its blocks hold together. */
uint64_t hearth_pool_bytes(struct hearth_pool *pool);

/* Waits for an idle block; NULL once the pool was closed. */
struct hearth_block *hearth_pool_get(struct hearth_pool *pool);

/* The same without waiting: NULL if there is none now. */
struct hearth_block *hearth_pool_try_get(struct hearth_pool *pool);
void hearth_pool_put(struct hearth_block *b);

/* Wakes those who wait, for good. */
void hearth_pool_close(struct hearth_pool *pool);
void hearth_pool_exit(struct hearth_pool *pool);

#endif
