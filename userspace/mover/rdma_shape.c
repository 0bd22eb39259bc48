// SPDX-License-Identifier: GPL-2.0-or-later
/* How a session uses its path: who moves the data, in what pieces, out of how much memory. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "numa.h"
#include "rdma_impl.h"

/* What each block costs beside its bytes shows up to here. */
#define LONG_BLOCK_BYTES (4u << 20)

/* With less it is better to say so. */
#define MIN_POOL_BYTES (2u << 20)

/* Messages of a queue pair whose credits need not be waited for. */
#define SLOTS (HEARTH_RDMA_MAX_DEPTH / 2)

/* What this process may lock for blocks. Heads of blocks and messages need some of the limit. */
static uint64_t lockable(void)
{
	struct rlimit limit;

	if (!geteuid() || getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return UINT64_MAX;
	return limit.rlim_cur / 2;
}

/* Who may lock next to nothing is to hear it. */
static uint64_t first_bytes(uint64_t most)
{
	uint64_t room = lockable();

	if (most && most <= HEARTH_POOL_START_BYTES)
		return most;
	return room < MIN_POOL_BYTES || room > HEARTH_POOL_START_BYTES ? HEARTH_POOL_START_BYTES
								       : room;
}

static uint64_t pool_bytes(const struct hearth_rdma *r)
{
	return (uint64_t)r->pool.nr_blocks * r->pool.block_bytes;
}

static uint64_t path_bytes(const struct hearth_rdma *r)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < r->nr_rails; i++)
		if (r->rails[i].nr_live)
			sum += hearth_verbs_speed(&r->rails[i]) * r->rtt_ns / 1000000000;
	return sum;
}

uint64_t hearth_rdma_most(const struct hearth_rdma *r)
{
	int node = hearth_verbs_node(r->places[0].device);
	uint64_t most = hearth_adapt_cap(r->plan.memory_bytes, hearth_numa_memory("", node),
					 UINT64_MAX / 4);

	return most < lockable() ? most : lockable();
}

static void drop_pool(struct hearth_rdma *r)
{
	for (uint32_t i = 0; i < r->nr_rails; i++)
		hearth_verbs_unregister(&r->rails[i]);
	if (r->has_pool)
		hearth_pool_exit(&r->pool);
	r->has_pool = false;
	r->pool.nr_blocks = 0;
	r->nr_chunks = 0;
	free(r->parcels);
	r->parcels = NULL;
}

/* For as many blocks as there may come to be. */
static int make_parcels(struct hearth_rdma *r)
{
	free(r->parcels);
	r->parcels = calloc(r->pool.nr_blocks + r->most_bytes / r->pool.block_bytes,
			    sizeof(*r->parcels));
	return r->parcels ? 0 : -ENOMEM;
}

static int make_pool(struct hearth_rdma *r, uint32_t block_bytes, uint64_t memory_bytes)
{
	int node = hearth_verbs_node(r->places[0].device);
	int ret = hearth_pool_init(&r->pool, block_bytes, memory_bytes, node);

	if (ret)
		return ret;
	r->has_pool = true;
	r->nr_chunks = 1;
	r->first[1] = r->pool.nr_blocks;
	ret = make_parcels(r);
	if (ret)
		drop_pool(r);
	return ret;
}

int hearth_rdma_make_pool(struct hearth_rdma *r)
{
	int ret = make_pool(r, r->plan.block_bytes, first_bytes(r->plan.memory_bytes));

	if (ret)
		snprintf(r->why, sizeof(r->why), "no memory for the blocks; lower --memory");
	return ret;
}

static int register_all(struct hearth_rdma *r)
{
	int ret = 0;

	for (uint32_t i = 0; i < r->nr_rails && !ret; i++)
		ret = hearth_verbs_register(r, &r->rails[i]);
	return ret;
}

/* Another pool, registered; as much as there was, if there is no memory for that. */
static int replace_pool(struct hearth_rdma *r, uint32_t block_bytes, uint64_t memory_bytes)
{
	uint64_t before = pool_bytes(r);
	int ret;

	drop_pool(r);
	ret = make_pool(r, block_bytes, memory_bytes);
	if (!ret)
		ret = register_all(r);
	if (!ret || memory_bytes == before)
		return ret;
	drop_pool(r);
	ret = make_pool(r, block_bytes, before);
	return ret ? ret : register_all(r);
}

enum hearth_rdma_mode hearth_rdma_choose_mode(const struct hearth_rdma *r)
{
	uint64_t at_once = 0;

	for (uint32_t i = 0; i < r->nr_queues; i++)
		if (r->queues[i] && r->queues[i]->state == HEARTH_RDMA_LIVE)
			at_once += (uint64_t)r->queues[i]->reads * r->plan.block_bytes;
	return hearth_rdma_mode_for(r->plan.mode, r->rtt_ns, path_bytes(r),
				    at_once * r->plan.read_per_rail);
}

void hearth_rdma_choose(const struct hearth_rdma *r, uint64_t peers_most,
			struct hearth_rdma_shape *ret)
{
	uint64_t on_the_way = path_bytes(r), most = hearth_rdma_most(r);
	uint64_t before = pool_bytes(r), memory;
	uint32_t nr = hearth_rdma_nr_live(r);

	if (peers_most < most)
		most = peers_most;
	memory = before < most ? before : most;
	ret->block_bytes = r->plan.block_bytes;
	while (nr && r->plan.may_lengthen && ret->block_bytes < LONG_BLOCK_BYTES &&
	       2ull * ret->block_bytes * HEARTH_RDMA_FIRST_DEPTH * nr <= memory)
		ret->block_bytes *= 2;
	if (nr && ret->mode == HEARTH_RDMA_MODE_WRITE)
		hearth_adapt_registered(on_the_way, nr, SLOTS, most, &ret->block_bytes, &memory);
	/* Each end begins with what it may have, which need not be the same. */
	ret->memory_bytes = memory > before || ret->block_bytes != r->plan.block_bytes ? memory : 0;
}

/* As many as a device takes, and of slots as many as credits tell of without a pause. */
static void set_depths(struct hearth_rdma *r)
{
	uint32_t nr = 0, most = 0;

	for (uint32_t i = 0; i < r->nr_queues; i++) {
		struct hearth_rdma_queue *q = r->queues[i];

		if (!q)
			continue;
		q->most = r->mode == HEARTH_RDMA_MODE_WRITE ? SLOTS : q->reads;
		q->depth = q->most < HEARTH_RDMA_FIRST_DEPTH ? q->most : HEARTH_RDMA_FIRST_DEPTH;
		most += q->most;
		nr++;
	}
	hearth_adapt_piece_init(&r->piece);
	hearth_adapt_depth_init(&r->flow, nr * HEARTH_RDMA_FIRST_DEPTH,
				nr * HEARTH_RDMA_LEAST_DEPTH, most);
}

/* What an end begins with: each queue pair has something to do. */
static uint64_t begin_bytes(const struct hearth_rdma *r, const struct hearth_rdma_shape *shape)
{
	uint64_t bytes = pool_bytes(r), least = (uint64_t)HEARTH_RDMA_LEAST_DEPTH *
						hearth_rdma_nr_live(r) * shape->block_bytes;

	if (least > shape->memory_bytes)
		least = shape->memory_bytes;
	return bytes > least ? bytes : least;
}

/* 0 or -errno; the peer moves nothing before it has heard of it. */
static int take_shape(struct hearth_rdma *r, const struct hearth_rdma_shape *shape)
{
	uint64_t bytes = begin_bytes(r, shape);
	int ret;

	r->mode = shape->mode;
	r->most_bytes = shape->memory_bytes;
	if (shape->block_bytes != r->pool.block_bytes || bytes > pool_bytes(r)) {
		ret = replace_pool(r, shape->block_bytes, bytes);
	} else {
		ret = make_parcels(r);
		for (uint32_t i = 0; i < r->nr_rails && !ret; i++)
			if (!r->rails[i].has_windows &&
			    r->rails[i].access != hearth_verbs_access(r))
				ret = hearth_verbs_register(r, &r->rails[i]);
	}
	r->plan.block_bytes = shape->block_bytes;
	return ret;
}

static void open_first(struct hearth_rdma_queue *q)
{
	int err = hearth_rdma_queue_add_window(q, 0);

	if (err)
		hearth_rdma_queue_fail(q, "ibv_alloc_mw", strerror(-err));
	else
		hearth_rdma_queue_open(q, 0);
}

int hearth_rdma_set_shape(struct hearth_rdma *r, const struct hearth_rdma_shape *shape)
{
	int ret;

	pthread_mutex_lock(&r->lock);
	ret = take_shape(r, shape);
	if (ret)
		r->mode = HEARTH_RDMA_MODE_AUTO; /* nothing goes this way */
	else
		set_depths(r);
	for (uint32_t i = 0; i < r->nr_queues && !ret; i++)
		if (r->queues[i])
			open_first(r->queues[i]);
	pthread_mutex_unlock(&r->lock);
	if (!ret)
		hearth_rdma_wake(r);
	return ret;
}

static int register_chunk(struct hearth_rdma *r, uint32_t chunk)
{
	int ret = 0;

	for (uint32_t i = 0; i < r->nr_rails && !ret; i++)
		if (r->rails[i].pd)
			ret = hearth_verbs_register_chunk(r, &r->rails[i], chunk);
	return ret;
}

/* Under the lock: all queue pairs have it, or none. */
static int open_chunk(struct hearth_rdma *r, uint32_t chunk, uint32_t nr_blocks)
{
	int ret = 0;

	for (uint32_t i = 0; i < r->nr_queues && !ret; i++)
		if (r->queues[i])
			ret = hearth_rdma_queue_add_window(r->queues[i], chunk);
	if (!ret) {
		r->first[chunk + 1] = r->first[chunk] + nr_blocks;
		r->nr_chunks = chunk + 1;
	}
	for (uint32_t i = 0; i < r->nr_queues; i++) {
		if (r->queues[i] && ret)
			hearth_rdma_queue_drop_window(r->queues[i], chunk);
		else if (r->queues[i])
			hearth_rdma_queue_open(r->queues[i], chunk);
	}
	return ret;
}

/* Makes a chunk known to all devices before blocks of it go out. */
static int prepare(void *bundle, struct hearth_pool_chunk *c)
{
	struct hearth_rdma *r = bundle;
	uint32_t chunk = (uint32_t)(c - r->pool.chunks);
	int ret = register_chunk(r, chunk);

	if (!ret) {
		pthread_mutex_lock(&r->lock);
		ret = open_chunk(r, chunk, c->nr_blocks);
		pthread_mutex_unlock(&r->lock);
	}
	for (uint32_t i = 0; i < r->nr_rails && ret; i++)
		hearth_verbs_unregister_chunk(&r->rails[i], chunk);
	return ret;
}

/* It is the path that has the blocks, and not the storage. */
static bool is_short(struct hearth_rdma *r)
{
	uint32_t under_way = r->nr_held;

	for (uint32_t i = 0; i < r->nr_queues; i++)
		if (r->queues[i])
			under_way += r->queues[i]->nr_offers;
	return 2 * under_way >= r->pool.nr_blocks && hearth_pool_is_empty(&r->pool);
}

void hearth_rdma_grow(struct hearth_rdma *r)
{
	uint64_t bytes = pool_bytes(r), step = bytes / 4;
	int err;

	if (step < HEARTH_POOL_START_BYTES)
		step = HEARTH_POOL_START_BYTES;
	if (r->most_bytes < bytes + r->pool.block_bytes || !is_short(r))
		return;
	if (step > r->most_bytes - bytes)
		step = r->most_bytes - bytes;
	pthread_mutex_unlock(&r->lock);
	err = hearth_pool_add(&r->pool, step, prepare, r);
	pthread_mutex_lock(&r->lock);
	if (err)
		r->most_bytes = 0; /* it has to do */
	else
		hearth_rdma_advance(r);
}
