// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The receiver: threads that take blocks in, one that listens to the sender, and the end of the
 * job.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/bytes.h"
#include "../common/io.h"
#include "engine.h"
#include "lun_end.h"
#include "publish.h"
#include "recv.h"
#include "steer.h"

/* Of what may be under way, how much is acknowledged at once. */
#define ACKED_PARTS 8

static void cancel(void *arg)
{
	struct hearth_receiver *r = arg;

	pthread_mutex_lock(&r->lock);
	r->is_cancelled = true;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	if (r->publish)
		hearth_publish_cancel(r->publish);
	hearth_table_cancel(&r->table);
	for (uint32_t i = 0; i < HEARTH_MAX_DEVICES; i++)
		hearth_queue_close(&r->received[i]);
	hearth_pool_close(r->pool);
	hearth_engine_cancel(&r->engine);
}

const char *hearth_receiver_name(const struct hearth_receiver *r, const struct hearth_batch *b,
				 const struct hearth_entry *e)
{
	return r->rename_to ? r->rename_to : hearth_entry_name(b, e);
}

void hearth_receiver_keep_source(struct hearth_receiver *r, const struct hearth_batch *b,
				 const struct hearth_entry *e)
{
	if (r->job->opt.flags & HEARTH_REMOVE_SOURCE)
		hearth_control_send_keep(r->wires->control, b->number, (uint32_t)(e - b->entries));
}

void hearth_receiver_note(struct hearth_receiver *r, enum hearth_severity severity,
			  const struct hearth_batch *b, const struct hearth_entry *e,
			  const char *what, int err)
{
	char path[HEARTH_PATH_MAX];

	if (severity == HEARTH_NOTE_ERROR)
		hearth_receiver_keep_source(r, b, e);
	hearth_dirs_path(&r->dirs, e->parent, hearth_receiver_name(r, b, e), path, sizeof(path));
	if (r->rename_to)
		snprintf(path, sizeof(path), "%s", r->destination);
	if (err == -EBADMSG)
		hearth_job_note(r->job, severity, path,
				"%s: the disk gave back something else than was written", what);
	else if (err)
		hearth_job_note(r->job, severity, path, "%s: %s", what,
				r->lun ? hearth_lun_strerror(err) : strerror(-err));
	else
		hearth_job_note(r->job, severity, path, "%s", what);
}

static void check_over_locked(struct hearth_receiver *r)
{
	if (r->is_index_complete && !r->nr_left) {
		r->is_over = true;
		pthread_cond_broadcast(&r->changed);
	}
}

void hearth_receiver_file_over(struct hearth_receiver *r, struct hearth_batch *b)
{
	hearth_table_settle(&r->table, b, 1);
	pthread_mutex_lock(&r->lock);
	r->nr_left--;
	check_over_locked(r);
	pthread_mutex_unlock(&r->lock);
}

static int handle_start(struct hearth_receiver *r, const struct hearth_frame *f)
{
	uint8_t is_single;
	int ret;

	if (r->is_started || hearth_parse_u8(f, &is_single) || is_single > 1)
		return -EPROTO;
	ret = hearth_plan_destination(r, is_single);
	if (ret)
		return -ECANCELED; /* the job has failed for its own reason */
	r->is_started = true;
	ret = hearth_control_send_u64(r->wires->control, HEARTH_FRAME_LIMITS,
				      hearth_steer_buffer("/proc/sys/net/ipv4/tcp_rmem"));
	return ret ? ret
		   : hearth_control_send_u8(r->wires->control, HEARTH_FRAME_READY, r->is_eager);
}

static int handle_index(struct hearth_receiver *r, const struct hearth_frame *f)
{
	struct hearth_batch *b;
	int ret;

	if (!r->is_started || r->is_index_complete)
		return -EPROTO;
	ret = hearth_batch_decode(f->body, f->len, r->nr_batches, r->table.end, r->dirs.nr, &b);
	if (ret)
		return ret;
	r->nr_batches++;
	return hearth_plan_batch(r, b);
}

static int handle_index_end(struct hearth_receiver *r, const struct hearth_frame *f)
{
	struct hearth_reader reader = hearth_reader_of(f->body, f->len);
	uint64_t nr = hearth_get_u64(&reader);

	r->had_scan_errors = hearth_get_u8(&reader);
	r->has_empty_source |= r->is_source_empty;
	if (reader.is_bad || hearth_reader_left(&reader) || nr != r->nr_batches ||
	    r->is_index_complete || !r->is_started)
		return -EPROTO;
	if (r->publish) {
		int err = hearth_publish_index_ended(r);

		if (err)
			return err;
	}
	hearth_table_complete(&r->table);
	r->job->count.is_index_complete = true;
	pthread_mutex_lock(&r->lock);
	r->is_index_complete = true;
	check_over_locked(r);
	pthread_mutex_unlock(&r->lock);
	return 0;
}

static int handle_size(struct hearth_receiver *r, const struct hearth_frame *f)
{
	uint64_t size;
	int ret = hearth_parse_u64(f, &size);

	return ret ? ret : hearth_stream_end(r, size);
}

/* As much as the sender has under way; what is too much for this end waits in the network. */
static int handle_window(struct hearth_receiver *r, const struct hearth_frame *f)
{
	uint64_t bytes, most;
	int ret = hearth_parse_u64(f, &bytes);

	if (ret || r->wires->pool)
		return -EPROTO;
	most = hearth_adapt_cap(r->job->opt.memory_bytes,
				hearth_numa_memory("", r->numa.card_node), bytes);
	hearth_pool_resize(r->pool, bytes < most ? bytes : most);
	return 0;
}

static int handle_streams(struct hearth_receiver *r, const struct hearth_frame *f)
{
	uint64_t nr;

	if (hearth_parse_u64(f, &nr) || !nr || nr > HEARTH_MAX_STREAMS)
		return -EPROTO;
	hearth_lanes_want(&r->engine.lanes, (uint32_t)nr);
	return 0;
}

/* The sender does not use it any more. */
static int handle_lost(struct hearth_receiver *r, const struct hearth_frame *f)
{
	uint64_t number;

	if (hearth_parse_u64(f, &number) || number > UINT32_MAX)
		return -EPROTO;
	hearth_lanes_lose(&r->engine.lanes, (uint32_t)number);
	return 0;
}

static int handle_bye(struct hearth_receiver *r)
{
	pthread_mutex_lock(&r->lock);
	r->is_bye = r->is_done;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	return r->is_bye ? 0 : -EPROTO;
}

static int handle(struct hearth_receiver *r, const struct hearth_frame *f)
{
	switch (f->type) {
	case HEARTH_FRAME_START:
		return handle_start(r, f);
	case HEARTH_FRAME_INDEX:
		return handle_index(r, f);
	case HEARTH_FRAME_INDEX_END:
		return handle_index_end(r, f);
	case HEARTH_FRAME_SIZE:
		return handle_size(r, f);
	case HEARTH_FRAME_WINDOW:
		return handle_window(r, f);
	case HEARTH_FRAME_STREAMS:
		return handle_streams(r, f);
	case HEARTH_FRAME_LOST:
		return handle_lost(r, f);
	case HEARTH_FRAME_PATH:
		return hearth_parse_path(f, &r->job->path);
	case HEARTH_FRAME_BYE:
		return handle_bye(r);
	default:
		return hearth_control_handle_common(r->job, f) ? 0 : -EPROTO;
	}
}

static void *listen_thread(void *arg)
{
	struct hearth_receiver *r = arg;
	struct hearth_frame f;
	int err = 0;

	while (!err && !r->is_bye) {
		err = hearth_control_recv(r->wires->control, &f);
		if (!err)
			err = handle(r, &f);
	}
	if (err)
		hearth_engine_fail_control(r->job, err, r->job->opt.timeout_s);
	return NULL;
}

/*
 * Nothing comes. The sender knows whether something should have; once all is over, nobody waits for
 * a stream that does not even end.
 */
static void be_quiet(struct hearth_stream *stream, void *end)
{
	struct hearth_receiver *r = end;

	if (r->is_bye)
		stream->ops->cancel(stream);
	else if (r->is_started && !r->is_done && hearth_lanes_can_replace(&r->engine.lanes))
		hearth_control_send_u64(r->wires->control, HEARTH_FRAME_QUIET, stream->number);
}

/* The next block of a stream; NULL once the sender has finished, or it is lost, or the job. */
static struct hearth_block *receive(struct hearth_receiver *r, struct hearth_stream *stream)
{
	struct hearth_block *b;
	int err = stream->ops->recv(stream, r->pool, &b);

	if (!err) {
		r->job->count.bytes_moved += b->len;
		return b;
	}
	if (!hearth_engine_can_lose(&r->engine, err)) {
		if (err != -ENODATA || !r->is_done)
			hearth_engine_fail_stream(r->job, err);
	} else if (!r->is_done && hearth_engine_goes_on(&r->engine) && !r->is_done &&
		   hearth_lanes_lose(&r->engine.lanes, stream->number)) {
		hearth_control_send_u64(r->wires->control, HEARTH_FRAME_LOST, stream->number);
	}
	return NULL;
}

static bool store(struct hearth_receiver *r, struct hearth_block *b)
{
	int err = hearth_store_block(r, b);

	hearth_pool_put(b);
	if (err == -EMFILE)
		hearth_job_fail(r->job, HEARTH_EXIT_PROTOCOL,
				"the sender started more than %u files at once", HEARTH_MAX_PARTS);
	else if (err)
		hearth_engine_fail_control(r->job, err, r->job->opt.timeout_s);
	return !err;
}

static void fused_worker(void *end, struct hearth_stream *stream)
{
	struct hearth_receiver *r = end;
	struct hearth_block *b;

	while ((b = receive(r, stream)) && store(r, b))
		;
}

/*
 * Where the threads of the block's device wait. A block that came before its index entry can only
 * be one of a job that has asked for nothing yet, and knows one device.
 */
static struct hearth_queue *queue_of(struct hearth_receiver *r, const struct hearth_block *b)
{
	struct hearth_batch *batch;
	uint32_t number = 0;

	if (r->nr_queues == 1)
		return &r->received[0];
	batch = hearth_table_get(&r->table, b->segs[0].voff);
	if (batch) {
		const struct hearth_entry *e = hearth_batch_find(batch, b->segs[0].voff);

		number = hearth_dirs_at(&r->dirs, e->parent)->volume;
		hearth_table_put(&r->table, batch);
	}
	return &r->received[number];
}

static void network_worker(void *end, struct hearth_stream *stream)
{
	struct hearth_receiver *r = end;
	struct hearth_block *b;

	while ((b = receive(r, stream)))
		hearth_queue_push(queue_of(r, b), b);
}

static void storage_worker(void *end, uint32_t device)
{
	struct hearth_receiver *r = end;
	struct hearth_block *b;

	while ((b = hearth_queue_pop(&r->received[device])) && store(r, b))
		;
}

static bool wait_for(struct hearth_receiver *r, const bool *flag)
{
	bool is_set;

	pthread_mutex_lock(&r->lock);
	while (!*flag && !r->is_cancelled)
		pthread_cond_wait(&r->changed, &r->lock);
	is_set = *flag;
	pthread_mutex_unlock(&r->lock);
	return is_set;
}

/*
 * Everything is stored: directories get their attributes, the disk gets its due, the sender hears
 * of it.
 */
static void finish_tree(struct hearth_receiver *r)
{
	int err;

	hearth_links_make(r);
	if (r->job->opt.flags & HEARTH_DELETE)
		hearth_delete_extraneous(r);
	hearth_place_directories(r);
	err = hearth_volumes_sync(&r->volumes);
	if (err)
		hearth_job_fail(r->job, HEARTH_EXIT_PARTIAL,
				"%s: the disk did not take all data: %s", r->destination,
				strerror(-err));
}

static void finish(struct hearth_receiver *r)
{
	if (r->publish)
		hearth_publish_finish(r);
	else
		finish_tree(r);
	pthread_mutex_lock(&r->lock);
	r->is_done = true;
	pthread_mutex_unlock(&r->lock);
	if (r->job->count.bytes_landed)
		hearth_control_send_u64(r->wires->control, HEARTH_FRAME_LANDED,
					r->job->count.bytes_landed);
	if (!r->is_cancelled && hearth_control_send(r->wires->control, HEARTH_FRAME_DONE, NULL, 0))
		hearth_engine_fail_control(r->job, -ECONNRESET, 0);
	wait_for(r, &r->is_bye);
	/* What was only measured does not stay. */
	if (r->job->opt.bench && r->rename_to && r->root_fd >= 0)
		unlinkat(r->root_fd, r->rename_to, 0);
}

static void run(struct hearth_receiver *r)
{
	static const struct hearth_engine_roles roles = { fused_worker, storage_worker,
							  network_worker };
	pthread_t listener;

	if (hearth_engine_start(&r->engine, &roles, &r->numa)) {
		/* It starts threads for the devices that it meets: they run when it has ended. */
		if (pthread_create(&listener, NULL, listen_thread, r)) {
			hearth_job_fail(r->job, HEARTH_EXIT_SYSTEM, "no thread could be started");
		} else {
			if (wait_for(r, &r->is_over))
				finish(r);
			pthread_join(listener, NULL);
		}
	}
	hearth_engine_join(&r->engine, r->received, HEARTH_MAX_DEVICES);
}

/* The umask without changing it, which would be seen by other threads. */
static mode_t get_umask(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned int mask = 022;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Umask: %o", &mask) == 1)
			break;
	if (f)
		fclose(f);
	return mask;
}

static void receiver_init(struct hearth_receiver *r)
{
	r->root_fd = -1;
	r->link_fd = -1;
	r->backup_fd = -1;
	r->stream_size = HEARTH_UNLIMITED;
	r->is_dry = r->job->opt.flags & HEARTH_DRY_RUN;
	r->umask = get_umask();
	r->euid = geteuid();
	r->egid = getegid();
	hearth_dirs_init(&r->dirs);
	hearth_table_init(&r->table);
	for (uint32_t i = 0; i < HEARTH_MAX_DEVICES; i++)
		hearth_queue_init(&r->received[i]);
	r->nr_queues = 1;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	pthread_mutex_init(&r->parts_lock, NULL);
}

static void receiver_exit(struct hearth_receiver *r)
{
	hearth_parts_exit(r);
	pthread_mutex_destroy(&r->parts_lock);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	for (uint32_t i = 0; i < HEARTH_MAX_DEVICES; i++)
		hearth_queue_exit(&r->received[i]);
	if (r->stream_batch)
		hearth_table_put(&r->table, r->stream_batch);
	hearth_table_exit(&r->table);
	hearth_dirs_exit(&r->dirs);
	hearth_close(&r->root_fd);
	hearth_close(&r->link_fd);
	hearth_close(&r->backup_fd);
	hearth_volumes_exit(&r->volumes);
	hearth_seen_exit(&r->seen);
	hearth_links_exit(r);
	hearth_publish_free(r->publish);
	hearth_lun_end_exit(r);
	free(r->rename_to);
	hearth_lanes_exit(&r->engine.lanes);
	if (r->pool == &r->own_pool)
		hearth_pool_exit(&r->own_pool);
	free(r);
}

enum hearth_exit hearth_receive(struct hearth_job *job, const struct hearth_wires *wires,
				const char *destination, char *const *expected,
				uint32_t nr_expected)
{
	struct hearth_receiver *r = calloc(1, sizeof(*r));

	if (r)
		hearth_engine_place(job, wires, "receiver", destination, &r->numa);
	if (r && job->opt.publishes)
		r->publish = hearth_publish_alloc();
	if (!r || (job->opt.publishes && !r->publish) ||
	    hearth_lanes_init(&r->engine.lanes, job, wires, r) ||
	    hearth_engine_pool(job, wires, &r->numa, &r->own_pool, &r->pool)) {
		hearth_job_fail(job, HEARTH_EXIT_SYSTEM,
				"no memory for the blocks; lower --memory");
		if (r)
			hearth_publish_free(r->publish);
		free(r);
		return HEARTH_EXIT_SYSTEM;
	}
	r->job = job;
	r->wires = wires;
	r->destination = destination;
	r->expected = expected;
	r->nr_expected = nr_expected;
	receiver_init(r);
	wires->control->timeout_s = job->opt.timeout_s;
	if (hearth_pulse_start(&r->pulse, wires->control)) {
		hearth_job_fail(job, HEARTH_EXIT_SYSTEM, "no thread could be started");
	} else {
		/* The sender must hear of what is stored long before it may send no more. */
		r->pulse.flush_bytes = hearth_pool_start_bytes(job->opt.memory_bytes) / ACKED_PARTS;
		r->engine.lanes.on_quiet = be_quiet;
		hearth_engine_attach(job, wires->control, cancel, r);
		run(r);
		job->count.bytes_wire = hearth_lanes_wire(&r->engine.lanes);
		hearth_engine_detach(job, wires->control);
		hearth_pulse_stop(&r->pulse);
	}
	receiver_exit(r);
	return hearth_job_result(job);
}
