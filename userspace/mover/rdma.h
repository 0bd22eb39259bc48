/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams over RDMA.
 *
 * The queue pairs of a session, over one or several devices (rails), are one
 * bundle. The engine sees streams (transport.h), any of which can carry any block:
 * which queue pair a block goes over is chosen when it is sent, and chosen again if
 * that one fails. When the last has failed, blocks go over a spare TCP stream.
 *
 *   rdma_wire.c   messages and proofs in bytes
 *   verbs.c       devices, and what is registered with them; errors and remedies
 *   rdma_cm.c     connections
 *   rdma_queue.c  one queue pair: credits, messages, completions
 *   rdma_source.c the end that has the blocks
 *   rdma_sink.c   the end that gets them
 *   rdma_land.c   into the pool, or straight into a LUN
 *   rdma.c        the bundle and its thread
 *   rdma_shape.c  what the path makes of it: mode, messages, memory
 *   rdma_stream.c its streams
 *   rails.c       how two ends agree on it on the control channel
 *
 * *READ*: the sender offers a block, the receiver reads it out of the sender's
 * memory and releases it then. As many reads are under way as both devices allow.
 * Each asks for a piece of a long block: what a device is asked for it sends without a
 * pause, and a queue on the way that cannot hold that drops some of it.
 * *WRITE*: the receiver says ahead where blocks may be put, the sender writes them
 * there; a path may be as long as it likes.
 */
#ifndef HEARTH_RDMA_H
#define HEARTH_RDMA_H

#include "route.h"
#include "session.h"
#include "transport.h"

#define HEARTH_RDMA_MAX_QUEUES 64

/*
 * Queue pairs of a rail, unless --streams says otherwise. A device may bound what one has under
 * way (Soft-RoCE: 128 packets): a read asks for more than that at once, and a long path takes what
 * several write.
 */
#define HEARTH_RDMA_READ_PER_RAIL 2
#define HEARTH_RDMA_WRITTEN_PER_RAIL 8

struct hearth_rdma;

/* Whether this machine has a device at all, of whatever use. */
bool hearth_rdma_has_device(void);

struct hearth_rdma_plan {
	const struct hearth_ticket *ticket;
	bool is_sender;
	bool keeps_order; /* one queue pair, and nothing instead of it */
	uint32_t nr_streams;
	uint32_t read_per_rail; /* queue pairs */
	uint32_t written_per_rail;
	enum hearth_rdma_mode mode;
	uint32_t block_bytes; /* at least; */
	bool may_lengthen; /* nobody said how long: near, too, longer ones may be better */
	uint64_t memory_bytes; /* that may be locked for blocks; 0: as the path has use for it */
	char *why; /* HEARTH_RDMA_WHY_BYTES for the reason of a failure */
};

/* An end that finds addresses of its own: a pool, registered. 0, or -errno with the reason. */
int hearth_rdma_create(const struct hearth_rdma_plan *plan, struct hearth_rdma **ret);

/* The plan's streams; the last one that is freed frees the bundle. 0 or -ENOMEM. */
int hearth_rdma_streams(struct hearth_rdma *r, struct hearth_stream **streams);

/* Gives up a bundle whose streams were not taken. */
void hearth_rdma_free(struct hearth_rdma *r);

/* Blocks that its streams take and give. */
struct hearth_pool *hearth_rdma_pool(struct hearth_rdma *r);

/* The job that hears of failed rails; NULL: none yet, or none any more. */
void hearth_rdma_set_job(struct hearth_rdma *r, struct hearth_job *job);

/* Takes over a TCP stream for when all else has failed. 0 or -ENOMEM. */
int hearth_rdma_set_spare(struct hearth_rdma *r, struct hearth_stream *spare);

void hearth_rdma_describe(struct hearth_rdma *r, struct hearth_route *ret);

#endif
