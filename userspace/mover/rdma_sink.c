// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The end that gets the blocks.
 *
 * Blocks of the pool are taken for what has been offered (READ) or for slots that are
 * told ahead (WRITE), as far as there are any. A thread of the engine only waits for
 * the pool when no block of it is on its way in: else one that arrives would have
 * nobody to take it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "../common/io.h"
#include "rdma_impl.h"

static void fail_protocol(struct hearth_rdma_queue *q)
{
	hearth_rdma_queue_fail(q, "ibv_poll_cq", "the far end broke the protocol");
}

/* A block of the pool, without waiting for it. */
static struct hearth_block *take_block(struct hearth_rdma *r)
{
	struct hearth_block *b = r->gift ? r->gift : hearth_pool_try_get(&r->pool);

	r->gift = NULL;
	if (b)
		r->nr_held++;
	return b;
}

static void drop_block(struct hearth_rdma *r, struct hearth_block *b)
{
	r->nr_held--;
	hearth_pool_put(b);
}

static struct hearth_rdma_arrival *idle_arrival(struct hearth_rdma_queue *q)
{
	uint32_t i = 0;

	if (q->nr_arrivals >= q->depth)
		return NULL;
	while (q->arrivals[i].block)
		i++;
	return &q->arrivals[i];
}

/* Asks for this block from here on. */
static void expect(struct hearth_rdma_queue *q, struct hearth_rdma_arrival *a,
		   struct hearth_block *b)
{
	a->block = b;
	a->since_ns = hearth_now_ns();
	q->nr_arrivals++;
}

static void count_arrival(struct hearth_rdma *r, const struct hearth_rdma_arrival *a)
{
	uint64_t time = hearth_now_ns() - a->since_ns;

	r->nr_arrived++;
	if (!r->trip_ns || time < r->trip_ns)
		r->trip_ns = time;
}

static bool read_part(struct hearth_rdma_queue *q, struct hearth_rdma_arrival *a, void *to,
		      uint32_t len, uint64_t from, uint32_t key)
{
	struct ibv_sge sge = { (uintptr_t)to, len, key };
	struct ibv_send_wr wr = {
		.wr_id = hearth_rdma_wr_id(HEARTH_RDMA_WR_READ, (uint32_t)(a - q->arrivals)),
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = IBV_WR_RDMA_READ,
		.wr.rdma = { .remote_addr = from, .rkey = a->msg.key },
	};

	if (!hearth_rdma_queue_post(q, &wr, "ibv_post_send"))
		return false;
	a->nr_parts++;
	q->nr_reads++;
	return true;
}

static void release(struct hearth_rdma_queue *q, uint32_t id)
{
	if (q->nr_released == HEARTH_RDMA_MAX_OFFERS)
		fail_protocol(q);
	else
		q->released[q->nr_released++] = id;
}

/* All of it is here. */
static void arrive(struct hearth_rdma_queue *q, struct hearth_rdma_arrival *a)
{
	struct hearth_rdma *r = q->bundle;
	struct hearth_block *b = a->block;

	if (a->msg.head_len <= HEARTH_RDMA_INLINE_HEAD)
		memcpy(b->head, a->head, a->msg.head_len);
	memcpy(b->trailer, a->msg.trailer, sizeof(b->trailer));
	memcpy(hearth_rdma_parcel(r, b)->tag, a->msg.tag, sizeof(a->msg.tag));
	b->len = a->msg.len;
	b->packed = a->msg.head_len; /* until its head has been looked at */
	if (b->len)
		count_arrival(r, a);
	a->block = NULL;
	q->nr_arrivals--;
	q->rail->bytes += b->len;
	b->next = NULL;
	*r->done_tail = b;
	r->done_tail = &b->next;
	release(q, a->msg.id);
	pthread_cond_signal(&r->changed);
}

void hearth_rdma_sink_part(struct hearth_rdma_queue *q, uint32_t index, uint32_t len)
{
	struct hearth_rdma_arrival *a = &q->arrivals[index];

	q->bundle->read_bytes += len;
	q->nr_reads--;
	if (!--a->nr_parts && a != q->begun)
		arrive(q, a);
}

/* Takes up what was offered first. False if that has to wait. */
static bool begin_block(struct hearth_rdma_queue *q)
{
	const struct hearth_rdma_arrival *offer = &q->offers[q->first_offer];
	struct hearth_rdma_arrival *a = q->nr_waiting ? idle_arrival(q) : NULL;
	struct hearth_block *b = a ? take_block(q->bundle) : NULL;

	if (!b)
		return false;
	*a = *offer;
	expect(q, a, b);
	q->first_offer = (q->first_offer + 1) % HEARTH_RDMA_MAX_OFFERS;
	q->nr_waiting--;
	q->begun = a;
	/* What follows of it needs no copy. */
	if (a->msg.len)
		a->key = hearth_rdma_land(q, a, b);
	return a->msg.head_len <= HEARTH_RDMA_INLINE_HEAD ||
	       read_part(q, a, b->head, a->msg.head_len, a->msg.head_addr, hearth_rdma_lkey(q, b));
}

static bool read_piece(struct hearth_rdma_queue *q, struct hearth_rdma_arrival *a)
{
	uint32_t at = a->asked, left = a->msg.len - at, piece = q->bundle->piece.bytes;
	uint32_t len = left < piece ? left : piece;

	a->asked += len;
	return !len || read_part(q, a, a->block->data + at, len, a->msg.addr + at, a->key);
}

static bool may_read(const struct hearth_rdma_queue *q)
{
	return q->nr_reads < q->reads && q->nr_reads < HEARTH_RDMA_MAX_READS;
}

/* Reads on, block after block, piece after piece. False if that has to wait. */
static bool start_read(struct hearth_rdma_queue *q)
{
	struct hearth_rdma_arrival *a = q->begun;

	if (!may_read(q))
		return false;
	if (!a)
		return begin_block(q);
	if (!read_piece(q, a))
		return false;
	if (a->asked == a->msg.len) {
		q->begun = NULL;
		if (!a->nr_parts)
			arrive(q, a);
	}
	return q->state == HEARTH_RDMA_LIVE;
}

/* Tells where the next block may be put. */
static bool tell_slot(struct hearth_rdma_queue *q)
{
	struct hearth_rdma *r = q->bundle;
	struct hearth_rdma_arrival *a = hearth_rdma_can_send(q) ? idle_arrival(q) : NULL;
	struct hearth_block *b = a ? take_block(r) : NULL;
	struct hearth_rdma_msg m = { .type = HEARTH_RDMA_SLOT };

	if (!b)
		return false;
	expect(q, a, b);
	m.id = (uint32_t)(a - q->arrivals);
	m.addr = (uintptr_t)b->data;
	m.key = q->keys[hearth_rdma_chunk(r, b)];
	m.len = b->data_bytes;
	m.head_addr = (uintptr_t)b->head;
	hearth_rdma_queue_send(q, &m);
	return q->state == HEARTH_RDMA_LIVE;
}

static void send_releases(struct hearth_rdma_queue *q)
{
	while (q->nr_released && hearth_rdma_can_send(q)) {
		struct hearth_rdma_msg m = { .type = HEARTH_RDMA_RELEASE };

		while (q->nr_released && m.nr_ids < HEARTH_RDMA_MAX_IDS)
			m.ids[m.nr_ids++] = q->released[--q->nr_released];
		hearth_rdma_queue_send(q, &m);
	}
}

/* The queue pairs take turns. */
void hearth_rdma_sink_advance(struct hearth_rdma *r)
{
	bool (*const start)(struct hearth_rdma_queue *) =
		r->mode == HEARTH_RDMA_MODE_WRITE ? tell_slot : start_read;
	bool goes_on = true;

	while (goes_on) {
		goes_on = false;
		for (uint32_t i = 0; i < r->nr_queues; i++)
			if (r->queues[i] && r->queues[i]->state == HEARTH_RDMA_LIVE &&
			    !r->queues[i]->has_finished)
				goes_on |= start(r->queues[i]);
	}
	for (uint32_t i = 0; i < r->nr_queues; i++)
		if (r->queues[i] && r->queues[i]->state == HEARTH_RDMA_LIVE)
			send_releases(r->queues[i]);
}

void hearth_rdma_sink_steer(struct hearth_rdma *r)
{
	uint32_t nr_live = hearth_rdma_nr_live(r), share;
	uint64_t now = hearth_now_ns();

	if (nr_live && r->read_bytes)
		hearth_adapt_piece(&r->piece, now, r->read_bytes, nr_live);
	if (!nr_live || !r->nr_arrived ||
	    !hearth_adapt_depth(&r->flow, now, r->nr_arrived, r->trip_ns))
		return;
	share = (r->flow.depth + nr_live - 1) / nr_live;
	for (uint32_t i = 0; i < r->nr_queues; i++)
		if (r->queues[i])
			r->queues[i]->depth = share < r->queues[i]->most ? share
									 : r->queues[i]->most;
}

static void take_head(struct hearth_rdma_arrival *a, const struct hearth_rdma_msg *m)
{
	a->msg = *m;
	if (m->head)
		memcpy(a->head, m->head, m->head_len);
	a->msg.head = NULL; /* it lay in the message */
}

static void take_offer(struct hearth_rdma_queue *q, const struct hearth_rdma_msg *m)
{
	uint32_t at = (q->first_offer + q->nr_waiting) % HEARTH_RDMA_MAX_OFFERS;

	if (q->bundle->mode == HEARTH_RDMA_MODE_WRITE ||
	    q->nr_waiting == HEARTH_RDMA_MAX_OFFERS || m->len > q->bundle->plan.block_bytes) {
		fail_protocol(q);
		return;
	}
	take_head(&q->offers[at], m);
	q->nr_waiting++;
	pthread_cond_signal(&q->bundle->changed);
}

static void take_filled(struct hearth_rdma_queue *q, const struct hearth_rdma_msg *m)
{
	struct hearth_rdma_arrival *a = m->key < HEARTH_RDMA_MAX_DEPTH ? &q->arrivals[m->key]
								       : NULL;

	if (q->bundle->mode != HEARTH_RDMA_MODE_WRITE || !a || !a->block ||
	    m->len > a->block->data_bytes) {
		fail_protocol(q);
		return;
	}
	take_head(a, m);
	arrive(q, a);
}

void hearth_rdma_sink_hear(struct hearth_rdma_queue *q, const struct hearth_rdma_msg *m)
{
	if (q->has_finished) {
		fail_protocol(q);
	} else if (m->type == HEARTH_RDMA_OFFER) {
		take_offer(q, m);
	} else if (m->type == HEARTH_RDMA_FILLED) {
		take_filled(q, m);
	} else if (m->type == HEARTH_RDMA_FIN) {
		q->has_finished = true;
		pthread_cond_broadcast(&q->bundle->changed);
	} else {
		fail_protocol(q);
	}
}

/* The device has let go of what was on its way. */
void hearth_rdma_sink_fail(struct hearth_rdma_queue *q)
{
	for (uint32_t i = 0; i < HEARTH_RDMA_MAX_DEPTH; i++) {
		if (q->arrivals[i].block)
			drop_block(q->bundle, q->arrivals[i].block);
		q->arrivals[i].block = NULL;
	}
	q->nr_arrivals = 0;
	q->begun = NULL;
	q->nr_reads = 0;
	q->nr_waiting = 0;
	q->nr_released = 0;
}

/* 0: more may come; -ENODATA: nothing more; or why nothing more can come. */
static int look_for_end(const struct hearth_rdma *r)
{
	bool has_finished = r->is_spare_over;

	for (uint32_t i = 0; i < r->nr_queues; i++) {
		const struct hearth_rdma_queue *q = r->queues[i];

		if (q && q->state != HEARTH_RDMA_FAILED && !q->has_finished)
			return 0;
		has_finished |= q && q->has_finished;
	}
	if (has_finished)
		return -ENODATA;
	if (r->error)
		return r->error;
	return r->spare ? 0 : -ENOTCONN;
}

static bool has_offers(const struct hearth_rdma *r)
{
	for (uint32_t i = 0; i < r->nr_queues; i++)
		if (r->queues[i] && r->queues[i]->nr_waiting)
			return true;
	return r->mode == HEARTH_RDMA_MODE_WRITE;
}

/* Waits for a block of the pool, so that something can come in at all. */
static void await_block(struct hearth_rdma *r)
{
	struct hearth_block *b;

	r->is_getting = true;
	pthread_mutex_unlock(&r->lock);
	b = hearth_pool_get(&r->pool);
	pthread_mutex_lock(&r->lock);
	r->is_getting = false;
	if (b && r->gift)
		hearth_pool_put(b);
	else if (b)
		r->gift = b;
	else
		r->is_cancelled = true;
	pthread_cond_broadcast(&r->changed);
}

/* Nothing can come any more: the job hears why, unless it is over anyhow. */
static void lose(struct hearth_rdma *r)
{
	if (r->was_lost)
		return;
	r->was_lost = true;
	hearth_rdma_lose(r);
}

/* The next block that has arrived, or -errno. */
static int next_block(struct hearth_rdma *r, struct hearth_block **ret)
{
	int err = 0;

	while (!r->done && !err) {
		hearth_rdma_advance(r);
		if (r->done)
			break;
		err = r->is_cancelled ? -ECANCELED : look_for_end(r);
		if (err == -ENOTCONN)
			lose(r);
		if (err)
			break;
		if (hearth_rdma_is_live(r) && !r->nr_held && !r->gift && !r->is_getting &&
		    has_offers(r))
			await_block(r);
		else
			pthread_cond_wait(&r->changed, &r->lock);
	}
	if (err)
		return err;
	*ret = r->done;
	r->done = r->done->next;
	if (!r->done)
		r->done_tail = &r->done;
	r->nr_held--;
	return 0;
}

static int parse(struct hearth_rdma *r, struct hearth_block *b, struct hearth_seal *seal)
{
	const struct iovec iov[] = { { b->head, b->packed },
				     { b->data, b->len },
				     { b->trailer, sizeof(b->trailer) } };
	uint32_t len = b->len, head_len = b->packed;
	int ret = hearth_block_parse_header(b, r->ticket.session);

	if (!ret && (b->packed || b->len != len || hearth_block_head_bytes(b) != head_len))
		ret = -EPROTO;
	if (!ret && seal->mode != HEARTH_SEAL_NONE) {
		seal->nr_received = b->seq;
		ret = hearth_seal_open(seal, iov, 3, hearth_rdma_parcel(r, b)->tag);
	}
	return ret ? ret : hearth_block_parse_table(b);
}

/* Sent again since a queue pair failed, but it had come; or somebody repeats what he has seen. */
static bool is_repeated(struct hearth_rdma *r, const struct hearth_block *b)
{
	uint64_t *seen = &r->seen[b->seq % HEARTH_MAX_FLIGHT];
	bool yes;

	pthread_mutex_lock(&r->lock);
	yes = b->seq < *seen;
	if (!yes)
		*seen = b->seq + 1;
	pthread_mutex_unlock(&r->lock);
	return yes;
}

int hearth_rdma_sink_recv(struct hearth_rdma *r, struct hearth_block **ret, uint64_t *ret_bytes,
			  struct hearth_seal *seal)
{
	struct hearth_block *b;
	bool is_spares;
	int err;

	do {
		pthread_mutex_lock(&r->lock);
		err = next_block(r, &b);
		is_spares = !err && hearth_rdma_parcel(r, b)->is_spare;
		if (!err)
			hearth_rdma_parcel(r, b)->is_spare = false;
		pthread_mutex_unlock(&r->lock);
		if (err)
			return err;
		err = is_spares ? 0 : parse(r, b, seal);
		if (err || is_repeated(r, b)) {
			hearth_pool_put(b);
			b = NULL;
		}
	} while (!err && !b);
	if (err)
		return err;
	*ret_bytes = hearth_block_head_bytes(b) + b->len + sizeof(b->trailer);
	*ret = b;
	return 0;
}

static void take_spare(struct hearth_rdma *r, struct hearth_block *b)
{
	pthread_mutex_lock(&r->lock);
	hearth_rdma_parcel(r, b)->is_spare = true;
	r->nr_held++;
	b->next = NULL;
	*r->done_tail = b;
	r->done_tail = &b->next;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
}

/* The spare TCP stream has a thread of its own, which waits for the first byte without a block. */
void *hearth_rdma_sink_spare(void *bundle)
{
	struct hearth_rdma *r = bundle;
	struct pollfd fd = { .fd = hearth_tcp_socket(r->spare), .events = POLLIN };
	struct hearth_block *b;
	int err = 0;

	while (!err) {
		poll(&fd, 1, -1);
		err = r->spare->ops->recv(r->spare, &r->pool, &b);
		if (!err)
			take_spare(r, b);
	}
	pthread_mutex_lock(&r->lock);
	if (err == -ENODATA)
		r->is_spare_over = true;
	else
		r->error = err;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	return NULL;
}
