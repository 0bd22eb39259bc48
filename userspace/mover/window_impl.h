/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server's side of a session that reads, and perhaps writes, a LUN from afar.
 *
 * A session is one process and one thread. It has the LUN's node open, and maps and
 * registers the windows that the client asks for: what the client's device reads by
 * RDMA is the memory that initiators are served from, and no CPU here takes part. A
 * region's remote address is the byte of the LUN, so a key that is void, and was given
 * out again, gets at nothing but those same bytes.
 *
 * A window goes when the client gives it back, when the session has as many as it may
 * (the least recently used one goes), when little of what may be mapped of the LUN is
 * left, and when the LUN goes: the region is deregistered at once, whatever the client
 * does. A transfer that comes too late breaks the queue pair; the client makes
 * another one, which this side takes in like the first.
 *
 *   window.c        the session: what is asked, and what happens
 *   window_lease.c  windows: mapped, registered, given back, revoked
 *   window_fabric.c the queue pair
 *   window_lun.c    the LUN's node
 *   window_set.c    the order in which they were used
 *   window_wire.c   messages in bytes
 */
#ifndef HEARTH_WINDOW_IMPL_H
#define HEARTH_WINDOW_IMPL_H

#include <rdma/rdma_cma.h>

#include "rdma_impl.h"
#include "window.h"
#include "window_lun.h"
#include "window_set.h"
#include "window_wire.h"

/* The side of the fabric that only waits. */
struct hearth_window_fabric {
	struct rdma_event_channel *cm; /* NULL: no RDMA was asked for, or it cannot be had */
	struct rdma_cm_id *listener;
	struct rdma_cm_id *id; /* with its queue pair; NULL: none is there */
	struct ibv_context *verbs; /* whose protection domain that is */
	struct ibv_pd *pd;
	struct ibv_cq *cq;
	struct hearth_window_port port;
	char why[HEARTH_RDMA_WHY_BYTES];
};

struct hearth_window_session {
	struct hearth_control *control;
	struct hearth_ticket ticket;
	struct hearth_window_lun lun;
	struct hearth_window_fabric fabric;
	struct hearth_window_set windows;
	uint64_t lease_bytes; /* that it may have */
	uint64_t window_bytes;
	uint32_t next_id;
	bool may_write;
	bool has_unmapped; /* lately: the kernel may still count it */
	bool is_over; /* nothing more can be asked */
};

/* window_fabric.c */
int hearth_window_fabric_open(struct hearth_window_session *s);
void hearth_window_fabric_close(struct hearth_window_session *s);
void hearth_window_fabric_events(struct hearth_window_session *s);
/* Registers it; 0, or -errno with the reason in the fabric's @why. */
int hearth_window_fabric_register(struct hearth_window_session *s, struct hearth_window *w);

/* window_lease.c */
/* 0, or -errno with the reason in @reply. */
int hearth_window_lease(struct hearth_window_session *s, const struct hearth_window_msg *ask,
			struct hearth_window_msg *reply);
void hearth_window_release(struct hearth_window_session *s, uint32_t id);
/* Void from now on; with @tells the client hears of it. */
void hearth_window_revoke(struct hearth_window_session *s, struct hearth_window *w, bool tells);
void hearth_window_revoke_all(struct hearth_window_session *s, bool tells);

#endif
