// SPDX-License-Identifier: GPL-2.0-or-later
/* Blocks in pinned mappings, and queues of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lun_berth.h"
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

static struct hearth_block *pop(struct hearth_queue *q, bool may_wait)
{
	struct hearth_block *b;

	pthread_mutex_lock(&q->lock);
	while (may_wait && !q->head && !q->is_closed)
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

struct hearth_block *hearth_queue_pop(struct hearth_queue *q)
{
	return pop(q, true);
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

static void chunk_free(struct hearth_pool_chunk *c)
{
	free(c->blocks);
	munmap(c->memory, c->memory_bytes);
	memset(c, 0, sizeof(*c));
}

/* Most recently used first, so that a lightly loaded pool stays in the CPU's cache. */
static void put_locked(struct hearth_queue *q, struct hearth_block *b)
{
	struct hearth_pool_chunk *c = b->chunk;

	if (c->is_going) {
		if (++c->nr_home == c->nr_blocks)
			chunk_free(c);
		return;
	}
	b->next = q->head;
	if (!q->head)
		q->tail = &b->next;
	q->head = b;
	pthread_cond_signal(&q->changed);
}

void hearth_pool_put(struct hearth_block *b)
{
	struct hearth_queue *q = &b->pool->idle;

	if (b->berth)
		hearth_berth_leave(b->berth);
	b->berth = NULL;
	b->data = b->own_data;
	pthread_mutex_lock(&q->lock);
	put_locked(q, b);
	pthread_mutex_unlock(&q->lock);
}

struct hearth_block *hearth_pool_get(struct hearth_pool *pool)
{
	struct hearth_block *b = hearth_queue_pop(&pool->idle);

	if (b)
		hearth_block_reset(b);
	return b;
}

struct hearth_block *hearth_pool_try_get(struct hearth_pool *pool)
{
	struct hearth_block *b = pop(&pool->idle, false);

	if (b)
		hearth_block_reset(b);
	return b;
}

static size_t head_bytes(void)
{
	return (HEARTH_BLOCK_HEAD_BYTES + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

static void carve(struct hearth_pool *pool, struct hearth_pool_chunk *c)
{
	uint8_t *data = c->memory + head_bytes() * c->nr_blocks;

	for (uint32_t i = 0; i < c->nr_blocks; i++) {
		struct hearth_block *b = &c->blocks[i];

		b->pool = pool;
		b->chunk = c;
		b->head = c->memory + i * head_bytes();
		b->own_data = data + (size_t)i * pool->block_bytes;
		b->data = b->own_data;
		b->data_bytes = pool->block_bytes;
		b->payload_fd = -1;
		hearth_pool_put(b);
	}
}

/*
 * Hugepages that were set aside, if there are enough; else ordinary memory, of which huge pages may
 * be made.
 */
static uint8_t *map_memory(size_t *len, bool *ret_is_huge)
{
	size_t huge = (*len + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
	uint8_t *p = mmap(NULL, huge, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	*ret_is_huge = p != MAP_FAILED;
	if (*ret_is_huge) {
		*len = huge;
		return p;
	}
	p = mmap(NULL, *len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	madvise(p, *len, MADV_HUGEPAGE);
	return p;
}

static struct hearth_pool_chunk *free_place(struct hearth_pool *pool)
{
	struct hearth_pool_chunk *c = NULL;

	pthread_mutex_lock(&pool->idle.lock);
	for (int i = 0; i < HEARTH_POOL_MAX_CHUNKS && !c; i++)
		if (!pool->chunks[i].memory)
			c = &pool->chunks[i];
	pthread_mutex_unlock(&pool->idle.lock);
	return c;
}

static int add_chunk(struct hearth_pool *pool, uint32_t nr_blocks, hearth_pool_prepare *prepare,
		     void *ctx)
{
	struct hearth_pool_chunk *c = free_place(pool);
	size_t len = nr_blocks * (head_bytes() + pool->block_bytes);
	uint8_t *memory;

	if (!c)
		return -ENOMEM;
	c->blocks = calloc(nr_blocks, sizeof(*c->blocks));
	memory = c->blocks ? map_memory(&len, &c->is_huge) : NULL;
	if (!memory) {
		free(c->blocks);
		c->blocks = NULL;
		return -ENOMEM;
	}
	hearth_numa_bind_memory(pool->node, memory, len);
	/*
	 * Pages are pinned as they are first touched: starting up must not cost a clearing of the
	 * whole pool.
	 */
	c->is_pinned = !mlock2(memory, len, MLOCK_ONFAULT);
	c->memory = memory;
	c->memory_bytes = len;
	c->nr_blocks = nr_blocks;
	if (prepare && prepare(ctx, c)) {
		chunk_free(c);
		return -ENOMEM;
	}
	pool->nr_blocks += nr_blocks;
	carve(pool, c);
	return 0;
}

int hearth_pool_init(struct hearth_pool *pool, uint32_t block_bytes, uint64_t memory_bytes,
		     int node)
{
	uint64_t nr = memory_bytes / block_bytes;
	int ret;

	memset(pool, 0, sizeof(*pool));
	pool->block_bytes = block_bytes;
	pool->node = node;
	hearth_queue_init(&pool->idle);
	ret = add_chunk(pool, nr < MIN_BLOCKS ? MIN_BLOCKS : (uint32_t)nr, NULL, NULL);
	if (ret)
		hearth_queue_exit(&pool->idle);
	return ret;
}

/* The largest that can go without leaving fewer than @nr_blocks; the first one stays. */
static struct hearth_pool_chunk *spare_chunk(struct hearth_pool *pool, uint64_t nr_blocks)
{
	struct hearth_pool_chunk *best = NULL;

	for (int i = 1; i < HEARTH_POOL_MAX_CHUNKS; i++) {
		struct hearth_pool_chunk *c = &pool->chunks[i];

		if (c->memory && !c->is_going && pool->nr_blocks - c->nr_blocks >= nr_blocks &&
		    (!best || c->nr_blocks > best->nr_blocks))
			best = c;
	}
	return best;
}

/* What lies idle goes at once, the rest as it comes home. */
static void retire(struct hearth_pool *pool, struct hearth_pool_chunk *c)
{
	struct hearth_queue *q = &pool->idle;
	struct hearth_block *b = q->head;

	c->is_going = true;
	pool->nr_blocks -= c->nr_blocks;
	q->head = NULL;
	q->tail = &q->head;
	while (b) {
		struct hearth_block *next = b->next;

		if (b->chunk == c) {
			c->nr_home++;
		} else {
			b->next = NULL;
			*q->tail = b;
			q->tail = &b->next;
		}
		b = next;
	}
	if (c->nr_home == c->nr_blocks)
		chunk_free(c);
}

int hearth_pool_resize(struct hearth_pool *pool, uint64_t memory_bytes)
{
	uint64_t nr = memory_bytes / pool->block_bytes;
	struct hearth_pool_chunk *c;

	if (nr > pool->nr_blocks)
		return add_chunk(pool, (uint32_t)(nr - pool->nr_blocks), NULL, NULL);
	pthread_mutex_lock(&pool->idle.lock);
	while (!pool->idle.is_closed && (c = spare_chunk(pool, nr)))
		retire(pool, c);
	pthread_mutex_unlock(&pool->idle.lock);
	return 0;
}

int hearth_pool_add(struct hearth_pool *pool, uint64_t memory_bytes, hearth_pool_prepare *prepare,
		    void *ctx)
{
	return add_chunk(pool, (uint32_t)(memory_bytes / pool->block_bytes), prepare, ctx);
}

bool hearth_pool_is_empty(struct hearth_pool *pool)
{
	bool yes;

	pthread_mutex_lock(&pool->idle.lock);
	yes = !pool->idle.head;
	pthread_mutex_unlock(&pool->idle.lock);
	return yes;
}

uint64_t hearth_pool_bytes(struct hearth_pool *pool)
{
	uint64_t bytes;

	pthread_mutex_lock(&pool->idle.lock);
	bytes = (uint64_t)pool->nr_blocks * pool->block_bytes;
	pthread_mutex_unlock(&pool->idle.lock);
	return bytes;
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
	for (int i = 0; i < HEARTH_POOL_MAX_CHUNKS; i++)
		if (pool->chunks[i].memory)
			chunk_free(&pool->chunks[i]);
	hearth_queue_exit(&pool->idle);
}
