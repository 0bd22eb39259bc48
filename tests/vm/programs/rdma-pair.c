// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two queue pairs of one RDMA device; see rdma-pair.h.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "rdma-pair.h"

#define PORT 1
#define ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

static struct ibv_context *context;
static struct ibv_pd *pd;
static struct ibv_cq *cq;
static struct ibv_qp *qps[2];
static union ibv_gid gid;
static int gid_index;

void pair_open(const char *name)
{
	int nr = 0;
	struct ibv_device **list = ibv_get_device_list(&nr);

	for (int i = 0; i < nr && !context; i++) {
		if (!strcmp(ibv_get_device_name(list[i]), name))
			context = ibv_open_device(list[i]);
	}
	if (!context)
		errx(1, "%s: no such RDMA device", name);
	pd = ibv_alloc_pd(context);
	cq = ibv_create_cq(context, 16, NULL, NULL, 0);
	if (!pd || !cq)
		err(1, "%s", name);
	/* the one of an IPv4 address */
	for (gid_index = 0; gid_index < 16; gid_index++) {
		if (!ibv_query_gid(context, PORT, gid_index, &gid) && gid.raw[10] == 0xff &&
		    gid.raw[11] == 0xff)
			return;
	}
	errx(1, "%s: no address", name);
}

static void make_qp(int i)
{
	struct ibv_qp_init_attr attr = {
		.send_cq = cq, .recv_cq = cq, .qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 4, .max_recv_wr = 4, .max_send_sge = 1, .max_recv_sge = 1 },
	};

	qps[i] = ibv_create_qp(pd, &attr);
	if (!qps[i])
		err(1, "queue pair");
}

static void connect_qp(int i)
{
	struct ibv_qp_attr init = { .qp_state = IBV_QPS_INIT, .port_num = PORT,
				    .qp_access_flags = ACCESS };
	struct ibv_qp_attr rtr = {
		.qp_state = IBV_QPS_RTR, .path_mtu = IBV_MTU_1024,
		.dest_qp_num = qps[!i]->qp_num, .max_dest_rd_atomic = 1, .min_rnr_timer = 12,
		.ah_attr = { .is_global = 1, .port_num = PORT,
			     .grh = { .dgid = gid, .sgid_index = (uint8_t)gid_index,
				      .hop_limit = 1 } },
	};
	struct ibv_qp_attr rts = { .qp_state = IBV_QPS_RTS, .timeout = 18, .retry_cnt = 7,
				   .rnr_retry = 7, .max_rd_atomic = 1 };

	if (ibv_modify_qp(qps[i], &init, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			  IBV_QP_ACCESS_FLAGS) ||
	    ibv_modify_qp(qps[i], &rtr, IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
			  IBV_QP_DEST_QPN | IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
			  IBV_QP_MIN_RNR_TIMER) ||
	    ibv_modify_qp(qps[i], &rts, IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
			  IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC))
		err(1, "connecting a queue pair");
}

void pair_transfer(enum ibv_wr_opcode opcode, struct ibv_mr *local, struct ibv_mr *remote,
		   uint64_t remote_address, uint32_t len)
{
	struct ibv_sge sge = { .addr = (uintptr_t)local->addr, .length = len,
			       .lkey = local->lkey };
	struct ibv_send_wr *bad, wr = {
		.sg_list = &sge, .num_sge = 1, .opcode = opcode, .send_flags = IBV_SEND_SIGNALED,
		.wr.rdma = { .remote_addr = remote_address, .rkey = remote->rkey },
	};
	struct ibv_wc wc;
	int n;

	if (ibv_post_send(qps[0], &wr, &bad))
		err(1, "posting");
	while (!(n = ibv_poll_cq(cq, 1, &wc)))
		;
	if (n < 0 || wc.status != IBV_WC_SUCCESS)
		errx(1, "moving bytes: %s", n < 0 ? "no completion" : ibv_wc_status_str(wc.status));
}

void *pair_memory(size_t len)
{
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "memory");
	return memory;
}

struct ibv_mr *pair_register(void *memory, size_t len)
{
	struct ibv_mr *mr = ibv_reg_mr(pd, memory, len, ACCESS);

	if (!mr)
		err(1, "ibv_reg_mr");
	return mr;
}

void pair_connect(void)
{
	for (int i = 0; i < 2; i++)
		make_qp(i);
	for (int i = 0; i < 2; i++)
		connect_qp(i);
}
