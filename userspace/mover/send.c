// SPDX-License-Identifier: GPL-2.0-or-later
/* The sender: threads that move blocks out, and the job as a whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common/io.h"
#include "engine.h"
#include "lun.h"
#include "send.h"

/* Files shorter than this, on average, are small ones. */
#define SMALL_BYTES (1u << 20)

static void cancel(void *arg)
{
	struct hearth_sender *s = arg;

	pthread_mutex_lock(&s->lock);
	s->is_cancelled = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	hearth_devices_close(&s->devices);
	hearth_flight_cancel(&s->flight);
	hearth_table_cancel(&s->table);
	hearth_queue_close(&s->filled);
	hearth_pool_close(s->pool);
	hearth_pace_cancel(&s->pace);
	hearth_engine_cancel(&s->engine);
}

/* Hands a block to the stream; it is gone afterwards. False: the thread has nothing more to do. */
static bool send_block(struct hearth_sender *s, struct hearth_stream *stream,
		       struct hearth_block *b)
{
	uint64_t len = b->len, start;
	int err;

	hearth_pace_take(&s->pace, len);
	hearth_flight_send(&s->flight, b, stream->number);
	start = hearth_now_ns();
	err = stream->ops->send(stream, b);
	s->sending_ns += hearth_now_ns() - start;
	if (!err)
		s->job->count.bytes_moved += len;
	else if (s->is_done)
		return false;
	else if (hearth_engine_can_lose(&s->engine, err))
		hearth_sender_lose(s, stream->number, strerror(-err));
	else
		hearth_engine_fail_stream(s->job, err);
	return !err;
}

/* A filled, numbered and sealed block, or NULL if there is none, or once there is no more. */
static struct hearth_block *next_block(struct hearth_sender *s, struct hearth_source *src,
				       bool may_wait)
{
	struct hearth_block *b = hearth_pool_get(s->pool);
	uint32_t tries;
	int err = -ENODATA;

	if (!b)
		return NULL;
	if (hearth_source_fill(src, b, may_wait, &tries))
		err = hearth_flight_add(&s->flight, b, tries);
	if (err == -ENOMEM)
		hearth_job_fail(s->job, HEARTH_EXIT_SYSTEM, "out of memory");
	if (err) {
		hearth_pool_put(b);
		return NULL;
	}
	b->session = s->wires->streams[0]->session;
	hearth_block_seal(b, !(s->job->opt.flags & HEARTH_UNHASHED));
	return b;
}

static bool has_small_files(const void *ctx)
{
	const struct hearth_counters *count = &((const struct hearth_sender *)ctx)->job->count;

	return count->bytes_total / SMALL_BYTES < count->files_total;
}

struct turn {
	const struct hearth_sender *sender;
	const struct hearth_stream *stream;
};

static bool is_needed(void *ctx)
{
	const struct turn *t = ctx;
	bool is_first = t->stream->number < t->sender->wires->nr_streams;

	return t->stream->is_lost || !t->stream->is_parked ||
	       (is_first && has_small_files(t->sender));
}

/*
 * With few CPUs a large file is fastest on one stream, since two only stand in each other's way at
 * the file; small ones gain from every further thread; and what a long path needs is found out.
 * False once there is nothing more to send, or not on this one.
 */
static bool await_turn(struct hearth_sender *s, const struct hearth_stream *stream)
{
	struct turn t = { s, stream };

	return hearth_work_wait(&s->devices.work[0], is_needed, &t) && !stream->is_lost;
}

static void fused_worker(void *engine, struct hearth_stream *stream)
{
	struct hearth_sender *s = engine;
	struct hearth_source src;
	struct hearth_block *b;

	hearth_source_init(&src, s, 0);
	src.stream = stream;
	while (await_turn(s, stream) && (b = next_block(s, &src, true)) && send_block(s, stream, b))
		;
	hearth_source_exit(&src);
	stream->ops->finish(stream);
}

/* A thread that holds a block does not wait: another device's may need it. */
static void storage_worker(void *engine, uint32_t device)
{
	struct hearth_sender *s = engine;
	struct hearth_source src;

	hearth_source_init(&src, s, device);
	while (hearth_work_wait(src.work, hearth_work_has_some, src.work)) {
		struct hearth_block *b = next_block(s, &src, false);

		if (b)
			hearth_queue_push(&s->filled, b);
	}
	hearth_source_exit(&src);
}

static void network_worker(void *engine, struct hearth_stream *stream)
{
	struct hearth_sender *s = engine;
	struct hearth_block *b;

	while (await_turn(s, stream) && (b = hearth_queue_pop(&s->filled)) &&
	       send_block(s, stream, b))
		;
	stream->ops->finish(stream);
}

static bool wait_for(struct hearth_sender *s, const bool *flag)
{
	bool is_set;

	pthread_mutex_lock(&s->lock);
	while (!*flag && !s->is_cancelled)
		pthread_cond_wait(&s->changed, &s->lock);
	is_set = *flag;
	pthread_mutex_unlock(&s->lock);
	return is_set;
}

void hearth_sender_wait_done(struct hearth_sender *s)
{
	wait_for(s, &s->is_done);
}

void hearth_sender_share_out(struct hearth_sender *s)
{
	uint32_t nr = s->nr_volumes;

	if (nr == 1)
		return;
	hearth_flight_divide(&s->flight, hearth_pool_bytes(s->pool), s->pool->block_bytes, nr);
	hearth_devices_poke(&s->devices);
}

static bool is_from_memory(const struct hearth_job *job)
{
	return job->opt.bench & HEARTH_BENCH_FROM_MEMORY;
}

/* What sendfile() takes in place of a block's memory: pages of a file that has no disk. */
static int open_memory(const struct hearth_job *job)
{
	int fd;

	if (!is_from_memory(job) || !(job->opt.bench & HEARTH_BENCH_SPLICE))
		return -1;
	fd = memfd_create("hearth-bench", MFD_CLOEXEC);
	if (fd >= 0 && fallocate(fd, 0, 0, job->opt.block_bytes))
		hearth_close(&fd);
	return fd;
}

/* All has arrived. What the receiver is to hear of, it hears before the farewell. */
static void end(struct hearth_sender *s)
{
	struct hearth_control *c = s->wires->control;
	int err;

	hearth_removal_run(&s->removal, s->job, &s->dirs);
	hearth_steer_report(&s->steer, &s->job->path);
	err = hearth_control_send_path(c, &s->job->path);
	if (!err)
		err = hearth_control_send(c, HEARTH_FRAME_BYE, NULL, 0);
	if (err)
		hearth_engine_fail_control(s->job, err, s->job->opt.timeout_s);
}

static void run(struct hearth_sender *s, char *const *sources, uint32_t nr)
{
	static const struct hearth_engine_roles roles = { fused_worker, storage_worker,
							  network_worker };
	pthread_t listener;

	if (hearth_control_send_u8(s->wires->control, HEARTH_FRAME_START,
				   s->job->stream_fd >= 0 || is_from_memory(s->job) ||
					   s->job->opt.lun & HEARTH_LUN_IS_SOURCE ||
					   hearth_scan_is_single(s->job, sources, nr)) ||
	    pthread_create(&listener, NULL, hearth_sender_listen, s)) {
		hearth_job_fail(s->job, HEARTH_EXIT_LOST,
				"the control connection could not be used");
		return;
	}
	if (hearth_engine_start(&s->engine, &roles, &s->numa)) {
		s->devices.engine = &s->engine;
		if (wait_for(s, &s->is_ready) && !hearth_scan(s, sources, nr) &&
		    wait_for(s, &s->is_done))
			end(s);
	}
	hearth_engine_join(&s->engine, NULL, 0);
	pthread_join(listener, NULL);
}

enum hearth_exit hearth_send(struct hearth_job *job, const struct hearth_wires *wires,
			     char *const *sources, uint32_t nr_sources)
{
	struct hearth_sender *s = calloc(1, sizeof(*s));
	const char *path = nr_sources ? sources[0] : NULL;

	if (s)
		hearth_engine_place(job, wires, "sender", path, &s->numa);
	if (!s || hearth_lanes_init(&s->engine.lanes, job, wires, s) ||
	    hearth_engine_pool(job, wires, &s->numa, &s->own_pool, &s->pool)) {
		hearth_job_fail(job, HEARTH_EXIT_SYSTEM,
				"no memory for the blocks; lower --memory");
		free(s);
		return HEARTH_EXIT_SYSTEM;
	}
	s->job = job;
	s->wires = wires;
	s->message_bytes = job->opt.block_bytes; /* over RDMA there may be room for more */
	s->memory_fd = open_memory(job);
	s->nr_volumes = 1;
	hearth_dirs_init(&s->dirs);
	hearth_table_init(&s->table);
	hearth_flight_init(&s->flight);
	hearth_devices_init(&s->devices, &s->flight);
	hearth_queue_init(&s->filled);
	hearth_pace_init(&s->pace, job->opt.bytes_per_s);
	hearth_removal_init(&s->removal);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	wires->control->timeout_s = job->opt.timeout_s;
	if (hearth_pulse_start(&s->pulse, wires->control)) {
		hearth_job_fail(job, HEARTH_EXIT_SYSTEM, "no thread could be started");
	} else {
		hearth_engine_attach(job, wires->control, cancel, s);
		s->engine.lanes.compress_level = job->opt.compress_level;
		s->engine.lanes.in_use = hearth_steer_first(s);
		if (hearth_steer_start(&s->steer, s))
			hearth_job_fail(job, HEARTH_EXIT_SYSTEM, "no thread could be started");
		run(s, sources, nr_sources);
		hearth_steer_stop(&s->steer);
		job->count.bytes_wire = hearth_lanes_wire(&s->engine.lanes);
		hearth_engine_detach(job, wires->control);
		hearth_pulse_stop(&s->pulse);
	}
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	hearth_close(&s->memory_fd);
	if (s->lun)
		hearth_lun_close(s->lun);
	free(s->lun);
	hearth_queue_exit(&s->filled);
	hearth_pace_exit(&s->pace);
	hearth_removal_exit(&s->removal);
	hearth_flight_exit(&s->flight);
	hearth_devices_exit(&s->devices);
	hearth_ranges_exit(&s->checked);
	hearth_table_exit(&s->table);
	hearth_dirs_exit(&s->dirs);
	hearth_lanes_exit(&s->engine.lanes);
	if (s->pool == &s->own_pool)
		hearth_pool_exit(&s->own_pool);
	free(s);
	return hearth_job_result(job);
}
