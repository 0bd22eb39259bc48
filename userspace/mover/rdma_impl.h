/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the streams over RDMA.
 *
 * One mutex guards a bundle and everything in it. A thread of the bundle waits for
 * the devices and the connection manager and does all that follows from what they
 * say; the engine's threads post sends and take out what has arrived. Nothing under
 * the mutex waits, but for a queue pair to be destroyed.
 *
 * *Credits.* A message needs a receive that the peer has posted. Each end starts with
 * the number of receives of the other as credits; a message says how many were posted
 * anew since the last one. The last credit is only spent on such an update, which is
 * due when half of the receives are owed: so neither can run out of credits without
 * the other being able to give it some.
 */
#ifndef HEARTH_RDMA_IMPL_H
#define HEARTH_RDMA_IMPL_H

#include <infiniband/verbs.h>
#include <pthread.h>
#include <rdma/rdma_cma.h>

#include "adapt.h"
#include "rdma.h"
#include "rdma_wire.h"
#include "work.h"

#define HEARTH_RDMA_RECVS 64u /* also of the peer: part of the protocol */
#define HEARTH_RDMA_SENDS 64u
#define HEARTH_RDMA_MAX_NEWS 4
#define HEARTH_RDMA_SILENCE_MS 500 /* after that a peer is probed */
#define HEARTH_RDMA_DEAD_MS 3800 /* what is not acknowledged by then has no way there */
#define HEARTH_RDMA_SLOWEST 10000000 /* bytes a second that a rail moves, if it does */
#define HEARTH_RDMA_MAX_DEPTH 64u /* blocks under way, or slots, of one queue pair */
#define HEARTH_RDMA_FIRST_DEPTH 4u /* to begin with */
#define HEARTH_RDMA_LEAST_DEPTH 2u
#define HEARTH_RDMA_MAX_READS 8u /* under way, of one queue pair: pieces of blocks */
#define HEARTH_RDMA_MAX_OFFERS 256u /* of one queue pair */
/* And a probe, and windows. */
#define HEARTH_RDMA_SQ \
	(HEARTH_RDMA_SENDS + 2 * HEARTH_RDMA_MAX_DEPTH + 1 + HEARTH_POOL_MAX_CHUNKS)

/* An address of this end that a device has. */
struct hearth_rdma_place {
	struct sockaddr_storage addr;
	char device[HEARTH_RDMA_DEVICE_BYTES];
};

struct hearth_rdma_rail {
	struct ibv_context *verbs; /* the connection manager's own */
	char device[HEARTH_RDMA_DEVICE_BYTES];
	uint8_t port;
	struct ibv_pd *pd;
	struct ibv_mr *mrs[HEARTH_POOL_MAX_CHUNKS]; /* of the pool */
	int access; /* of the peer to it, as it is registered */
	bool has_windows; /* of type 2, which open the pool to one queue pair alone */
	struct ibv_comp_channel *events;
	uint64_t bytes; /* of payload */
	uint32_t nr_live;
	bool has_failed;
	bool is_removed;
};

enum hearth_rdma_state {
	HEARTH_RDMA_UNUSED,
	HEARTH_RDMA_CONNECTING,
	HEARTH_RDMA_LIVE,
	HEARTH_RDMA_FAILED,
};

/* A block that is on its way here. */
struct hearth_rdma_arrival {
	struct hearth_rdma_msg msg;
	uint8_t head[HEARTH_RDMA_INLINE_HEAD];
	struct hearth_block *block;
	uint32_t key; /* of where it lands */
	uint32_t asked; /* bytes that were asked for */
	uint32_t nr_parts; /* reads under way */
	uint64_t since_ns; /* when it was asked for */
};

struct hearth_rdma_queue {
	struct hearth_rdma *bundle;
	struct hearth_rdma_rail *rail;
	struct rdma_cm_id *id;
	struct ibv_cq *cq;
	struct ibv_mr *mr; /* of @memory */
	/* Through which the peer sees the pool, NULL: it is the rail's; and the keys of it. */
	struct ibv_mw *windows[HEARTH_POOL_MAX_CHUNKS];
	uint32_t keys[HEARTH_POOL_MAX_CHUNKS];
	uint8_t *memory; /* messages: receives, then sends */
	uint16_t number;
	enum hearth_rdma_state state;
	uint32_t reads; /* under way, as both devices allow */
	uint32_t most; /* blocks under way, in the mode that was chosen, */
	uint32_t depth; /* and what of it is used now */
	uint32_t credits;
	uint32_t owed;
	uint32_t nr_idle_sends;
	uint16_t idle_sends[HEARTH_RDMA_SENDS];
	struct hearth_rdma_proof asked; /* the client's */
	bool is_unproved; /* the far end has yet to answer it */
	uint64_t echo; /* that came back */
	uint64_t heard_ns; /* when the peer said something last */
	uint32_t nr_out; /* requests that have not completed, */
	uint64_t moved_ns; /* and when one did, or was the first */
	bool has_sent_fin;
	bool is_fin_out; /* the peer's device has it */
	bool has_finished; /* the peer sends no more */

	/* the sender's */
	uint32_t nr_offers; /* not released */
	struct hearth_rdma_msg slots[HEARTH_RDMA_MAX_DEPTH];
	uint32_t nr_slots;

	/* the receiver's */
	struct hearth_rdma_arrival *offers; /* a ring */
	uint32_t first_offer;
	uint32_t nr_waiting;
	struct hearth_rdma_arrival *arrivals; /* being read, or slots that were told */
	uint32_t nr_arrivals;
	struct hearth_rdma_arrival *begun; /* of which not all was asked for */
	uint32_t nr_reads; /* under way */
	uint32_t released[HEARTH_RDMA_MAX_OFFERS];
	uint32_t nr_released;
};

/* What is remembered of each block of the pool. */
struct hearth_rdma_parcel {
	struct hearth_rdma_queue *queue; /* the sender: that it went over; NULL: none has it */
	uint8_t tag[HEARTH_SEAL_TAG_BYTES];
	bool is_sealed;
	bool is_spare; /* the receiver: it came over TCP, and is parsed */
};

struct hearth_rdma {
	struct hearth_rdma_plan plan;
	char why[HEARTH_RDMA_WHY_BYTES]; /* the last failure */
	struct hearth_ticket ticket;
	uint8_t nonce[HEARTH_RDMA_NONCE_BYTES]; /* of the end that listens */
	struct hearth_seal seal; /* the key and the mode, to be copied */
	struct hearth_pool pool;
	bool has_pool;
	uint32_t nr_chunks; /* of it, registered, */
	uint32_t first[HEARTH_POOL_MAX_CHUNKS + 1]; /* block of each, and how many there are */
	uint64_t most_bytes; /* that it may grow to */
	struct hearth_job *job;
	enum hearth_rdma_mode mode; /* decided */
	uint64_t rtt_ns;

	struct rdma_event_channel *cm;
	struct rdma_cm_id *listener;
	struct hearth_rdma_place places[HEARTH_RDMA_MAX_RAILS]; /* of this end */
	uint32_t nr_places;
	struct hearth_rdma_rail rails[HEARTH_RDMA_MAX_RAILS];
	uint32_t nr_rails;
	struct hearth_rdma_queue *queues[HEARTH_RDMA_MAX_QUEUES];
	uint32_t nr_queues;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool has_thread;
	bool is_stopping;
	bool is_cancelled;
	int wake_fd;
	uint32_t nr_refs;
	uint32_t nr_unfinished; /* streams of the sender */
	int error; /* nothing is left to send over */
	bool was_lost; /* once */
	bool is_lost; /* and the job is to end */
	char news[HEARTH_RDMA_MAX_NEWS][HEARTH_RDMA_WHY_BYTES]; /* for the job */
	uint32_t nr_news;
	bool is_telling;
	struct hearth_rdma_parcel *parcels; /* by block */

	/* the sender's */
	struct hearth_block *backlog; /* of queue pairs that failed */

	/* the receiver's */
	struct hearth_adapt_depth flow;
	struct hearth_adapt_piece piece;
	uint64_t nr_arrived;
	uint64_t read_bytes;
	uint64_t trip_ns; /* the least that a block took */
	struct hearth_block *gift; /* that somebody waited for */
	bool is_getting;
	uint32_t nr_held; /* blocks on their way in */
	struct hearth_block *done; /* arrived, in order */
	struct hearth_block **done_tail;
	uint64_t seen[HEARTH_MAX_FLIGHT]; /* one more than the last of these numbers */
	bool is_spare_over;

	struct hearth_stream *spare;
	pthread_mutex_t spare_lock;
	pthread_t spare_thread;
	bool has_spare_thread;
};

/* A chunk of the pool stays once it is there, and each is registered by itself. */
static inline uint32_t hearth_rdma_chunk(const struct hearth_rdma *r, const struct hearth_block *b)
{
	return (uint32_t)(b->chunk - r->pool.chunks);
}

static inline uint32_t hearth_rdma_index(const struct hearth_rdma *r, const struct hearth_block *b)
{
	return r->first[hearth_rdma_chunk(r, b)] + (uint32_t)(b - b->chunk->blocks);
}

static inline struct hearth_block *hearth_rdma_block(const struct hearth_rdma *r, uint32_t index)
{
	uint32_t c = 0;

	while (index >= r->first[c + 1])
		c++;
	return &r->pool.chunks[c].blocks[index - r->first[c]];
}

static inline struct hearth_rdma_parcel *hearth_rdma_parcel(const struct hearth_rdma *r,
							    const struct hearth_block *b)
{
	return &r->parcels[hearth_rdma_index(r, b)];
}

static inline uint32_t hearth_rdma_lkey(const struct hearth_rdma_queue *q,
					const struct hearth_block *b)
{
	return q->rail->mrs[hearth_rdma_chunk(q->bundle, b)]->lkey;
}

/* verbs.c: all return 0, or -errno with the device, the call and the remedy in @why. */
int hearth_verbs_find(struct hearth_rdma_place *places, uint32_t max, uint32_t *ret_nr, char *why);
int hearth_verbs_add_rail(struct hearth_rdma *r, struct rdma_cm_id *id,
			  struct hearth_rdma_rail **ret);
int hearth_verbs_register(struct hearth_rdma *r, struct hearth_rdma_rail *rail);
/* One more chunk. 0 or -errno. */
int hearth_verbs_register_chunk(const struct hearth_rdma *r, struct hearth_rdma_rail *rail,
				uint32_t chunk);
void hearth_verbs_unregister_chunk(struct hearth_rdma_rail *rail, uint32_t chunk);
/* What the peer may do with the pool, of enum ibv_access_flags. */
int hearth_verbs_access(const struct hearth_rdma *r);
void hearth_verbs_unregister(struct hearth_rdma_rail *rail);
void hearth_verbs_remove_rail(struct hearth_rdma_rail *rail);
int hearth_verbs_fail(char *why, const char *device, const char *call, int err);
int hearth_verbs_node(const char *device);
/* Bytes a second. */
uint64_t hearth_verbs_speed(const struct hearth_rdma_rail *rail);

/* rdma_queue.c */
int hearth_rdma_queue_add(struct hearth_rdma *r, struct hearth_rdma_rail *rail,
			  struct rdma_cm_id *id, uint16_t number, struct hearth_rdma_queue **ret);
void hearth_rdma_queue_free(struct hearth_rdma_queue *q);
/* Of a device that goes away, a queue pair that has failed holds nothing any more. */
void hearth_rdma_queue_let_go(struct hearth_rdma_queue *q);
bool hearth_rdma_can_send(const struct hearth_rdma_queue *q);
/* Spends a credit; the queue pair has failed if it cannot. */
void hearth_rdma_queue_send(struct hearth_rdma_queue *q, struct hearth_rdma_msg *m);
bool hearth_rdma_queue_post(struct hearth_rdma_queue *q, struct ibv_send_wr *wr, const char *call);
void hearth_rdma_queue_drain(struct hearth_rdma_queue *q);
void hearth_rdma_queue_flush(struct hearth_rdma_queue *q);
/* What the peer will see a chunk through, if it is to and the device has that. 0 or -errno. */
int hearth_rdma_queue_add_window(struct hearth_rdma_queue *q, uint32_t chunk);
void hearth_rdma_queue_drop_window(struct hearth_rdma_queue *q, uint32_t chunk);
/* Lets the peer at it, as far as the mode has it. */
void hearth_rdma_queue_open(struct hearth_rdma_queue *q, uint32_t chunk);
void hearth_rdma_queue_up(struct hearth_rdma_queue *q);
/*
 * Writes nothing to a silent peer: its device acknowledges even that, whatever its program does and
 * without a credit. Gives up a queue pair on which nothing moves.
 */
void hearth_rdma_queue_probe(struct hearth_rdma_queue *q);
/* It is dead: what it carried is the bundle's again. */
void hearth_rdma_queue_fail(struct hearth_rdma_queue *q, const char *call, const char *text);

/* What a completion is about, in wr_id. */
enum {
	HEARTH_RDMA_WR_RECV,
	HEARTH_RDMA_WR_SEND,
	HEARTH_RDMA_WR_FIN,
	HEARTH_RDMA_WR_READ,
	HEARTH_RDMA_WR_WRITE,
	HEARTH_RDMA_WR_PROBE,
	HEARTH_RDMA_WR_WINDOW,
};

static inline uint64_t hearth_rdma_wr_id(uint32_t kind, uint32_t index)
{
	return (uint64_t)kind << 32 | index;
}

/* rdma_source.c: under the lock, but for the calls of streams */
int hearth_rdma_source_send(struct hearth_rdma *r, struct hearth_block *b, uint64_t *ret_bytes,
			    struct hearth_seal *seal);
void hearth_rdma_source_hear(struct hearth_rdma_queue *q, const struct hearth_rdma_msg *m);
void hearth_rdma_source_advance(struct hearth_rdma *r);
void hearth_rdma_source_fail(struct hearth_rdma_queue *q);
void hearth_rdma_source_finish(struct hearth_rdma *r);

/* rdma_sink.c: the same */
int hearth_rdma_sink_recv(struct hearth_rdma *r, struct hearth_block **ret, uint64_t *ret_bytes,
			  struct hearth_seal *seal);
void hearth_rdma_sink_hear(struct hearth_rdma_queue *q, const struct hearth_rdma_msg *m);
void hearth_rdma_sink_part(struct hearth_rdma_queue *q, uint32_t index, uint32_t len);
void hearth_rdma_sink_advance(struct hearth_rdma *r);
void hearth_rdma_sink_fail(struct hearth_rdma_queue *q);
/* Has as many blocks under way as the path has use for. */
void hearth_rdma_sink_steer(struct hearth_rdma *r);
void *hearth_rdma_sink_spare(void *bundle);

/* rdma_land.c: the same */
/* Where a block lands, which is @b->data then, and the key of that memory. */
uint32_t hearth_rdma_land(struct hearth_rdma_queue *q, const struct hearth_rdma_arrival *a,
			  struct hearth_block *b);
void hearth_rdma_land_forget(struct hearth_rdma *r, struct hearth_rdma_rail *rail);

/* rdma_cm.c */
/* At a free port of all addresses; 0, or -errno with the reason in @why. The id is the caller's. */
int hearth_verbs_listen(struct rdma_event_channel *cm, struct rdma_cm_id **ret, uint16_t *ret_port,
			char *why);
int hearth_rdma_listen(struct hearth_rdma *r, uint16_t *ret_port);
/* The first queue pair to an address, before the bundle has its thread. 0 or -errno. */
int hearth_rdma_connect(struct hearth_rdma *r, const struct sockaddr_storage *to);
/* So that there are @nr instead of each that there is, as far as they can be had; all at once. */
void hearth_rdma_connect_more(struct hearth_rdma *r, uint32_t nr);
void hearth_rdma_cm_events(struct hearth_rdma *r);

/* rdma.c */
int hearth_rdma_start(struct hearth_rdma *r);
/* Waits until @nr queue pairs are live, which then are all. 0 or -ETIMEDOUT. */
int hearth_rdma_await(struct hearth_rdma *r, uint32_t nr, uint32_t timeout_s);
/* Waits until those that are on their way up are live, or have failed. */
void hearth_rdma_settle(struct hearth_rdma *r, uint32_t timeout_ms);
void hearth_rdma_stop_listening(struct hearth_rdma *r);
void hearth_rdma_why(struct hearth_rdma *r, char ret[HEARTH_RDMA_WHY_BYTES]);
void hearth_rdma_advance(struct hearth_rdma *r);
void hearth_rdma_poll(struct hearth_rdma *r);
bool hearth_rdma_is_live(const struct hearth_rdma *r);
uint32_t hearth_rdma_nr_live(const struct hearth_rdma *r);
void hearth_rdma_tell(struct hearth_rdma *r, const char *text);
/* Ends the job: nothing is left that blocks could go over. */
void hearth_rdma_lose(struct hearth_rdma *r);
/* Measures the way there and back, once connected. */
void hearth_rdma_ping(struct hearth_rdma *r);
void hearth_rdma_wake(struct hearth_rdma *r);

/* rdma_shape.c */
struct hearth_rdma_shape {
	enum hearth_rdma_mode mode;
	uint32_t block_bytes;
	uint64_t memory_bytes; /* that it may become; 0: what an end has will do */
};

/* 0 or -ENOMEM, with the reason. */
int hearth_rdma_make_pool(struct hearth_rdma *r);
/* Bytes that this end may register. */
uint64_t hearth_rdma_most(const struct hearth_rdma *r);
/*
 * Decides how blocks go, with one queue pair to each address: by the path where the plan leaves it
 * open.
 */
enum hearth_rdma_mode hearth_rdma_choose_mode(const struct hearth_rdma *r);
/* And the rest, for @ret->mode, once all are connected. */
void hearth_rdma_choose(const struct hearth_rdma *r, uint64_t peers_most,
			struct hearth_rdma_shape *ret);
/* More memory, if that is what blocks wait for. The bundle's thread; drops the lock meanwhile. */
void hearth_rdma_grow(struct hearth_rdma *r);
/* Before any block does. 0 or -errno: what is registered may change. */
int hearth_rdma_set_shape(struct hearth_rdma *r, const struct hearth_rdma_shape *shape);

#endif
