// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The queue pair of a session with windows, on the side that only waits: the client's device does
 * all, no message is ever sent over it.
 *
 * Its protection domain is the session's own, so no other session's queue pair gets at the
 * windows, whatever key it names.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "../common/io.h"
#include "window_impl.h"

#define RETRIES 6

static int fail(struct hearth_window_fabric *f, const char *device, const char *call)
{
	return hearth_verbs_fail(f->why, device, call, -errno);
}

static int listen_somewhere(struct hearth_window_fabric *f)
{
	f->cm = rdma_create_event_channel();
	if (!f->cm)
		return fail(f, "/dev/infiniband/rdma_cm", "rdma_create_event_channel");
	return hearth_verbs_listen(f->cm, &f->listener, &f->port.port, f->why);
}

int hearth_window_fabric_open(struct hearth_window_session *s)
{
	struct hearth_window_fabric *f = &s->fabric;
	struct hearth_rdma_place places[HEARTH_WINDOW_MAX_ADDRESSES];
	int ret;

	if (f->cm)
		return 0;
	ret = hearth_verbs_find(places, HEARTH_WINDOW_MAX_ADDRESSES, &f->port.nr, f->why);
	if (!ret)
		ret = hearth_random_bytes(f->port.nonce, sizeof(f->port.nonce));
	if (!ret)
		ret = listen_somewhere(f);
	for (uint32_t i = 0; i < f->port.nr && !ret; i++)
		f->port.addresses[i] = places[i].addr;
	if (ret)
		hearth_window_fabric_close(s);
	return ret;
}

static void drop_queue(struct hearth_window_fabric *f)
{
	if (!f->id)
		return;
	if (f->id->qp)
		rdma_destroy_qp(f->id);
	rdma_destroy_id(f->id);
	f->id = NULL;
}

/* Windows are registered in the domain, so they go first. */
static void drop_domain(struct hearth_window_session *s, bool tells)
{
	struct hearth_window_fabric *f = &s->fabric;

	hearth_window_revoke_all(s, tells);
	if (f->cq)
		ibv_destroy_cq(f->cq);
	if (f->pd)
		ibv_dealloc_pd(f->pd);
	f->cq = NULL;
	f->pd = NULL;
	f->verbs = NULL;
}

void hearth_window_fabric_close(struct hearth_window_session *s)
{
	struct hearth_window_fabric *f = &s->fabric;

	drop_queue(f);
	drop_domain(s, false);
	if (f->listener)
		rdma_destroy_id(f->listener);
	if (f->cm)
		rdma_destroy_event_channel(f->cm);
	f->listener = NULL;
	f->cm = NULL;
}

/* Of the device that the connection came over, which may be another one than before. */
static int have_domain(struct hearth_window_session *s, struct ibv_context *verbs)
{
	struct hearth_window_fabric *f = &s->fabric;
	const char *device = ibv_get_device_name(verbs->device);

	if (f->verbs == verbs)
		return 0;
	drop_domain(s, true);
	f->pd = ibv_alloc_pd(verbs);
	if (!f->pd)
		return fail(f, device, "ibv_alloc_pd");
	f->cq = ibv_create_cq(verbs, 2, NULL, NULL, 0);
	if (!f->cq)
		return fail(f, device, "ibv_create_cq");
	f->verbs = verbs;
	return 0;
}

static int accept_queue(struct hearth_window_session *s, struct rdma_cm_id *id,
			const struct rdma_conn_param *asked, const struct hearth_rdma_proof *proof)
{
	struct hearth_window_fabric *f = &s->fabric;
	const char *device = ibv_get_device_name(id->verbs->device);
	struct ibv_qp_init_attr attr = {
		.send_cq = f->cq,
		.recv_cq = f->cq,
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 1, .max_recv_wr = 1, .max_send_sge = 1, .max_recv_sge = 1 },
	};
	uint8_t answer[HEARTH_RDMA_ANSWER_BYTES];
	struct ibv_device_attr limits = { 0 };
	struct rdma_conn_param param = { .private_data = answer,
					 .private_data_len = sizeof(answer),
					 .retry_count = RETRIES,
					 .rnr_retry_count = RETRIES };

	if (rdma_create_qp(id, f->pd, &attr))
		return fail(f, device, "rdma_create_qp");
	ibv_query_device(id->verbs, &limits);
	/* What this end serves is what that end may have under way. */
	param.responder_resources = asked->responder_resources;
	if (param.responder_resources > limits.max_qp_rd_atom)
		param.responder_resources = (uint8_t)limits.max_qp_rd_atom;
	hearth_rdma_put_answer(answer, proof, &s->ticket, f->port.nonce);
	if (!rdma_accept(id, &param))
		return 0;
	fail(f, device, "rdma_accept");
	rdma_destroy_qp(id);
	return -ECONNABORTED;
}

/* The one that there was is of no use any more: the client has one at a time. */
static void hear_request(struct hearth_window_session *s, struct rdma_cm_id *id,
			 const struct rdma_conn_param *asked)
{
	static const uint8_t version[] = { HEARTH_RDMA_VERSION, 0 };
	struct hearth_rdma_proof proof;
	int ret = hearth_rdma_check_request(asked->private_data, asked->private_data_len,
					    &s->ticket, s->fabric.port.nonce, &proof);

	if (!ret) {
		drop_queue(&s->fabric);
		ret = have_domain(s, id->verbs);
	}
	if (!ret)
		ret = accept_queue(s, id, asked, &proof);
	if (!ret) {
		s->fabric.id = id;
		return;
	}
	rdma_reject(id, version, sizeof(version));
	rdma_destroy_id(id);
}

/* An event, copied, so that it can be acknowledged before its connection goes. */
struct happening {
	enum rdma_cm_event_type type;
	struct rdma_cm_id *id;
	struct rdma_conn_param param;
	uint8_t data[HEARTH_RDMA_REQUEST_BYTES];
};

static void copy_request(struct happening *h, const struct rdma_cm_event *e)
{
	h->param = e->param.conn;
	if (!h->param.private_data || h->param.private_data_len < sizeof(h->data)) {
		h->param.private_data_len = 0;
	} else {
		memcpy(h->data, e->param.conn.private_data, sizeof(h->data));
		h->param.private_data_len = sizeof(h->data);
	}
	h->param.private_data = h->data;
}

static bool next_happening(struct hearth_window_fabric *f, struct happening *ret)
{
	struct pollfd fd = { .fd = f->cm->fd, .events = POLLIN };
	struct rdma_cm_event *e;

	if (poll(&fd, 1, 0) <= 0 || rdma_get_cm_event(f->cm, &e))
		return false;
	*ret = (struct happening){ .type = e->event, .id = e->id };
	if (e->event == RDMA_CM_EVENT_CONNECT_REQUEST)
		copy_request(ret, e);
	rdma_ack_cm_event(e);
	return true;
}

void hearth_window_fabric_events(struct hearth_window_session *s)
{
	struct hearth_window_fabric *f = &s->fabric;
	struct happening h;

	while (f->cm && next_happening(f, &h)) {
		h.param.private_data = h.data;
		if (h.type == RDMA_CM_EVENT_CONNECT_REQUEST)
			hear_request(s, h.id, &h.param);
		else if (h.id != f->id)
			continue;
		if (h.type == RDMA_CM_EVENT_DISCONNECTED || h.type == RDMA_CM_EVENT_DEVICE_REMOVAL)
			drop_queue(f);
		if (h.type == RDMA_CM_EVENT_DEVICE_REMOVAL)
			drop_domain(s, true);
	}
}

int hearth_window_fabric_register(struct hearth_window_session *s, struct hearth_window *w)
{
	struct hearth_window_fabric *f = &s->fabric;
	int access = IBV_ACCESS_REMOTE_READ, err;

	if (w->is_writable)
		access |= IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE;
	w->region = ibv_reg_mr_iova(f->pd, w->memory, w->len, w->offset, access);
	if (w->region)
		return 0;
	err = -errno;
	return hearth_verbs_fail(f->why, ibv_get_device_name(f->verbs->device), "ibv_reg_mr", err);
}
