// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A LUN's mapping as memory that an RDMA device reads and writes.
 *
 *     rdma-map DEVICE NODE OFFSET MIB
 *
 * Registers the mapping, unmaps and closes it, and then has another queue pair write a pattern into
 * the memory region and read it back. Prints "alive", waits for a line, reads once more, prints the
 * first byte, and ends.
 */
#include <err.h>
#include <fcntl.h>
#include <infiniband/verbs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PORT 1
/*
 * Registered behind what is transferred: where a transfer ends with the last of 256 pages,
 * Soft-RoCE in Linux 6.1 looks at the next 256 already (rxe_mr_copy(), as KASAN says), so let them
 * be there.
 */
#define SPARE 4096
#define ACCESS (IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ)

static struct ibv_context *context;
static struct ibv_pd *pd;
static struct ibv_cq *cq;
static struct ibv_qp *qps[2];
static union ibv_gid gid;
static int gid_index;

static void open_device(const char *name)
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

static void transfer(enum ibv_wr_opcode opcode, struct ibv_mr *local, struct ibv_mr *remote,
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

static void *anonymous(size_t len)
{
	void *memory = mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		err(1, "memory");
	return memory;
}

static struct ibv_mr *enrol(void *memory, size_t len)
{
	struct ibv_mr *mr = ibv_reg_mr(pd, memory, len, ACCESS);

	if (!mr)
		err(1, "ibv_reg_mr");
	return mr;
}

int main(int argc, char **argv)
{
	size_t len = argc == 5 ? strtoull(argv[4], NULL, 0) << 20 : 0;
	uint8_t *window, *memory;
	struct ibv_mr *mr, *own;
	uint64_t address;
	char line[16];
	int fd;

	if (!len)
		errx(2, "give DEVICE NODE OFFSET MIB");
	open_device(argv[1]);
	fd = open(argv[2], O_RDWR);
	if (fd < 0)
		err(1, "%s", argv[2]);
	window = mmap(NULL, len + SPARE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      (off_t)strtoull(argv[3], NULL, 0));
	if (window == MAP_FAILED)
		err(1, "mmap");
	memory = anonymous(len + SPARE);
	mr = enrol(window, len + SPARE);
	own = enrol(memory, len + SPARE);
	address = (uintptr_t)window;
	/* the region outlives both */
	munmap(window, len + SPARE);
	close(fd);
	for (int i = 0; i < 2; i++)
		make_qp(i);
	for (int i = 0; i < 2; i++)
		connect_qp(i);
	for (size_t i = 0; i < len; i++)
		memory[i] = (uint8_t)(i * 7 + i / 4096);
	transfer(IBV_WR_RDMA_WRITE, own, mr, address, (uint32_t)len);
	memset(memory, 0, len);
	transfer(IBV_WR_RDMA_READ, own, mr, address, (uint32_t)len);
	for (size_t i = 0; i < len; i++) {
		if (memory[i] != (uint8_t)(i * 7 + i / 4096))
			errx(1, "byte %zu came back as %u", i, memory[i]);
	}
	puts("alive");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		errx(1, "nobody said anything");
	/* what is there now, whoever wrote it */
	transfer(IBV_WR_RDMA_READ, own, mr, address, (uint32_t)len);
	printf("%02x\n", memory[0]);
	return 0; /* the kernel deregisters */
}
