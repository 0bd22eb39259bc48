/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other way round: where the far end's port cannot be reached, the client
 * opens one, says so on the control channel (REVERSE), and the far end connects
 * to it, at the address that the client came from and no other. It answers with
 * REVERSED: nothing, or why it could not.
 */
#ifndef HEARTH_REVERSE_H
#define HEARTH_REVERSE_H

#include "session.h"

/*
 * The client: opens a port of the range, and waits for the streams. 0, with the port still open for
 * more; or -errno with the reason in @why; then none of the streams is there.
 */
int hearth_reverse_ask(struct hearth_control *c, const struct hearth_ticket *t, uint16_t port_low,
		       uint16_t port_high, uint32_t nr_streams, struct hearth_stream **streams,
		       uint16_t *ret_port, int *ret_listen_fd, char *why, size_t size);

/* The far end, while it waits for the client to come. */
struct hearth_reverse {
	uint16_t port; /* that the streams were connected to; 0: it has not come to that */
	struct hearth_control *control;
	const struct hearth_ticket *ticket;
	const char *client; /* its address; empty: unknown */
	uint32_t nr_streams;
	struct hearth_stream **streams;
};

/* For struct hearth_supply: one more. */
int hearth_reverse_dial(void *ctx, uint32_t number, struct hearth_stream **ret);

/* For struct hearth_word: takes what the client says, if it is about this. */
int hearth_reverse_heard(void *ctx);

#endif
