// SPDX-License-Identifier: GPL-2.0-or-later
/* The sender: threads that move blocks out, and one that listens to the receiver. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common/io.h"
#include "engine.h"
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
	hearth_engine_cancel_wires(s->wires);
}

/* Gives every part of an acknowledged block back to its batch. */
static void settle(struct hearth_sender *s, const struct hearth_flight_slot *slot)
{
	for (uint32_t i = 0; i < slot->nr_segs; i++) {
		uint64_t voff = slot->segs[i].voff, end = voff + slot->segs[i].len;

		while (voff < end) {
			struct hearth_batch *b = hearth_table_get(&s->table, voff);
			uint64_t part;

			if (!b)
				break;
			part = (b->end < end ? b->end : end) - voff;
			hearth_table_settle(&s->table, b, part);
			hearth_table_put(&s->table, b);
			voff += part;
			s->job->count.bytes_stored += part;
		}
	}
}

static int handle_ack(struct hearth_sender *s, const struct hearth_frame *f)
{
	uint64_t seqs[HEARTH_MAX_ACKS];
	uint32_t nr;

	if (hearth_parse_seqs(f, seqs, &nr))
		return -EPROTO;
	for (uint32_t i = 0; i < nr; i++) {
		struct hearth_flight_slot slot;

		if (!hearth_flight_remove(&s->flight, seqs[i], &slot))
			return -EPROTO;
		settle(s, &slot);
		free(slot.segs);
	}
	return 0;
}

/* Where the data at @voff is read. A block holds what lies on one device. */
static struct hearth_work *work_of(struct hearth_sender *s, uint64_t voff)
{
	struct hearth_batch *b = hearth_table_get(&s->table, voff);
	uint32_t device = b ? b->device : 0;

	if (b)
		hearth_table_put(&s->table, b);
	return &s->devices.work[device];
}

/* Queues what a damaged block held once more, at the front. */
static int resend(struct hearth_sender *s, const struct hearth_flight_slot *slot)
{
	struct hearth_work_range range = { .tries = slot->tries + 1 };
	int ret = 0;

	if (s->job->stream_fd >= 0) {
		hearth_job_fail(s->job, HEARTH_EXIT_CORRUPT,
				"a block arrived damaged, and what came from a pipe cannot be read again");
		return 0;
	}
	if (slot->tries + 1 >= HEARTH_MAX_TRIES) {
		hearth_job_fail(s->job, HEARTH_EXIT_CORRUPT,
				"a block arrived damaged %d times; check the network cards and memory of both ends",
				HEARTH_MAX_TRIES);
		return 0;
	}
	s->job->count.blocks_resent++;
	for (uint32_t i = 0; i < slot->nr_segs && !ret; i++) {
		range.voff = slot->segs[i].voff;
		range.len = slot->segs[i].len;
		ret = hearth_work_push_front(work_of(s, range.voff), range);
	}
	return ret;
}

static int handle_nak(struct hearth_sender *s, const struct hearth_frame *f)
{
	uint64_t seqs[HEARTH_MAX_ACKS];
	uint32_t nr;
	int ret = hearth_parse_seqs(f, seqs, &nr);

	for (uint32_t i = 0; i < nr && !ret; i++) {
		struct hearth_flight_slot slot;

		if (!hearth_flight_remove(&s->flight, seqs[i], &slot))
			return -EPROTO;
		ret = resend(s, &slot);
		free(slot.segs);
	}
	return ret;
}

static bool are_within(const struct hearth_ranges *ranges, const struct hearth_batch *b)
{
	return !ranges->nr ||
	       (ranges->v[0].start >= b->voff && ranges->v[ranges->nr - 1].end <= b->end);
}

static int push_ranges(struct hearth_work *w, const struct hearth_ranges *ranges, bool is_sum)
{
	int ret = 0;

	for (size_t i = 0; i < ranges->nr && !ret; i++) {
		const struct hearth_work_range range = {
			.voff = ranges->v[i].start,
			.len = ranges->v[i].end - ranges->v[i].start,
			.is_sum = is_sum,
		};

		ret = hearth_work_push(w, range);
	}
	return ret;
}

/* The receiver may only ask for what the batch holds, and once. */
static int accept_want(struct hearth_sender *s, struct hearth_batch *b,
		       const struct hearth_ranges *wanted)
{
	int ret;

	if (b->is_answered || !are_within(wanted, b) || !are_within(&s->checked, b) ||
	    (s->checked.nr && s->checked_batch != b->number))
		return -EPROTO;
	hearth_table_answer(&s->table, b, wanted->covered + s->checked.covered);
	/* What is not wanted is there already, as far as this end's progress goes. */
	s->job->count.bytes_skipped +=
		b->end - b->voff - wanted->covered - s->checked.covered;
	ret = push_ranges(&s->devices.work[b->device], &s->checked, true);
	hearth_ranges_exit(&s->checked);
	return ret ? ret : push_ranges(&s->devices.work[b->device], wanted, false);
}

static int handle_want(struct hearth_sender *s, const struct hearth_frame *f)
{
	struct hearth_ranges wanted = { 0 };
	struct hearth_batch *b = NULL;
	uint64_t number;
	int ret = hearth_parse_want(f, &number, &wanted);

	if (!ret) {
		b = hearth_table_get_number(&s->table, number);
		ret = b ? accept_want(s, b, &wanted) : -EPROTO;
	}
	if (b)
		hearth_table_put(&s->table, b);
	hearth_ranges_exit(&wanted);
	return ret;
}

/* What of the next batch is only to be compared. */
static int handle_check(struct hearth_sender *s, const struct hearth_frame *f)
{
	if (s->job->stream_fd >= 0 || s->checked.nr)
		return -EPROTO;
	return hearth_parse_want(f, &s->checked_batch, &s->checked);
}

static int handle_keep(struct hearth_sender *s, const struct hearth_frame *f)
{
	uint64_t batch;
	uint32_t entry;

	if (!(s->job->opt.flags & HEARTH_REMOVE_SOURCE) || hearth_parse_keep(f, &batch, &entry))
		return -EPROTO;
	/* What is not remembered, a directory, is not removed either. */
	hearth_removal_keep(&s->removal, batch, entry);
	return 0;
}

static int handle_ready(struct hearth_sender *s, const struct hearth_frame *f)
{
	uint8_t flags;

	if (hearth_parse_u8(f, &flags) || flags > 1)
		return -EPROTO;
	pthread_mutex_lock(&s->lock);
	s->is_eager = flags;
	s->is_ready = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static int handle_done(struct hearth_sender *s)
{
	int ret = hearth_control_send(s->wires->control, HEARTH_FRAME_BYE, NULL, 0);

	hearth_devices_close(&s->devices);
	hearth_queue_close(&s->filled);
	pthread_mutex_lock(&s->lock);
	s->is_done = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return ret;
}

static int handle(struct hearth_sender *s, const struct hearth_frame *f)
{
	if (!s->is_ready && (f->type == HEARTH_FRAME_WANT || f->type == HEARTH_FRAME_CHECK ||
			     f->type == HEARTH_FRAME_ACK))
		return -EPROTO;
	switch (f->type) {
	case HEARTH_FRAME_READY:
		return s->is_ready ? -EPROTO : handle_ready(s, f);
	case HEARTH_FRAME_WANT:
		return handle_want(s, f);
	case HEARTH_FRAME_CHECK:
		return handle_check(s, f);
	case HEARTH_FRAME_ACK:
		return handle_ack(s, f);
	case HEARTH_FRAME_NAK:
		return handle_nak(s, f);
	case HEARTH_FRAME_KEEP:
		return handle_keep(s, f);
	case HEARTH_FRAME_DONE:
		return handle_done(s);
	default:
		return hearth_control_handle_common(s->job, f) ? 0 : -EPROTO;
	}
}

static void *listen_thread(void *arg)
{
	struct hearth_sender *s = arg;
	struct hearth_frame f;
	int err = 0;

	while (!err && !s->is_done) {
		err = hearth_control_recv(s->wires->control, &f);
		if (!err)
			err = handle(s, &f);
	}
	if (err)
		hearth_engine_fail_control(s->job, err, s->job->opt.timeout_s);
	return NULL;
}

/* Seals what was filled in and hands it to the stream; the block is gone afterwards. */
static bool send_block(struct hearth_sender *s, struct hearth_stream *stream,
		       struct hearth_block *b)
{
	uint64_t len = b->len;
	int err;

	hearth_pace_take(&s->pace, len);
	err = stream->ops->send(stream, b);
	if (err)
		hearth_engine_fail_stream(s->job, err);
	else
		s->job->count.bytes_moved += len;
	return !err;
}

/* A filled, numbered and sealed block, or NULL if there is none, or once there is no more. */
static struct hearth_block *next_block(struct hearth_sender *s, struct hearth_source *src,
				       bool may_wait)
{
	struct hearth_block *b = hearth_pool_get(s->pool);
	uint32_t tries;

	if (!b)
		return NULL;
	if (!hearth_source_fill(src, b, may_wait, &tries) || hearth_flight_add(&s->flight, b, tries)) {
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

/*
 * With few CPUs a large file is fastest on one stream, since two only stand in each other's way at
 * the file; small ones gain from every further thread. False once there is nothing more to send.
 */
static bool is_needed(struct hearth_sender *s, const struct hearth_stream *stream)
{
	return stream == s->wires->streams[0] || !s->job->opt.spares_streams ||
	       hearth_work_wait(&s->devices.work[0], has_small_files, s);
}

static void fused_worker(void *engine, struct hearth_stream *stream)
{
	struct hearth_sender *s = engine;
	struct hearth_source src;
	struct hearth_block *b;

	hearth_source_init(&src, s, 0);
	while (is_needed(s, stream) && (b = next_block(s, &src, true)) && send_block(s, stream, b))
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

	while ((b = hearth_queue_pop(&s->filled)) && send_block(s, stream, b))
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

static void run(struct hearth_sender *s, char *const *sources, uint32_t nr)
{
	static const struct hearth_engine_roles roles = { fused_worker, storage_worker,
							  network_worker };
	struct hearth_engine engine;
	pthread_t listener;

	if (hearth_control_send_u8(s->wires->control, HEARTH_FRAME_START,
				   s->job->stream_fd >= 0 || is_from_memory(s->job) ||
					   hearth_scan_is_single(s->job, sources, nr)) ||
	    pthread_create(&listener, NULL, listen_thread, s)) {
		hearth_job_fail(s->job, HEARTH_EXIT_LOST,
				"the control connection could not be used");
		return;
	}
	if (hearth_engine_start(&engine, s->job, s->wires, &roles, &s->numa, s)) {
		s->devices.engine = &engine;
		if (wait_for(s, &s->is_ready) && !hearth_scan(s, sources, nr) &&
		    wait_for(s, &s->is_done))
			hearth_removal_run(&s->removal, s->job, &s->dirs);
		hearth_engine_join(&engine);
	}
	pthread_join(listener, NULL);
}

enum hearth_exit hearth_send(struct hearth_job *job, const struct hearth_wires *wires,
			     char *const *sources, uint32_t nr_sources)
{
	struct hearth_sender *s = calloc(1, sizeof(*s));
	const char *path = nr_sources && job->base_fd < 0 ? sources[0] : NULL;

	if (s)
		hearth_engine_place(job, wires, "sender", path, &s->numa);
	if (!s || hearth_engine_pool(job, wires, &s->numa, &s->own_pool, &s->pool)) {
		hearth_job_fail(job, HEARTH_EXIT_SYSTEM,
				"no memory for the blocks; lower --memory");
		free(s);
		return HEARTH_EXIT_SYSTEM;
	}
	s->job = job;
	s->wires = wires;
	s->memory_fd = open_memory(job);
	hearth_dirs_init(&s->dirs);
	hearth_table_init(&s->table);
	hearth_devices_init(&s->devices);
	hearth_flight_init(&s->flight);
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
		for (uint32_t i = 0; i < wires->nr_streams; i++)
			wires->streams[i]->compress_level = job->opt.compress_level;
		run(s, sources, nr_sources);
		hearth_engine_count_wire(job, wires);
		hearth_engine_detach(job, wires->control);
		hearth_pulse_stop(&s->pulse);
	}
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	hearth_close(&s->memory_fd);
	hearth_queue_exit(&s->filled);
	hearth_pace_exit(&s->pace);
	hearth_removal_exit(&s->removal);
	hearth_flight_exit(&s->flight);
	hearth_devices_exit(&s->devices);
	hearth_ranges_exit(&s->checked);
	hearth_table_exit(&s->table);
	hearth_dirs_exit(&s->dirs);
	if (s->pool == &s->own_pool)
		hearth_pool_exit(&s->own_pool);
	free(s);
	return hearth_job_result(job);
}
