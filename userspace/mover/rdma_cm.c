// SPDX-License-Identifier: GPL-2.0-or-later
/* Connections of queue pairs: asked for, proved, accepted, and lost. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "../common/bytes.h"
#include "../common/io.h"
#include "rdma_impl.h"

/*
 * A peer that does not acknowledge for 7 times 4.096 us * 2^17 is gone: after 3.8 s. One whose
 * receives are used up (which credits forbid) is asked 6 times more, and not for ever.
 */
#define ACK_TIMEOUT 17
#define RETRIES 6
#define RNR_RETRIES 6

#define RESOLVE_MS 2000
#define CONNECT_MS 5000
#define BACKLOG 64

/* What outlives an event. */
struct happening {
	enum rdma_cm_event_type type;
	struct rdma_cm_id *id;
	int status;
	uint8_t reads; /* that this end may have under way */
	uint8_t served; /* and the other */
	size_t len;
	uint8_t data[HEARTH_RDMA_REQUEST_BYTES];
};

static int next_happening(struct hearth_rdma *r, struct happening *ret)
{
	struct rdma_cm_event *e;

	if (rdma_get_cm_event(r->cm, &e))
		return -errno;
	*ret = (struct happening){ .type = e->event, .id = e->id, .status = e->status };
	if (e->event == RDMA_CM_EVENT_CONNECT_REQUEST || e->event == RDMA_CM_EVENT_ESTABLISHED) {
		ret->reads = e->param.conn.initiator_depth;
		ret->served = e->param.conn.responder_resources;
		ret->len = e->param.conn.private_data_len;
		if (ret->len > sizeof(ret->data))
			ret->len = sizeof(ret->data);
		if (e->param.conn.private_data)
			memcpy(ret->data, e->param.conn.private_data, ret->len);
		else
			ret->len = 0;
	}
	rdma_ack_cm_event(e);
	return 0;
}

static void tune(struct rdma_cm_id *id)
{
	uint8_t timeout = ACK_TIMEOUT;

	rdma_set_option(id, RDMA_OPTION_ID, RDMA_OPTION_ID_ACK_TIMEOUT, &timeout, sizeof(timeout));
}

static uint8_t least(int a, int b)
{
	int low = a < b ? a : b;

	return (uint8_t)(low < 255 ? low : 255);
}

static void fill_param(struct rdma_conn_param *p, const struct ibv_context *verbs, uint8_t reads,
		       uint8_t served)
{
	struct ibv_device_attr attr = { 0 };

	ibv_query_device((struct ibv_context *)verbs, &attr);
	*p = (struct rdma_conn_param){
		.initiator_depth = least(attr.max_qp_init_rd_atom, reads),
		.responder_resources = least(attr.max_qp_rd_atom, served),
		.retry_count = RETRIES,
		.rnr_retry_count = RNR_RETRIES,
	};
}

/* How many reads may be under way. */
static void set_reads(struct hearth_rdma_queue *q, uint8_t reads)
{
	q->reads = reads ? reads : 1;
	if (q->reads > HEARTH_RDMA_MAX_DEPTH)
		q->reads = HEARTH_RDMA_MAX_DEPTH;
}

static uint16_t free_number(const struct hearth_rdma *r, uint16_t wanted)
{
	return wanted < HEARTH_RDMA_MAX_QUEUES && !r->queues[wanted] ? wanted
								     : HEARTH_RDMA_MAX_QUEUES;
}

/* 0, or -errno if this one is not let in. */
static int admit(struct hearth_rdma *r, const struct happening *h)
{
	uint8_t answer[HEARTH_RDMA_ANSWER_BYTES];
	struct hearth_rdma_queue *q = NULL;
	struct hearth_rdma_proof proof;
	struct hearth_rdma_rail *rail;
	struct rdma_conn_param param;
	int ret = hearth_rdma_check_request(h->data, h->len, &r->ticket, r->nonce, &proof);

	if (!ret && free_number(r, proof.number) == HEARTH_RDMA_MAX_QUEUES)
		ret = -EEXIST;
	if (!ret)
		ret = hearth_verbs_add_rail(r, h->id, &rail);
	if (!ret)
		ret = hearth_rdma_queue_add(r, rail, h->id, proof.number, &q);
	if (ret)
		return ret;
	tune(h->id);
	hearth_rdma_put_answer(answer, &proof, &r->ticket, r->nonce);
	fill_param(&param, h->id->verbs, h->reads, h->served);
	set_reads(q, param.initiator_depth);
	param.private_data = answer;
	param.private_data_len = sizeof(answer);
	if (rdma_accept(h->id, &param))
		hearth_rdma_queue_fail(q, "rdma_accept", strerror(errno));
	return 0;
}

static void hear_request(struct hearth_rdma *r, const struct happening *h)
{
	static const uint8_t version[] = { HEARTH_RDMA_VERSION, 0 };

	h->id->context = NULL;
	if (!admit(r, h))
		return;
	rdma_reject(h->id, version, sizeof(version));
	rdma_destroy_id(h->id);
}

/* Proves this end to the other, which has to prove itself by its answer. 0 or -errno. */
static int ask(struct hearth_rdma_queue *q)
{
	const struct hearth_rdma *r = q->bundle;
	uint8_t request[HEARTH_RDMA_REQUEST_BYTES];
	struct rdma_conn_param param;
	int ret;

	q->asked = (struct hearth_rdma_proof){ .version = HEARTH_RDMA_VERSION,
					       .number = q->number,
					       .session = r->ticket.session };
	ret = hearth_random_bytes(q->asked.client_nonce, sizeof(q->asked.client_nonce));
	hearth_rdma_put_request(request, &q->asked, &r->ticket, r->nonce);
	fill_param(&param, q->rail->verbs, 255, 255);
	param.private_data = request;
	param.private_data_len = sizeof(request);
	if (!ret && rdma_connect(q->id, &param))
		ret = -errno;
	return ret;
}

/* 0, or -errno if it is no proof. */
static int take_answer(struct hearth_rdma_queue *q, const struct happening *h)
{
	const struct hearth_rdma *r = q->bundle;
	struct rdma_conn_param own;
	int ret = hearth_rdma_check_answer(h->data, h->len, &q->asked, &r->ticket, r->nonce);

	if (ret)
		return ret;
	fill_param(&own, q->rail->verbs, 255, 255);
	set_reads(q, least(own.initiator_depth, h->reads));
	q->is_unproved = false;
	hearth_rdma_queue_up(q);
	return 0;
}

static void check(struct hearth_rdma_queue *q, const char *call, int err)
{
	if (err)
		hearth_rdma_queue_fail(q, call, strerror(-err));
}

/* The next step of what this end asks for. */
static void go_on(struct hearth_rdma_queue *q, const struct happening *h)
{
	if (q->state != HEARTH_RDMA_CONNECTING)
		return;
	if (h->type == RDMA_CM_EVENT_ADDR_RESOLVED)
		check(q, "rdma_resolve_route", rdma_resolve_route(q->id, RESOLVE_MS) ? -errno : 0);
	else if (h->type == RDMA_CM_EVENT_ROUTE_RESOLVED)
		check(q, "rdma_connect", ask(q));
	else if (q->is_unproved)
		check(q, "rdma_connect", take_answer(q, h));
	else
		hearth_rdma_queue_up(q);
}

static void hear(struct hearth_rdma *r, const struct happening *h)
{
	struct hearth_rdma_queue *q;

	if (!h->id)
		return;
	q = h->id->context;
	if (h->type == RDMA_CM_EVENT_CONNECT_REQUEST) {
		hear_request(r, h);
		return;
	}
	if (!q)
		return;
	switch (h->type) {
	case RDMA_CM_EVENT_ADDR_RESOLVED:
	case RDMA_CM_EVENT_ROUTE_RESOLVED:
	case RDMA_CM_EVENT_ESTABLISHED:
		go_on(q, h);
		break;
	case RDMA_CM_EVENT_DISCONNECTED:
		/* What came before it comes first. */
		hearth_rdma_queue_drain(q);
		hearth_rdma_queue_fail(q, "rdma_get_cm_event", "the far end has disconnected");
		break;
	case RDMA_CM_EVENT_DEVICE_REMOVAL:
		q->rail->is_removed = true;
		hearth_rdma_queue_fail(q, "rdma_get_cm_event", "the device was removed");
		break;
	case RDMA_CM_EVENT_ADDR_ERROR:
	case RDMA_CM_EVENT_ROUTE_ERROR:
	case RDMA_CM_EVENT_CONNECT_ERROR:
	case RDMA_CM_EVENT_UNREACHABLE:
	case RDMA_CM_EVENT_REJECTED:
		hearth_rdma_queue_fail(q, "rdma_get_cm_event", rdma_event_str(h->type));
		break;
	default:
		break;
	}
}

void hearth_rdma_cm_events(struct hearth_rdma *r)
{
	struct pollfd fd = { .fd = r->cm->fd, .events = POLLIN };
	struct happening h = { 0 };

	while (poll(&fd, 1, 0) > 0 && !next_happening(r, &h))
		hear(r, &h);
}

int hearth_verbs_listen(struct rdma_event_channel *cm, struct rdma_cm_id **ret, uint16_t *ret_port,
			char *why)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any };
	struct sockaddr_in four = { .sin_family = AF_INET };

	if (rdma_create_id(cm, ret, NULL, RDMA_PS_TCP))
		return hearth_verbs_fail(why, "rdma_cm", "rdma_create_id", -errno);
	if (rdma_bind_addr(*ret, (struct sockaddr *)&any) &&
	    rdma_bind_addr(*ret, (struct sockaddr *)&four))
		return hearth_verbs_fail(why, "rdma_cm", "rdma_bind_addr", -errno);
	if (rdma_listen(*ret, BACKLOG))
		return hearth_verbs_fail(why, "rdma_cm", "rdma_listen", -errno);
	*ret_port = ntohs(rdma_get_src_port(*ret));
	return 0;
}

int hearth_rdma_listen(struct hearth_rdma *r, uint16_t *ret_port)
{
	return hearth_verbs_listen(r->cm, &r->listener, ret_port, r->why);
}

/* What an answer that was not hoped for means. */
static int error_of(const struct happening *h)
{
	if (h->type == RDMA_CM_EVENT_REJECTED)
		return -ECONNREFUSED;
	if (h->type == RDMA_CM_EVENT_DEVICE_REMOVAL)
		return -ENODEV;
	return h->status < 0 ? h->status : -EHOSTUNREACH;
}

static int await(struct hearth_rdma *r, const struct rdma_cm_id *id,
		 enum rdma_cm_event_type wanted, int ms, struct happening *ret)
{
	struct pollfd fd = { .fd = r->cm->fd, .events = POLLIN };
	uint64_t deadline = hearth_now_ns() + (uint64_t)ms * 1000000;

	for (;;) {
		uint64_t now = hearth_now_ns();
		int err;

		if (now >= deadline || poll(&fd, 1, (int)((deadline - now) / 1000000) + 1) <= 0)
			return -ETIMEDOUT;
		err = next_happening(r, ret);
		if (err == -EAGAIN)
			continue;
		if (err || ret->id == id)
			return err ? err : ret->type == wanted ? 0
							       : error_of(ret);
		hear(r, ret);
	}
}

/* Finds the device that leads there. */
static int resolve(struct hearth_rdma *r, struct rdma_cm_id *id, const struct sockaddr *from,
		   const struct sockaddr *to)
{
	struct happening h = { 0 };
	int ret = 0;

	if (rdma_resolve_addr(id, (struct sockaddr *)from, (struct sockaddr *)to, RESOLVE_MS))
		ret = -errno;
	if (!ret)
		ret = await(r, id, RDMA_CM_EVENT_ADDR_RESOLVED, 2 * RESOLVE_MS, &h);
	if (!ret && !id->verbs)
		ret = -ENODEV;
	if (ret)
		return hearth_verbs_fail(r->why, "rdma_cm", "rdma_resolve_addr", ret);
	tune(id);
	if (rdma_resolve_route(id, RESOLVE_MS))
		ret = -errno;
	if (!ret)
		ret = await(r, id, RDMA_CM_EVENT_ROUTE_RESOLVED, 2 * RESOLVE_MS, &h);
	return ret ? hearth_verbs_fail(r->why, ibv_get_device_name(id->verbs->device),
				       "rdma_resolve_route", ret)
		   : 0;
}

static int join(struct hearth_rdma *r, struct hearth_rdma_queue *q)
{
	struct happening h = { 0 };
	int ret = ask(q);

	if (!ret)
		ret = await(r, q->id, RDMA_CM_EVENT_ESTABLISHED, CONNECT_MS, &h);
	if (!ret)
		ret = take_answer(q, &h);
	return ret ? hearth_verbs_fail(r->why, q->rail->device, "rdma_connect", ret) : 0;
}

static uint16_t next_number(const struct hearth_rdma *r)
{
	uint16_t i = 0;

	while (i < HEARTH_RDMA_MAX_QUEUES && r->queues[i])
		i++;
	return i;
}

static void drop_queue(struct hearth_rdma *r, struct hearth_rdma_queue *q)
{
	r->queues[q->number] = NULL;
	q->state = HEARTH_RDMA_FAILED;
	hearth_rdma_queue_free(q);
}

/* Whether a device has a rail already. */
static bool is_used(const struct hearth_rdma *r, const char *device)
{
	for (uint32_t i = 0; i < r->nr_rails; i++)
		if (!strcmp(r->rails[i].device, device))
			return true;
	return false;
}

/* An address of a device that has no rail; NULL: there is none. */
static const struct sockaddr *unused_place(const struct hearth_rdma *r, sa_family_t family)
{
	for (uint32_t i = 0; i < r->nr_places; i++)
		if (r->places[i].addr.ss_family == family && !is_used(r, r->places[i].device))
			return (const struct sockaddr *)&r->places[i].addr;
	return NULL;
}

/* -EBUSY, with @is_first: the route leads over a device that is used, and another could be. */
static int connect_one(struct hearth_rdma *r, const struct sockaddr *from,
		       const struct sockaddr *to, bool is_first)
{
	struct hearth_rdma_queue *q;
	struct hearth_rdma_rail *rail;
	struct rdma_cm_id *id;
	int ret;

	if (next_number(r) == HEARTH_RDMA_MAX_QUEUES)
		return -ENOSPC;
	if (rdma_create_id(r->cm, &id, NULL, RDMA_PS_TCP))
		return hearth_verbs_fail(r->why, "rdma_cm", "rdma_create_id", -errno);
	ret = resolve(r, id, from, to);
	if (!ret && is_first && unused_place(r, to->sa_family) &&
	    is_used(r, ibv_get_device_name(id->verbs->device)))
		ret = -EBUSY;
	if (!ret)
		ret = hearth_verbs_add_rail(r, id, &rail);
	if (!ret)
		ret = hearth_rdma_queue_add(r, rail, id, next_number(r), &q);
	if (ret) {
		rdma_destroy_id(id);
		return ret;
	}
	ret = join(r, q);
	if (ret)
		drop_queue(r, q);
	return ret;
}

int hearth_rdma_connect(struct hearth_rdma *r, const struct sockaddr_storage *to)
{
	const struct sockaddr *there = (const struct sockaddr *)to, *here;
	int ret = connect_one(r, NULL, there, true);

	if (ret == -EBUSY) {
		here = unused_place(r, to->ss_family);
		ret = connect_one(r, here, there, false);
		if (ret)
			ret = connect_one(r, NULL, there, false);
	}
	return ret;
}

static bool is_live(const struct hearth_rdma_queue *q)
{
	return q && q->state == HEARTH_RDMA_LIVE;
}

/* The address of one that there is, with a port of its own. */
static int bind_beside(struct rdma_cm_id *id, const struct hearth_rdma_queue *first)
{
	const struct sockaddr *local = rdma_get_local_addr(first->id);
	struct sockaddr_storage from = { 0 };

	if (local->sa_family == AF_INET) {
		memcpy(&from, local, sizeof(struct sockaddr_in));
		((struct sockaddr_in *)&from)->sin_port = 0;
	} else {
		memcpy(&from, local, sizeof(struct sockaddr_in6));
		((struct sockaddr_in6 *)&from)->sin6_port = 0;
	}
	if (rdma_bind_addr(id, (struct sockaddr *)&from))
		return -errno;
	return id->verbs == first->rail->verbs ? 0 : -ENODEV;
}

/* One more queue pair from where one is to where that leads; hear() sees to it. 0 or -errno. */
static int connect_beside(struct hearth_rdma *r, const struct hearth_rdma_queue *first)
{
	struct hearth_rdma_queue *q;
	struct rdma_cm_id *id;
	int ret;

	if (next_number(r) == HEARTH_RDMA_MAX_QUEUES ||
	    rdma_create_id(r->cm, &id, NULL, RDMA_PS_TCP))
		return -ENOSPC;
	tune(id);
	ret = bind_beside(id, first);
	if (!ret)
		ret = hearth_rdma_queue_add(r, first->rail, id, next_number(r), &q);
	if (ret) {
		rdma_destroy_id(id);
		return ret;
	}
	q->is_unproved = true;
	check(q, "rdma_resolve_addr",
	      rdma_resolve_addr(id, NULL, rdma_get_peer_addr(first->id), RESOLVE_MS) ? -errno : 0);
	return 0;
}

void hearth_rdma_connect_more(struct hearth_rdma *r, uint32_t nr)
{
	uint32_t nr_first;
	int err = 0;

	pthread_mutex_lock(&r->lock);
	nr_first = r->nr_queues;
	for (uint32_t i = 0; i < nr_first; i++)
		for (uint32_t n = 1; n < nr && !err && is_live(r->queues[i]); n++)
			err = connect_beside(r, r->queues[i]);
	pthread_mutex_unlock(&r->lock);
	hearth_rdma_settle(r, CONNECT_MS);
}
