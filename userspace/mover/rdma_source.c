// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The end that has the blocks.
 *
 * A block that was sent stays as it is until the receiver releases it. If its queue
 * pair fails before that it goes out once more by another way; the receiver tells by
 * its number if it has it already.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rdma_impl.h"

static bool has_room(const struct hearth_rdma_queue *q)
{
	const struct hearth_rdma *r = q->bundle;

	if (!hearth_rdma_can_send(q) || q->nr_offers >= HEARTH_RDMA_MAX_OFFERS)
		return false;
	return r->mode != HEARTH_RDMA_MODE_WRITE || q->nr_slots;
}

static bool is_better(const struct hearth_rdma_queue *q, const struct hearth_rdma_queue *best)
{
	if (!best || q->rail->bytes != best->rail->bytes)
		return !best || q->rail->bytes < best->rail->bytes;
	return q->nr_offers < best->nr_offers;
}

/*
 * Of those that have room, one of the rail that has carried least: rails that are equally fast
 * carry the same, and a slower one has no room. NULL: none.
 */
static struct hearth_rdma_queue *choose(const struct hearth_rdma *r)
{
	struct hearth_rdma_queue *best = NULL;

	for (uint32_t i = 0; i < r->nr_queues; i++) {
		struct hearth_rdma_queue *q = r->queues[i];

		if (q && has_room(q) && is_better(q, best))
			best = q;
	}
	return best;
}

static void describe(const struct hearth_rdma *r, const struct hearth_block *b,
		     struct hearth_rdma_msg *m)
{
	const struct hearth_rdma_parcel *p = hearth_rdma_parcel(r, b);

	m->id = hearth_rdma_index(r, b);
	m->len = b->len;
	m->head_len = (uint32_t)hearth_block_head_bytes(b);
	m->head = m->head_len <= HEARTH_RDMA_INLINE_HEAD ? b->head : NULL;
	memcpy(m->trailer, b->trailer, sizeof(m->trailer));
	memcpy(m->tag, p->tag, sizeof(m->tag));
}

static bool write_part(struct hearth_rdma_queue *q, struct ibv_sge sge, uint64_t to, uint32_t key)
{
	struct ibv_send_wr wr = {
		.wr_id = hearth_rdma_wr_id(HEARTH_RDMA_WR_WRITE, 0),
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = IBV_WR_RDMA_WRITE,
		.wr.rdma = { .remote_addr = to, .rkey = key },
	};

	return !sge.length || hearth_rdma_queue_post(q, &wr, "ibv_post_send");
}

/* Writes come before the message that tells of them. */
static bool fill_slot(struct hearth_rdma_queue *q, const struct hearth_block *b,
		      struct hearth_rdma_msg *m)
{
	const struct hearth_rdma_msg slot = q->slots[--q->nr_slots];
	uint32_t lkey = hearth_rdma_lkey(q, b);
	struct ibv_sge data = { (uintptr_t)b->data, b->len, lkey };
	struct ibv_sge head = { (uintptr_t)b->head, m->head_len, lkey };

	m->type = HEARTH_RDMA_FILLED;
	m->key = slot.id;
	if (b->len > slot.len) {
		hearth_rdma_queue_fail(q, "ibv_post_send", "the far end's blocks are too short");
		return false;
	}
	return write_part(q, data, slot.addr, slot.key) &&
	       (m->head || write_part(q, head, slot.head_addr, slot.key));
}

static void send_over(struct hearth_rdma_queue *q, struct hearth_block *b)
{
	struct hearth_rdma *r = q->bundle;
	struct hearth_rdma_msg m = { .type = HEARTH_RDMA_OFFER };

	/* From here on a failure takes it back. */
	hearth_rdma_parcel(r, b)->queue = q;
	q->nr_offers++;
	q->rail->bytes += b->len;
	describe(r, b, &m);
	m.addr = (uintptr_t)b->data;
	m.head_addr = (uintptr_t)b->head;
	m.key = q->keys[hearth_rdma_chunk(r, b)];
	if (r->mode == HEARTH_RDMA_MODE_WRITE && !fill_slot(q, b, &m))
		return;
	hearth_rdma_queue_send(q, &m);
}

/* The order of the backlog is of no matter. */
void hearth_rdma_source_fail(struct hearth_rdma_queue *q)
{
	struct hearth_rdma *r = q->bundle;

	for (uint32_t i = 0; i < r->first[r->nr_chunks]; i++) {
		struct hearth_block *b = hearth_rdma_block(r, i);

		if (r->parcels[i].queue != q)
			continue;
		r->parcels[i].queue = NULL;
		q->rail->bytes -= b->len;
		b->next = r->backlog;
		r->backlog = b;
	}
	q->nr_offers = 0;
	q->nr_slots = 0;
}

static int close_block(struct hearth_rdma *r, struct hearth_block *b, struct hearth_seal *seal)
{
	struct hearth_rdma_parcel *p = hearth_rdma_parcel(r, b);
	const struct iovec iov[] = { { b->head, hearth_block_head_bytes(b) },
				     { b->data, b->len },
				     { b->trailer, sizeof(b->trailer) } };

	memset(p, 0, sizeof(*p));
	if (seal->mode == HEARTH_SEAL_NONE)
		return 0;
	/* A block's number is the nonce: none is used twice in a session. */
	seal->nr_sent = b->seq;
	p->is_sealed = true;
	return hearth_seal_close(seal, iov, 3, p->tag);
}

/* TCP seals by itself. */
static int open_block(struct hearth_rdma *r, struct hearth_block *b)
{
	struct hearth_rdma_parcel *p = hearth_rdma_parcel(r, b);
	const struct iovec iov[] = { { b->head, hearth_block_head_bytes(b) },
				     { b->data, b->len },
				     { b->trailer, sizeof(b->trailer) } };
	struct hearth_seal seal;
	int ret;

	if (!p->is_sealed)
		return 0;
	hearth_seal_init(&seal, r->seal.mode, r->seal.key, true);
	seal.nr_received = b->seq;
	ret = hearth_seal_open(&seal, iov, 3, p->tag);
	hearth_seal_exit(&seal);
	p->is_sealed = false;
	return ret;
}

/* Not under the lock: TCP takes its time. */
static int send_spare(struct hearth_rdma *r, struct hearth_block *b)
{
	int ret = open_block(r, b);

	if (ret) {
		hearth_pool_put(b);
		return ret;
	}
	pthread_mutex_lock(&r->spare_lock);
	ret = r->spare->ops->send(r->spare, b);
	pthread_mutex_unlock(&r->spare_lock);
	return ret;
}

static struct hearth_block *pop_backlog(struct hearth_rdma *r)
{
	struct hearth_block *b = r->backlog;

	r->backlog = b->next;
	return b;
}

/* All queue pairs have failed: what they did not deliver goes over TCP. */
static void drain_backlog(struct hearth_rdma *r)
{
	while (r->backlog && r->spare && !r->error && !r->is_cancelled) {
		struct hearth_block *b = pop_backlog(r);
		int err;

		pthread_mutex_unlock(&r->lock);
		err = send_spare(r, b);
		pthread_mutex_lock(&r->lock);
		r->error = err;
	}
	if (!r->error && !r->spare)
		r->error = -ENOTCONN;
	if (r->error && !r->is_cancelled && !r->was_lost) {
		r->was_lost = true;
		hearth_rdma_lose(r);
	}
}

void hearth_rdma_source_advance(struct hearth_rdma *r)
{
	struct hearth_rdma_queue *q;

	while (r->backlog && (q = choose(r)))
		send_over(q, pop_backlog(r));
	/* Before the mode is decided they are only on their way up. */
	if (r->mode != HEARTH_RDMA_MODE_AUTO && !hearth_rdma_is_live(r) &&
	    (r->backlog || !r->spare))
		drain_backlog(r);
}

/* 1: sent; 0: over TCP then; or -errno. */
static int send_locked(struct hearth_rdma *r, struct hearth_block *b)
{
	struct hearth_rdma_queue *q;

	while (!r->is_cancelled && !r->error && hearth_rdma_is_live(r)) {
		q = r->backlog ? NULL : choose(r);
		if (q) {
			send_over(q, b);
			return 1;
		}
		pthread_cond_wait(&r->changed, &r->lock);
	}
	if (r->is_cancelled)
		return -ECANCELED;
	return r->error ? r->error : r->spare ? 0
					      : -ENOTCONN;
}

int hearth_rdma_source_send(struct hearth_rdma *r, struct hearth_block *b, uint64_t *ret_bytes,
			    struct hearth_seal *seal)
{
	int ret = close_block(r, b, seal);

	*ret_bytes = hearth_block_head_bytes(b) + b->len + sizeof(b->trailer);
	if (ret) {
		hearth_pool_put(b);
		return ret;
	}
	pthread_mutex_lock(&r->lock);
	ret = send_locked(r, b);
	pthread_mutex_unlock(&r->lock);
	if (!ret)
		return send_spare(r, b);
	if (ret < 0)
		hearth_pool_put(b);
	return ret < 0 ? ret : 0;
}

static void take_release(struct hearth_rdma_queue *q, const struct hearth_rdma_msg *m)
{
	struct hearth_rdma *r = q->bundle;

	for (uint32_t i = 0; i < m->nr_ids; i++) {
		if (m->ids[i] >= r->first[r->nr_chunks] || r->parcels[m->ids[i]].queue != q) {
			hearth_rdma_queue_fail(q, "ibv_poll_cq", "the far end broke the protocol");
			return;
		}
		r->parcels[m->ids[i]].queue = NULL;
		q->nr_offers--;
		hearth_pool_put(hearth_rdma_block(r, m->ids[i]));
	}
	pthread_cond_broadcast(&r->changed);
}

static void take_slot(struct hearth_rdma_queue *q, const struct hearth_rdma_msg *m)
{
	/* A receiver that chose the mode tells its slots before this end hears of it. */
	if (q->bundle->mode == HEARTH_RDMA_MODE_READ || q->nr_slots == HEARTH_RDMA_MAX_DEPTH) {
		hearth_rdma_queue_fail(q, "ibv_poll_cq", "the far end broke the protocol");
		return;
	}
	q->slots[q->nr_slots++] = *m;
	pthread_cond_broadcast(&q->bundle->changed);
}

void hearth_rdma_source_hear(struct hearth_rdma_queue *q, const struct hearth_rdma_msg *m)
{
	if (m->type == HEARTH_RDMA_RELEASE)
		take_release(q, m);
	else if (m->type == HEARTH_RDMA_SLOT)
		take_slot(q, m);
	else
		hearth_rdma_queue_fail(q, "ibv_poll_cq", "the far end broke the protocol");
}

/* Waits until the peer's devices know that nothing follows, or nothing can be told any more. */
void hearth_rdma_source_finish(struct hearth_rdma *r)
{
	bool is_out = false;

	while (!is_out && !r->is_cancelled) {
		is_out = true;
		for (uint32_t i = 0; i < r->nr_queues; i++) {
			struct hearth_rdma_queue *q = r->queues[i];
			struct hearth_rdma_msg m = { .type = HEARTH_RDMA_FIN };

			if (!q || q->state != HEARTH_RDMA_LIVE)
				continue;
			if (!q->has_sent_fin && hearth_rdma_can_send(q)) {
				q->has_sent_fin = true;
				hearth_rdma_queue_send(q, &m);
			}
			is_out &= q->is_fin_out;
		}
		if (!is_out)
			pthread_cond_wait(&r->changed, &r->lock);
	}
}
