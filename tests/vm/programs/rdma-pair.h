/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two queue pairs of one RDMA device, connected to each other, for tests of what is registered.
 */
#ifndef RDMA_PAIR_H
#define RDMA_PAIR_H

#include <infiniband/verbs.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Registered behind what is transferred: where a transfer ends with the last of 256 pages,
 * Soft-RoCE in Linux 6.1 looks at the next 256 already (rxe_mr_copy(), as KASAN says), so let them
 * be there.
 */
#define SPARE 4096

/* Each ends the program with a message if it fails. */
void pair_open(const char *device);
void pair_connect(void);
struct ibv_mr *pair_register(void *memory, size_t len);
void pair_transfer(enum ibv_wr_opcode opcode, struct ibv_mr *local, struct ibv_mr *remote,
		   uint64_t remote_address, uint32_t len);
void *pair_memory(size_t len);

#endif /* RDMA_PAIR_H */
