/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside libhearth.
 *
 *   session.c  attach and detach, errors in words
 *   ask.c      questions on the control channel, and what comes unasked
 *   window.c   windows: leased, given back, revoked
 *   fabric.c   the queue pair
 *   buffer.c   memory that the device knows
 *   transfer.c reading and writing, over either
 *   put.c      blocks that describe themselves
 *
 * Nothing is heard while transfers are under way: a revocation that comes then shows in
 * their completions, and what it was is read afterwards.
 */
#ifndef HEARTH_LIB_H
#define HEARTH_LIB_H

#include <hearth/client.h>
#include <rdma/rdma_cma.h>

#include "../mover/far.h"
#include "../mover/lun.h"
#include "../mover/rdma_impl.h"
#include "../mover/window_set.h"
#include "../mover/window_wire.h"

#define HEARTH_LIB_DEPTH 16u /* transfers under way */
#define HEARTH_LIB_SLOT_BYTES (64u << 10) /* of the library's own buffer, for each */
#define HEARTH_LIB_MAX_TRANSFER (1u << 20) /* from or to a buffer of the caller's */
#define HEARTH_LIB_ERROR_BYTES 1024

/* A piece of what is to be read or written. */
struct hearth_transfer {
	uint8_t *buf;
	uint64_t offset;
	uint32_t len;
	bool is_bounced; /* goes through the library's buffer */
	enum { HEARTH_TRANSFER_IDLE,
	       HEARTH_TRANSFER_POSTED,
	       HEARTH_TRANSFER_AGAIN } state;
};

struct hearth_fabric {
	struct rdma_event_channel *cm;
	struct rdma_cm_id *id;
	struct ibv_context *verbs; /* whose domain that is */
	struct ibv_pd *pd;
	struct ibv_comp_channel *events;
	struct ibv_cq *cq;
	struct ibv_mr *slots_mr;
	uint8_t *slots;
	uint16_t number; /* of the queue pair: each is another */
	struct hearth_window_port port;
	bool is_live;
	bool is_broken; /* the queue pair has failed; another one may do */
	uint64_t usual_ns; /* how long a transfer has taken of late */
};

struct hearth_buffer {
	uint8_t *memory;
	size_t len;
	struct ibv_mr *mr;
	struct hearth_buffer *next;
};

struct hearth_session {
	struct hearth_command cmd;
	struct hearth_job job;
	struct hearth_far far;
	struct hearth_ticket ticket;
	struct hearth_description lun;
	uint32_t wanted_windows;
	bool may_write;
	bool has_far;
	int lost; /* why nothing can be asked any more; 0: it can */
	bool uses_rdma;
	bool wrote; /* by RDMA, since the last flush */
	uint64_t wrote_at; /* and where last */
	struct hearth_fabric fabric;
	struct hearth_window_set windows;
	struct hearth_buffer *buffers;
	struct hearth_transfer transfers[HEARTH_LIB_DEPTH];
	uint32_t nr_posted;
	struct hearth_statistics count;
	char why[HEARTH_WINDOW_TEXT_BYTES]; /* not RDMA */
	char error[HEARTH_LIB_ERROR_BYTES];
};

/* session.c: keeps the words for hearth_error(); returns @err */
int hearth_lib_fail(struct hearth_session *s, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ask.c: 0, or -errno with the reason kept; a status that the far end told comes back like that */
int hearth_lib_send(struct hearth_session *s, const struct hearth_window_msg *ask);
/* The next answer to @verb, whatever its status. */
int hearth_lib_hear(struct hearth_session *s, enum hearth_window_verb verb,
		    struct hearth_window_msg *ret);
int hearth_lib_ask(struct hearth_session *s, const struct hearth_window_msg *ask,
		   struct hearth_window_msg *ret);
/* Takes in what came unasked, and waits for nothing. 0 or -errno. */
int hearth_lib_listen(struct hearth_session *s);
/* What an ATTACH or INFO told. 0 or -EPROTO. */
int hearth_lib_learn(struct hearth_session *s, const struct hearth_window_msg *told);

/* window.c */
/* The window that has @offset, or NULL: it has to be leased. */
struct hearth_window *hearth_lib_find_window(struct hearth_session *s, uint64_t offset,
					     bool writes);
/* 0; 1: it is refused, so messages will have to do; or -errno. Nothing may be under way. */
int hearth_lib_lease(struct hearth_session *s, uint64_t offset, bool writes);
void hearth_lib_revoked(struct hearth_session *s, uint32_t id);
void hearth_lib_drop_windows(struct hearth_session *s);

/* fabric.c: 0, or -errno with the reason in @why of the session */
int hearth_fabric_open(struct hearth_session *s);
void hearth_fabric_close(struct hearth_session *s);
/* Makes another queue pair in the place of a broken one. */
int hearth_fabric_mend(struct hearth_session *s);
int hearth_fabric_post(struct hearth_session *s, uint32_t slot, const struct hearth_window *w,
		       bool writes);
/* Waits for one to complete: its number, and whether it went well; -errno: the far end is gone. */
int hearth_fabric_await(struct hearth_session *s, uint32_t *ret_slot, bool *ret_is_good);

/* buffer.c */
/* The registration that all of this lies in, or NULL. */
struct ibv_mr *hearth_buffer_find(const struct hearth_session *s, const void *buf, size_t len);
int hearth_buffers_enrol(struct hearth_session *s);
void hearth_buffers_withdraw(struct hearth_session *s);
void hearth_buffers_free(struct hearth_session *s);

/* transfer.c: all of it. 0 or -errno. */
int hearth_lib_transfer(struct hearth_session *s, uint8_t *buf, uint64_t len, uint64_t offset,
			bool writes);

#endif
