/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How two ends agree on RDMA, on the control channel.
 *
 *   client  ASK    u16 version, u8 mode, u8 queue pairs of a rail, u8 whether order is kept
 *   server  OFFER  why not, or u16 port, u64 bytes that it may register, nonce, u8 number of
 *                  addresses: u8 family (4, 6), 16 bytes
 *   client         connects a queue pair to each address, measures the way there and back, and
 *                  connects more where it has use for them
 *   client  GO     u8 how many there are (0: none), u8 mode, u32 length of a block, u64 bytes of
 *                  all
 *   server  SET    why not, or why it turned the client away; or nothing: all of them are there
 *   client         connects one TCP stream for when all else fails, or
 *   client  ALONE  cannot
 *
 * What fails before SET leaves both ends where they were before ASK: the server
 * still waits for the client's TCP streams.
 */
#ifndef HEARTH_RAILS_H
#define HEARTH_RAILS_H

#include "rdma.h"

/* The client: 0, or -errno with the reason in the plan's @why. */
int hearth_rails_ask(struct hearth_control *c, const struct hearth_rdma_plan *plan,
		     struct hearth_rdma **ret);
int hearth_rails_alone(struct hearth_control *c);

/* The server, while it waits for the client to come. */
struct hearth_rails {
	struct hearth_control *control;
	const struct hearth_rdma_plan *plan; /* but for what the client says */
	int listen_fd; /* for TCP */
	struct hearth_stream **streams;
	struct hearth_rdma *rdma; /* what came of it */
};

/*
 * For struct hearth_word, once its frame was received: HEARTH_WORD_MORE if nothing came of it, 1 if
 * the streams are there, or -errno.
 */
int hearth_rails_heard(struct hearth_rails *v, const struct hearth_frame *f);

#endif
