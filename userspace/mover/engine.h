/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What both ends have in common: worker threads around the streams.
 *
 * With few CPUs each stream has one thread that runs a block to completion
 * while it is warm in the cache. With more, or past the page cache, storage
 * threads work on the other side of a queue, as many as streams, or as many as a
 * disk wants requests; the pool is what lies between the two.
 */
#ifndef HEARTH_ENGINE_H
#define HEARTH_ENGINE_H

#include "control.h"
#include "direct.h"
#include "lanes.h"
#include "numa.h"
#include "pool.h"
#include "transport.h"

/* Thread bodies; they return when there is nothing left to do or the job has failed. */
struct hearth_engine_roles {
	void (*fused)(void *end, struct hearth_stream *stream);
	void (*storage)(void *end, uint32_t device); /* with number 0 first, see below */
	void (*network)(void *end, struct hearth_stream *stream);
};

/* A storage thread; those of the streams are in lanes.h. */
struct hearth_engine_worker {
	void (*storage)(void *end, uint32_t device);
	void *end;
	uint32_t device;
	int node;
	pthread_t thread;
};

#define HEARTH_MAX_WORKERS (2 * HEARTH_MAX_STREAMS)

struct hearth_engine {
	struct hearth_lanes lanes;
	const struct hearth_engine_roles *roles;
	const struct hearth_numa *numa;
	bool is_split;
	uint32_t nr_workers;
	struct hearth_engine_worker workers[HEARTH_MAX_WORKERS];
};

/* Whether storage and network have threads of their own at this end. */
bool hearth_engine_is_split(const struct hearth_job *job, const struct hearth_numa *numa);

/* False, and the job has failed, if not all threads could be started; join them in any case. */
bool hearth_engine_start(struct hearth_engine *e, const struct hearth_engine_roles *roles,
			 const struct hearth_numa *numa);

/*
 * Storage threads for another device, @disk being its MAJOR:MINOR: as many as a disk wants
 * requests. False: there are none of its own. One thread calls it, before it joins.
 */
bool hearth_engine_add_device(struct hearth_engine *e, uint32_t device, const char *disk);

/* Storage threads end last; @queues, if any, are what they wait at. */
void hearth_engine_join(struct hearth_engine *e, struct hearth_queue *queues, uint32_t nr);

/*
 * The pool to use: the one that the wires bring, or @own as it begins; the plan hears of its pages.
 * 0 or -ENOMEM.
 */
int hearth_engine_pool(struct hearth_job *job, const struct hearth_wires *wires,
		       struct hearth_numa *numa, struct hearth_pool *own,
		       struct hearth_pool **ret);

/*
 * Where this end's threads and blocks go: near the disk of @path (NULL: none), and the card of the
 * streams.
 */
void hearth_engine_place(struct hearth_job *job, const struct hearth_wires *wires, const char *end,
			 const char *path, struct hearth_numa *ret);

/*
 * While attached, notes of the job go to the peer and its failure calls @cancel. Detaching tells
 * the peer of a failure.
 */
void hearth_engine_attach(struct hearth_job *job, struct hearth_control *control,
			  void (*cancel)(void *), void *ctx);
void hearth_engine_detach(struct hearth_job *job, struct hearth_control *control);
void hearth_engine_cancel(struct hearth_engine *e);

/* Fail the job for what a call on the control channel or on a stream returned. */
void hearth_engine_fail_control(struct hearth_job *job, int err, uint32_t timeout_s);
void hearth_engine_fail_stream(struct hearth_job *job, int err);

/* Whether a stream on which a call returned @err is lost, and not the job with it. */
bool hearth_engine_can_lose(const struct hearth_engine *e, int err);

/*
 * When a peer gives up, its reason arrives on the control channel while its streams just break:
 * lets it come first. True if it has.
 */
bool hearth_engine_await_reason(struct hearth_job *job, long ms);

/* Whether the job goes on without that stream: it may have broken because the job is at its end. */
bool hearth_engine_goes_on(struct hearth_engine *e);

#endif
