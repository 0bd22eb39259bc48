/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which way blocks go: what was asked for, and what came of it. */
#ifndef HEARTH_ROUTE_H
#define HEARTH_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#define HEARTH_RDMA_MAX_RAILS 8
#define HEARTH_RDMA_DEVICE_BYTES 64
#define HEARTH_RDMA_WHY_BYTES 512

/* What carries the blocks: --transport. */
enum hearth_transport {
	HEARTH_TRANSPORT_AUTO, /* RDMA where both ends have it, else TCP */
	HEARTH_TRANSPORT_TCP,
	HEARTH_TRANSPORT_RDMA,
	HEARTH_NR_TRANSPORTS,
};

enum hearth_rdma_mode {
	HEARTH_RDMA_MODE_AUTO, /* by the length of the path */
	HEARTH_RDMA_MODE_READ,
	HEARTH_RDMA_MODE_WRITE,
	HEARTH_NR_RDMA_MODES,
};

/* What was chosen, for the summary. */
struct hearth_route {
	const char *transport; /* "tcp", "rdma"; NULL: nothing left the machine */
	char why[HEARTH_RDMA_WHY_BYTES]; /* it is not RDMA; may be empty */
	const char *mode; /* of RDMA */
	const char *keys; /* what opens memory to the peer */
	uint32_t depth; /* of reads, or slots, of a queue pair */
	uint32_t nr_queues;
	uint64_t rtt_ns;
	uint32_t nr_rails;
	struct {
		char device[HEARTH_RDMA_DEVICE_BYTES];
		uint64_t bytes;
		bool has_failed;
	} rails[HEARTH_RDMA_MAX_RAILS];
};

#endif
