// SPDX-License-Identifier: GPL-2.0-or-later
/* One queue pair: its receives and sends, credits, and what has completed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/io.h"
#include "rdma_impl.h"

#define MEMORY_BYTES ((HEARTH_RDMA_RECVS + HEARTH_RDMA_SENDS) * HEARTH_RDMA_MSG_BYTES)
#define POLLED_AT_ONCE 16

static uint8_t *recv_room(const struct hearth_rdma_queue *q, uint32_t i)
{
	return q->memory + (size_t)i * HEARTH_RDMA_MSG_BYTES;
}

static uint8_t *send_room(const struct hearth_rdma_queue *q, uint32_t i)
{
	return recv_room(q, HEARTH_RDMA_RECVS + i);
}

static int post_recv(struct hearth_rdma_queue *q, uint32_t i)
{
	struct ibv_sge sge = { (uintptr_t)recv_room(q, i), HEARTH_RDMA_MSG_BYTES, q->mr->lkey };
	struct ibv_recv_wr wr = { .wr_id = hearth_rdma_wr_id(HEARTH_RDMA_WR_RECV, i),
				  .sg_list = &sge,
				  .num_sge = 1 },
			   *bad;

	return -ibv_post_recv(q->id->qp, &wr, &bad);
}

static int make_qp(struct hearth_rdma_queue *q)
{
	struct ibv_qp_init_attr attr = {
		.send_cq = q->cq,
		.recv_cq = q->cq,
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
		.cap = { .max_send_wr = HEARTH_RDMA_SQ,
			 .max_recv_wr = HEARTH_RDMA_RECVS,
			 .max_send_sge = 1,
			 .max_recv_sge = 1 },
	};
	int ret = 0;

	if (rdma_create_qp(q->id, q->rail->pd, &attr))
		return -errno;
	for (uint32_t i = 0; i < HEARTH_RDMA_RECVS && !ret; i++)
		ret = post_recv(q, i);
	return ret;
}

/* Everything but the queue pair itself. 0, or -errno and the call. */
static int make_parts(struct hearth_rdma_queue *q, const char **call)
{
	struct hearth_rdma_rail *rail = q->rail;

	*call = "memory for messages";
	q->memory = aligned_alloc(4096, MEMORY_BYTES);
	q->offers = calloc(HEARTH_RDMA_MAX_OFFERS, sizeof(*q->offers));
	q->arrivals = calloc(HEARTH_RDMA_MAX_DEPTH, sizeof(*q->arrivals));
	if (!q->memory || !q->offers || !q->arrivals)
		return -ENOMEM;
	*call = "ibv_reg_mr";
	q->mr = ibv_reg_mr(rail->pd, q->memory, MEMORY_BYTES, IBV_ACCESS_LOCAL_WRITE);
	if (!q->mr)
		return -errno;
	*call = "ibv_create_cq";
	q->cq = ibv_create_cq(rail->verbs, HEARTH_RDMA_RECVS + HEARTH_RDMA_SQ, q, rail->events, 0);
	if (!q->cq)
		return -errno;
	*call = "ibv_req_notify_cq";
	if (ibv_req_notify_cq(q->cq, 0))
		return -EIO;
	*call = "rdma_create_qp";
	return make_qp(q);
}

int hearth_rdma_queue_add(struct hearth_rdma *r, struct hearth_rdma_rail *rail,
			  struct rdma_cm_id *id, uint16_t number, struct hearth_rdma_queue **ret)
{
	struct hearth_rdma_queue *q = calloc(1, sizeof(*q));
	const char *call;
	int err;

	if (!q)
		return -ENOMEM;
	*q = (struct hearth_rdma_queue){ .bundle = r,
					 .rail = rail,
					 .id = id,
					 .number = number,
					 .state = HEARTH_RDMA_CONNECTING,
					 .credits = HEARTH_RDMA_RECVS };
	for (uint16_t i = 0; i < HEARTH_RDMA_SENDS; i++)
		q->idle_sends[q->nr_idle_sends++] = i;
	err = make_parts(q, &call);
	if (err) {
		hearth_verbs_fail(r->why, rail->device, call, err);
		q->id = NULL; /* the caller's */
		if (id->qp)
			rdma_destroy_qp(id);
		hearth_rdma_queue_free(q);
		return err;
	}
	id->context = q;
	r->queues[number] = q;
	if (number >= r->nr_queues)
		r->nr_queues = number + 1u;
	*ret = q;
	return 0;
}

int hearth_rdma_queue_add_window(struct hearth_rdma_queue *q, uint32_t chunk)
{
	if (q->state != HEARTH_RDMA_LIVE || !q->rail->has_windows ||
	    !hearth_verbs_access(q->bundle))
		return 0;
	q->windows[chunk] = ibv_alloc_mw(q->rail->pd, IBV_MW_TYPE_2);
	return q->windows[chunk] ? 0 : -errno;
}

void hearth_rdma_queue_drop_window(struct hearth_rdma_queue *q, uint32_t chunk)
{
	if (q->windows[chunk])
		ibv_dealloc_mw(q->windows[chunk]);
	q->windows[chunk] = NULL;
}

/* Without a window it is the whole rail's key. */
void hearth_rdma_queue_open(struct hearth_rdma_queue *q, uint32_t chunk)
{
	struct ibv_send_wr wr = { .wr_id = hearth_rdma_wr_id(HEARTH_RDMA_WR_WINDOW, 0),
				  .opcode = IBV_WR_BIND_MW };
	struct ibv_mw *window = q->windows[chunk];
	struct ibv_mr *mr = q->rail->mrs[chunk];

	if (q->state != HEARTH_RDMA_LIVE)
		return;
	q->keys[chunk] = window ? ibv_inc_rkey(window->rkey) : mr->rkey;
	if (!window)
		return;
	wr.bind_mw.mw = window;
	wr.bind_mw.rkey = q->keys[chunk];
	wr.bind_mw.bind_info = (struct ibv_mw_bind_info){
		.mr = mr,
		.addr = (uintptr_t)mr->addr,
		.length = mr->length,
		.mw_access_flags = (unsigned int)hearth_verbs_access(q->bundle),
	};
	hearth_rdma_queue_post(q, &wr, "ibv_post_send of a memory window");
}

/* The device lets go of memory before it is freed: first of the windows, the queue pair's. */
static void destroy_qp(struct hearth_rdma_queue *q)
{
	for (uint32_t i = 0; i < HEARTH_POOL_MAX_CHUNKS; i++)
		hearth_rdma_queue_drop_window(q, i);
	if (q->id && q->id->qp)
		rdma_destroy_qp(q->id);
	if (q->cq)
		ibv_destroy_cq(q->cq);
	q->cq = NULL;
}

void hearth_rdma_queue_let_go(struct hearth_rdma_queue *q)
{
	destroy_qp(q);
	if (q->mr)
		ibv_dereg_mr(q->mr);
	if (q->id)
		rdma_destroy_id(q->id);
	q->mr = NULL;
	q->id = NULL;
}

void hearth_rdma_queue_free(struct hearth_rdma_queue *q)
{
	hearth_rdma_queue_let_go(q);
	free(q->memory);
	free(q->offers);
	free(q->arrivals);
	free(q);
}

void hearth_rdma_queue_up(struct hearth_rdma_queue *q)
{
	if (q->state != HEARTH_RDMA_CONNECTING)
		return;
	q->state = HEARTH_RDMA_LIVE;
	q->heard_ns = hearth_now_ns();
	q->rail->nr_live++;
	pthread_cond_broadcast(&q->bundle->changed);
}

void hearth_rdma_queue_fail(struct hearth_rdma_queue *q, const char *call, const char *text)
{
	struct hearth_rdma *r = q->bundle;
	bool was_live = q->state == HEARTH_RDMA_LIVE;
	char line[HEARTH_RDMA_WHY_BYTES];

	if (q->state == HEARTH_RDMA_FAILED)
		return;
	q->state = HEARTH_RDMA_FAILED;
	rdma_disconnect(q->id);
	destroy_qp(q);
	if (r->plan.is_sender)
		hearth_rdma_source_fail(q);
	else
		hearth_rdma_sink_fail(q);
	pthread_cond_broadcast(&r->changed);
	if (!was_live)
		return;
	q->rail->nr_live--;
	if (q->has_finished || q->has_sent_fin || r->is_stopping || r->is_cancelled)
		return;
	if (!q->rail->has_failed) {
		snprintf(line, sizeof(line), "RDMA of the %s: %s: %s: %s",
			 r->plan.is_sender ? "sender" : "receiver", q->rail->device, call, text);
		hearth_rdma_tell(r, line);
	}
	q->rail->has_failed = true;
	if (!hearth_rdma_is_live(r) && r->spare)
		hearth_rdma_tell(r, "no RDMA connection is left: data goes over TCP");
}

bool hearth_rdma_queue_post(struct hearth_rdma_queue *q, struct ibv_send_wr *wr, const char *call)
{
	struct ibv_send_wr *bad;
	int err = q->state == HEARTH_RDMA_FAILED ? ENOTCONN : ibv_post_send(q->id->qp, wr, &bad);

	if (err) {
		hearth_rdma_queue_fail(q, call, strerror(err));
		return false;
	}
	if (!q->nr_out++)
		q->moved_ns = hearth_now_ns();
	return true;
}

/* The last credit is for an update. */
bool hearth_rdma_can_send(const struct hearth_rdma_queue *q)
{
	return q->state == HEARTH_RDMA_LIVE && q->credits > 1 && q->nr_idle_sends > 1;
}

void hearth_rdma_queue_send(struct hearth_rdma_queue *q, struct hearth_rdma_msg *m)
{
	uint32_t i = q->idle_sends[--q->nr_idle_sends];
	uint32_t kind = m->type == HEARTH_RDMA_FIN ? HEARTH_RDMA_WR_FIN : HEARTH_RDMA_WR_SEND;
	struct ibv_sge sge = { (uintptr_t)send_room(q, i), 0, q->mr->lkey };
	struct ibv_send_wr wr = { .wr_id = hearth_rdma_wr_id(kind, i),
				  .sg_list = &sge,
				  .num_sge = 1,
				  .opcode = IBV_WR_SEND };

	m->credits = (uint16_t)q->owed;
	q->owed = 0;
	q->credits--;
	sge.length = (uint32_t)hearth_rdma_encode(send_room(q, i), m);
	hearth_rdma_queue_post(q, &wr, "ibv_post_send");
}

/* Gives back what is owed once that is much. */
void hearth_rdma_queue_flush(struct hearth_rdma_queue *q)
{
	struct hearth_rdma_msg m = { .type = HEARTH_RDMA_CREDIT };

	if (q->state == HEARTH_RDMA_LIVE && q->owed >= HEARTH_RDMA_RECVS / 2 && q->credits &&
	    q->nr_idle_sends)
		hearth_rdma_queue_send(q, &m);
}

/* How long a block of each queue pair of the rail may take at worst. */
static uint64_t patience_ns(const struct hearth_rdma_queue *q)
{
	uint64_t bytes = (uint64_t)q->rail->nr_live * q->bundle->plan.block_bytes;

	return HEARTH_RDMA_DEAD_MS * 1000000ull + bytes * 1000000000 / HEARTH_RDMA_SLOWEST;
}

/*
 * A device should fail what is not acknowledged, but Soft-RoCE forgets to if it could not send what
 * came after it.
 */
void hearth_rdma_queue_probe(struct hearth_rdma_queue *q)
{
	struct ibv_send_wr wr = { .wr_id = hearth_rdma_wr_id(HEARTH_RDMA_WR_PROBE, 0),
				  .opcode = IBV_WR_RDMA_WRITE };
	uint64_t now = hearth_now_ns(), silence = HEARTH_RDMA_SILENCE_MS * 1000000ull;

	if (q->state != HEARTH_RDMA_LIVE)
		return;
	if (q->nr_out && now - q->moved_ns > patience_ns(q))
		hearth_rdma_queue_fail(q, "ibv_poll_cq", "nothing is acknowledged any more");
	else if (!q->nr_out && now - q->heard_ns > silence && now - q->moved_ns > silence)
		hearth_rdma_queue_post(q, &wr, "ibv_post_send");
}

static void echo(struct hearth_rdma_queue *q, const struct hearth_rdma_msg *m)
{
	struct hearth_rdma_msg pong = { .type = HEARTH_RDMA_PONG, .echo = m->echo };

	if (hearth_rdma_can_send(q))
		hearth_rdma_queue_send(q, &pong);
}

static void take_echo(struct hearth_rdma_queue *q, uint64_t came_back)
{
	q->echo = came_back;
	pthread_cond_broadcast(&q->bundle->changed);
}

static void hear(struct hearth_rdma_queue *q, const struct hearth_rdma_msg *m)
{
	/* What comes over a connection proves that it is one; its event may come later. */
	if (!q->is_unproved)
		hearth_rdma_queue_up(q);
	q->heard_ns = hearth_now_ns();
	q->credits += m->credits;
	if (q->credits > HEARTH_RDMA_RECVS || q->is_unproved)
		hearth_rdma_queue_fail(q, "ibv_poll_cq", "the far end broke the protocol");
	else if (m->type == HEARTH_RDMA_PING)
		echo(q, m);
	else if (m->type == HEARTH_RDMA_PONG)
		take_echo(q, m->echo);
	else if (m->type == HEARTH_RDMA_CREDIT)
		return;
	else if (q->bundle->plan.is_sender)
		hearth_rdma_source_hear(q, m);
	else
		hearth_rdma_sink_hear(q, m);
}

static void take_message(struct hearth_rdma_queue *q, uint32_t i, uint32_t len)
{
	struct hearth_rdma_msg m;

	if (hearth_rdma_decode(recv_room(q, i), len, &m)) {
		hearth_rdma_queue_fail(q, "ibv_poll_cq", "the far end broke the protocol");
		return;
	}
	hear(q, &m);
	if (q->state == HEARTH_RDMA_FAILED)
		return;
	if (post_recv(q, i))
		hearth_rdma_queue_fail(q, "ibv_post_recv", strerror(EIO));
	else
		q->owed++;
}

static void complete(struct hearth_rdma_queue *q, const struct ibv_wc *wc)
{
	uint32_t i = (uint32_t)wc->wr_id, kind = (uint32_t)(wc->wr_id >> 32);

	if (wc->status != IBV_WC_SUCCESS) {
		hearth_rdma_queue_fail(q, "ibv_poll_cq", ibv_wc_status_str(wc->status));
		return;
	}
	if (kind != HEARTH_RDMA_WR_RECV) {
		q->nr_out--;
		q->moved_ns = hearth_now_ns();
	}
	switch (kind) {
	case HEARTH_RDMA_WR_RECV:
		take_message(q, i, wc->byte_len);
		break;
	case HEARTH_RDMA_WR_READ:
		hearth_rdma_sink_part(q, i, wc->byte_len);
		break;
	case HEARTH_RDMA_WR_WRITE:
	case HEARTH_RDMA_WR_PROBE:
	case HEARTH_RDMA_WR_WINDOW:
		break;
	default:
		q->is_fin_out |= kind == HEARTH_RDMA_WR_FIN;
		q->idle_sends[q->nr_idle_sends++] = (uint16_t)i;
	}
}

void hearth_rdma_queue_drain(struct hearth_rdma_queue *q)
{
	struct ibv_wc wc[POLLED_AT_ONCE];
	int nr = POLLED_AT_ONCE;

	while (q->cq && nr == POLLED_AT_ONCE) {
		nr = ibv_poll_cq(q->cq, POLLED_AT_ONCE, wc);
		for (int i = 0; i < nr && q->state != HEARTH_RDMA_FAILED; i++)
			complete(q, &wc[i]);
	}
}
