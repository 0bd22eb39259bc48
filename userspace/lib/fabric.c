// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The queue pair of a session of libhearth, on the side that does everything.
 *
 * A transfer that fails breaks a queue pair, so one whose window had been revoked costs all that
 * were under way; they are done again over another one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/bytes.h"
#include "../common/io.h"
#include "lib.h"

/* As the mover's (rdma_cm.c): a peer that does not acknowledge for 3.8 s is gone. */
#define ACK_TIMEOUT 17
#define RETRIES 6

#define RESOLVE_MS 2000
#define CONNECT_MS 5000

/* Waiting costs a wake-up, so what comes soon is looked for: up to so many times the usual. */
#define SPIN_USUAL 4
#define SPIN_MAX_NS 2000000u

static int fail(struct hearth_session *s, const char *device, const char *call, int err)
{
	return hearth_verbs_fail(s->why, device, call, err);
}

static const char *device_of(const struct rdma_cm_id *id)
{
	return id->verbs ? ibv_get_device_name(id->verbs->device) : "rdma_cm";
}

/* What an answer that was not hoped for means. */
static int error_of(const struct rdma_cm_event *e)
{
	if (e->event == RDMA_CM_EVENT_REJECTED)
		return -ECONNREFUSED;
	if (e->event == RDMA_CM_EVENT_DEVICE_REMOVAL)
		return -ENODEV;
	return e->status < 0 ? e->status : -EHOSTUNREACH;
}

/* The answer's private data goes to @data, if that is wanted. */
static int await_event(struct hearth_fabric *f, enum rdma_cm_event_type wanted, int ms, void *data,
		       size_t size)
{
	struct pollfd fd = { .fd = f->cm->fd, .events = POLLIN };
	struct rdma_cm_event *e;
	int nr, ret;

	do {
		nr = poll(&fd, 1, ms);
	} while (nr < 0 && errno == EINTR);
	if (nr <= 0)
		return nr ? -errno : -ETIMEDOUT;
	if (rdma_get_cm_event(f->cm, &e))
		return -errno;
	ret = e->event == wanted ? 0 : error_of(e);
	if (!ret && size && e->param.conn.private_data_len >= size)
		memcpy(data, e->param.conn.private_data, size);
	else if (!ret && size)
		ret = -EPROTO;
	rdma_ack_cm_event(e);
	return ret;
}

static int resolve(struct hearth_session *s, const struct sockaddr_storage *to)
{
	struct hearth_fabric *f = &s->fabric;
	uint8_t timeout = ACK_TIMEOUT;
	int ret = 0;

	if (rdma_resolve_addr(f->id, NULL, (struct sockaddr *)to, RESOLVE_MS))
		ret = -errno;
	if (!ret)
		ret = await_event(f, RDMA_CM_EVENT_ADDR_RESOLVED, 2 * RESOLVE_MS, NULL, 0);
	if (!ret && !f->id->verbs)
		ret = -ENODEV;
	if (ret)
		return fail(s, "rdma_cm", "rdma_resolve_addr", ret);
	rdma_set_option(f->id, RDMA_OPTION_ID, RDMA_OPTION_ID_ACK_TIMEOUT, &timeout,
			sizeof(timeout));
	if (rdma_resolve_route(f->id, RESOLVE_MS))
		ret = -errno;
	if (!ret)
		ret = await_event(f, RDMA_CM_EVENT_ROUTE_RESOLVED, 2 * RESOLVE_MS, NULL, 0);
	return ret ? fail(s, device_of(f->id), "rdma_resolve_route", ret) : 0;
}

static void drop_domain(struct hearth_session *s)
{
	struct hearth_fabric *f = &s->fabric;

	hearth_buffers_withdraw(s);
	if (f->slots_mr)
		ibv_dereg_mr(f->slots_mr);
	if (f->cq)
		ibv_destroy_cq(f->cq);
	if (f->events)
		ibv_destroy_comp_channel(f->events);
	if (f->pd)
		ibv_dealloc_pd(f->pd);
	f->slots_mr = NULL;
	f->cq = NULL;
	f->events = NULL;
	f->pd = NULL;
	f->verbs = NULL;
}

/* What does not depend on the queue pair, made once for each device. */
static int have_domain(struct hearth_session *s)
{
	struct hearth_fabric *f = &s->fabric;
	const char *device = device_of(f->id);
	size_t bytes = HEARTH_LIB_DEPTH * (size_t)HEARTH_LIB_SLOT_BYTES;

	if (f->verbs == f->id->verbs)
		return 0;
	drop_domain(s);
	f->verbs = f->id->verbs;
	f->pd = ibv_alloc_pd(f->verbs);
	if (!f->pd)
		return fail(s, device, "ibv_alloc_pd", -errno);
	f->events = ibv_create_comp_channel(f->verbs);
	if (!f->events)
		return fail(s, device, "ibv_create_comp_channel", -errno);
	fcntl(f->events->fd, F_SETFL, fcntl(f->events->fd, F_GETFL) | O_NONBLOCK);
	f->cq = ibv_create_cq(f->verbs, 2 * HEARTH_LIB_DEPTH, NULL, f->events, 0);
	if (!f->cq)
		return fail(s, device, "ibv_create_cq", -errno);
	if (!f->slots)
		f->slots = aligned_alloc(4096, bytes);
	f->slots_mr = f->slots ? ibv_reg_mr(f->pd, f->slots, bytes, IBV_ACCESS_LOCAL_WRITE) : NULL;
	if (!f->slots_mr)
		return fail(s, device, "ibv_reg_mr", f->slots ? -errno : -ENOMEM);
	return hearth_buffers_enrol(s);
}

static int make_queue(struct hearth_session *s)
{
	struct hearth_fabric *f = &s->fabric;
	struct ibv_qp_init_attr attr = {
		.send_cq = f->cq,
		.recv_cq = f->cq,
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = 1,
		.cap = { .max_send_wr = HEARTH_LIB_DEPTH,
			 .max_recv_wr = 1,
			 .max_send_sge = 1,
			 .max_recv_sge = 1 },
	};

	if (rdma_create_qp(f->id, f->pd, &attr))
		return fail(s, device_of(f->id), "rdma_create_qp", -errno);
	return 0;
}

/* Both ends prove to each other that they have the session's key. */
static int join(struct hearth_session *s)
{
	struct hearth_fabric *f = &s->fabric;
	uint8_t request[HEARTH_RDMA_REQUEST_BYTES], answer[HEARTH_RDMA_ANSWER_BYTES];
	struct hearth_rdma_proof proof = { .version = HEARTH_RDMA_VERSION,
					   .number = f->number++,
					   .session = s->ticket.session };
	struct ibv_device_attr limits = { 0 };
	struct rdma_conn_param param = { .private_data = request,
					 .private_data_len = sizeof(request),
					 .retry_count = RETRIES,
					 .rnr_retry_count = RETRIES };
	int ret = hearth_random_bytes(proof.client_nonce, sizeof(proof.client_nonce));

	ibv_query_device(f->verbs, &limits);
	param.initiator_depth = HEARTH_LIB_DEPTH;
	if (limits.max_qp_init_rd_atom < (int)HEARTH_LIB_DEPTH)
		param.initiator_depth = (uint8_t)limits.max_qp_init_rd_atom;
	hearth_rdma_put_request(request, &proof, &s->ticket, f->port.nonce);
	if (!ret && rdma_connect(f->id, &param))
		ret = -errno;
	if (!ret)
		ret = await_event(f, RDMA_CM_EVENT_ESTABLISHED, CONNECT_MS, answer, sizeof(answer));
	if (!ret)
		ret = hearth_rdma_check_answer(answer, sizeof(answer), &proof, &s->ticket,
					       f->port.nonce);
	return ret ? fail(s, device_of(f->id), "rdma_connect", ret) : 0;
}

static void drop_queue(struct hearth_fabric *f)
{
	if (f->id && f->id->qp)
		rdma_destroy_qp(f->id);
	if (f->id)
		rdma_destroy_id(f->id);
	if (f->cm)
		rdma_destroy_event_channel(f->cm);
	f->id = NULL;
	f->cm = NULL;
	f->is_live = false;
	f->is_broken = false;
}

/* Over one of the target's addresses. What nobody waits for any more goes with the channel. */
static int connect_to(struct hearth_session *s, const struct sockaddr_storage *to)
{
	struct hearth_fabric *f = &s->fabric;
	int ret;

	f->cm = rdma_create_event_channel();
	if (!f->cm)
		return fail(s, "/dev/infiniband/rdma_cm", "rdma_create_event_channel", -errno);
	if (rdma_create_id(f->cm, &f->id, NULL, RDMA_PS_TCP)) {
		f->id = NULL;
		return fail(s, "rdma_cm", "rdma_create_id", -errno);
	}
	ret = resolve(s, to);
	if (!ret)
		ret = have_domain(s);
	if (!ret)
		ret = make_queue(s);
	return ret ? ret : join(s);
}

static int connect_anywhere(struct hearth_session *s)
{
	struct hearth_fabric *f = &s->fabric;
	int ret = -ENODEV;

	for (uint32_t i = 0; i < f->port.nr && ret; i++) {
		ret = connect_to(s, &f->port.addresses[i]);
		if (ret)
			drop_queue(f);
	}
	f->is_live = !ret;
	return ret;
}

int hearth_fabric_open(struct hearth_session *s)
{
	struct hearth_window_msg told, ask = { .verb = HEARTH_WINDOW_CONNECT };
	struct hearth_rdma_place places[HEARTH_WINDOW_MAX_ADDRESSES];
	uint32_t nr;
	int ret = hearth_verbs_find(places, HEARTH_WINDOW_MAX_ADDRESSES, &nr, s->why);

	if (ret)
		return ret;
	ret = hearth_lib_send(s, &ask);
	if (!ret)
		ret = hearth_lib_hear(s, HEARTH_WINDOW_CONNECT, &told);
	if (!ret && told.status) {
		snprintf(s->why, sizeof(s->why), "at the far end: %.600s", told.text);
		return told.status;
	}
	if (!ret)
		ret = hearth_window_parse_port(&told, &s->fabric.port);
	if (!ret)
		ret = connect_anywhere(s);
	else
		snprintf(s->why, sizeof(s->why), "%s", strerror(-ret));
	if (ret)
		hearth_fabric_close(s);
	return ret;
}

void hearth_fabric_close(struct hearth_session *s)
{
	struct hearth_fabric *f = &s->fabric;

	drop_queue(f);
	drop_domain(s);
	free(f->slots);
	f->slots = NULL;
}

int hearth_fabric_mend(struct hearth_session *s)
{
	struct hearth_fabric *f = &s->fabric;
	struct ibv_wc rest[HEARTH_LIB_DEPTH];

	drop_queue(f);
	while (ibv_poll_cq(f->cq, HEARTH_LIB_DEPTH, rest) > 0)
		;
	s->count.reconnections++;
	return connect_anywhere(s);
}

int hearth_fabric_post(struct hearth_session *s, uint32_t slot, const struct hearth_window *w,
		       bool writes)
{
	struct hearth_fabric *f = &s->fabric;
	struct hearth_transfer *t = &s->transfers[slot];
	uint8_t *own = f->slots + slot * (size_t)HEARTH_LIB_SLOT_BYTES;
	struct ibv_mr *mr = t->is_bounced ? f->slots_mr : hearth_buffer_find(s, t->buf, t->len);
	struct ibv_sge sge = { .addr = (uintptr_t)(t->is_bounced ? own : t->buf),
			       .length = t->len,
			       .lkey = mr->lkey };
	struct ibv_send_wr *bad, wr = {
		.wr_id = slot,
		.sg_list = &sge,
		.num_sge = 1,
		.opcode = writes ? IBV_WR_RDMA_WRITE : IBV_WR_RDMA_READ,
		.wr.rdma = { .remote_addr = t->offset, .rkey = w->key },
	};
	int ret;

	if (t->is_bounced && writes)
		memcpy(own, t->buf, t->len);
	ret = ibv_post_send(f->id->qp, &wr, &bad);
	if (ret)
		f->is_broken = true;
	return -ret;
}

/* One completion, looked for as long as it is worth while. 1, 0 or -errno. */
static int spin(struct hearth_fabric *f, struct ibv_wc *wc)
{
	uint64_t start = hearth_now_ns(), limit = f->usual_ns * SPIN_USUAL;
	int nr;

	if (limit > SPIN_MAX_NS || !limit)
		limit = SPIN_MAX_NS;
	do {
		nr = ibv_poll_cq(f->cq, 1, wc);
		if (nr)
			return nr < 0 ? -EIO : 1;
	} while (hearth_now_ns() - start < limit);
	return 0;
}

/* Sleeps until there is a completion, or the far end has gone. */
static int sleep_for(struct hearth_session *s)
{
	struct hearth_fabric *f = &s->fabric;
	struct pollfd fds[] = { { .fd = f->events->fd, .events = POLLIN },
				{ .fd = s->far.control.in_fd, .events = POLLRDHUP } };
	struct ibv_cq *cq;
	void *ctx;
	int nr;

	do {
		nr = poll(fds, 2, (int)s->cmd.opt.timeout_s * 1000);
	} while (nr < 0 && errno == EINTR);
	if (nr < 0)
		return -errno;
	if (!nr)
		return -ETIMEDOUT;
	if (fds[0].revents && !ibv_get_cq_event(f->events, &cq, &ctx))
		ibv_ack_cq_events(cq, 1);
	/* Its last words say why; if there are none, this does. */
	return fds[1].revents && !fds[0].revents ? -ECONNRESET : 0;
}

static int next_completion(struct hearth_session *s, struct ibv_wc *wc)
{
	struct hearth_fabric *f = &s->fabric;
	int nr = spin(f, wc), ret;

	while (!nr) {
		if (ibv_req_notify_cq(f->cq, 0))
			return -EIO;
		/* What came before that gives no event. */
		nr = ibv_poll_cq(f->cq, 1, wc);
		if (nr)
			break;
		ret = sleep_for(s);
		if (ret)
			return ret;
		nr = ibv_poll_cq(f->cq, 1, wc);
	}
	return nr < 0 ? -EIO : 0;
}

int hearth_fabric_await(struct hearth_session *s, uint32_t *ret_slot, bool *ret_is_good)
{
	struct hearth_fabric *f = &s->fabric;
	uint64_t start = hearth_now_ns();
	struct ibv_wc wc;
	int ret = next_completion(s, &wc);

	if (ret)
		return ret;
	*ret_slot = (uint32_t)wc.wr_id;
	*ret_is_good = wc.status == IBV_WC_SUCCESS;
	f->usual_ns = (7 * f->usual_ns + (hearth_now_ns() - start)) / 8;
	if (!*ret_is_good) {
		f->is_broken = true;
		if (wc.status != IBV_WC_WR_FLUSH_ERR)
			snprintf(s->why, sizeof(s->why), "%s: RDMA at %llu: %s", device_of(f->id),
				 (unsigned long long)s->transfers[*ret_slot].offset,
				 ibv_wc_status_str(wc.status));
	}
	return 0;
}
