// SPDX-License-Identifier: GPL-2.0-or-later
/* A fixed set of blocks in one pinned mapping, and queues of them. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "numa.h"
#include "pool.h"

#define MIN_BLOCKS 4
#define PAGE_BYTES 4096u
#define HUGE_BYTES (2ul << 20)

void hearth_queue_init(struct hearth_queue *q)
{
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->changed, NULL);
	q->head = NULL;
	q->tail = &q->head;
	q->is_closed = false;
}

void hearth_queue_push(struct hearth_queue *q, struct hearth_block *b)
{
	b->next = NULL;
	pthread_mutex_lock(&q->lock);
	*q->tail = b;
	q->tail = &b->next;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

struct hearth_block *hearth_queue_pop(struct hearth_queue *q)
{
	struct hearth_block *b;

	pthread_mutex_lock(&q->lock);
	while (!q->head && !q->is_closed)
		pthread_cond_wait(&q->changed, &q->lock);
	b = q->head;
	if (b) {
		q->head = b->next;
		if (!q->head)
			q->tail = &q->head;
	}
	pthread_mutex_unlock(&q->lock);
	return b;
}

void hearth_queue_close(struct hearth_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->is_closed = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

void hearth_queue_exit(struct hearth_queue *q)
{
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
}

/* Most recently used first, so that a lightly loaded pool stays in the CPU's cache. */
void hearth_pool_put(struct hearth_block *b)
{
	struct hearth_queue *q = &b->pool->idle;

	pthread_mutex_lock(&q->lock);
	b->next = q->head;
	if (!q->head)
		q->tail = &b->next;
	q->head = b;
	pthread_cond_signal(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

struct hearth_block *hearth_pool_get(struct hearth_pool *pool)
{
	struct hearth_block *b = hearth_queue_pop(&pool->idle);

	if (b)
		hearth_block_reset(b);
	return b;
}

static void carve(struct hearth_pool *pool, uint32_t block_bytes, size_t head_bytes)
{
	uint8_t *head = pool->memory;
	uint8_t *data = head + head_bytes * pool->nr_blocks;

	for (uint32_t i = 0; i < pool->nr_blocks; i++) {
		struct hearth_block *b = &pool->blocks[i];

		b->pool = pool;
		b->head = head + i * head_bytes;
		b->data = data + (size_t)i * block_bytes;
		b->data_bytes = block_bytes;
		b->payload_fd = -1;
		hearth_pool_put(b);
	}
}

/*
 * Hugepages that were set aside, if there are enough; else ordinary memory, of which huge pages may
 * be made.
 */
static uint8_t *map_memory(size_t *len)
{
	size_t huge = (*len + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
	uint8_t *p = mmap(NULL, huge, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (p != MAP_FAILED) {
		*len = huge;
		return p;
	}
	p = mmap(NULL, *len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	madvise(p, *len, MADV_HUGEPAGE);
	return p;
}

int hearth_pool_init(struct hearth_pool *pool, uint32_t block_bytes, uint64_t memory_bytes,
		     int node)
{
	size_t head_bytes = (HEARTH_BLOCK_HEAD_BYTES + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	uint64_t nr = memory_bytes / block_bytes;

	if (nr < MIN_BLOCKS)
		nr = MIN_BLOCKS;
	pool->nr_blocks = (uint32_t)nr;
	pool->memory_bytes = pool->nr_blocks * (head_bytes + block_bytes);
	pool->memory = map_memory(&pool->memory_bytes);
	if (!pool->memory)
		return -ENOMEM;
	pool->blocks = calloc(pool->nr_blocks, sizeof(*pool->blocks));
	if (!pool->blocks) {
		munmap(pool->memory, pool->memory_bytes);
		return -ENOMEM;
	}
	hearth_numa_bind_memory(node, pool->memory, pool->memory_bytes);
	/*
	 * Pages are pinned as they are first touched: starting up must not cost a clearing of the
	 * whole pool.
	 */
	pool->is_pinned = !mlock2(pool->memory, pool->memory_bytes, MLOCK_ONFAULT);
	hearth_queue_init(&pool->idle);
	carve(pool, block_bytes, head_bytes);
	return 0;
}

void hearth_pool_close(struct hearth_pool *pool)
{
	struct hearth_queue *q = &pool->idle;

	pthread_mutex_lock(&q->lock);
	q->head = NULL;
	q->tail = &q->head;
	q->is_closed = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

void hearth_pool_exit(struct hearth_pool *pool)
{
	hearth_queue_exit(&pool->idle);
	free(pool->blocks);
	munmap(pool->memory, pool->memory_bytes);
}
