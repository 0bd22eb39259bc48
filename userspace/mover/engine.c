// SPDX-License-Identifier: GPL-2.0-or-later
/* What both ends have in common: worker threads around the streams. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"

#define FEW_CPUS 4
#define REASON_MS 2000
#define BREATH_MS 200

static void *worker_thread(void *arg)
{
	struct hearth_engine_worker *w = arg;

	hearth_numa_bind_thread(w->node);
	w->storage(w->end, w->device);
	return NULL;
}

static bool start_storage(struct hearth_engine *e, uint32_t device, int node)
{
	struct hearth_engine_worker *w = &e->workers[e->nr_workers];

	if (e->nr_workers == HEARTH_MAX_WORKERS)
		return false;
	*w = (struct hearth_engine_worker){ .storage = e->roles->storage,
					    .end = e->lanes.end,
					    .device = device,
					    .node = node };
	if (pthread_create(&w->thread, NULL, worker_thread, w))
		return false;
	e->nr_workers++;
	return true;
}

bool hearth_engine_is_split(const struct hearth_job *job, const struct hearth_numa *numa)
{
	if (job->opt.flags & HEARTH_IN_ORDER)
		return false; /* several threads at once would have no order */
	if (job->opt.stages == HEARTH_STAGES_AUTO && job->opt.direct == HEARTH_DIRECT_YES)
		return true;
	if (job->opt.stages != HEARTH_STAGES_AUTO)
		return job->opt.stages == HEARTH_STAGES_SPLIT;
	/* A disk wants several requests at a time, however few CPUs there are. */
	return sysconf(_SC_NPROCESSORS_ONLN) >= FEW_CPUS ||
	       (numa->is_on_disk && job->opt.direct == HEARTH_DIRECT_AUTO);
}

bool hearth_engine_start(struct hearth_engine *e, const struct hearth_engine_roles *roles,
			 const struct hearth_numa *numa)
{
	struct hearth_job *job = e->lanes.job;
	uint32_t nr_storage = e->lanes.wires->nr_streams;
	bool is_ok;

	hearth_numa_tell(numa, job);
	e->roles = roles;
	e->numa = numa;
	e->is_split = hearth_engine_is_split(job, numa);
	is_ok = hearth_lanes_start(&e->lanes, e->is_split ? roles->network : roles->fused,
				   numa->card_node);
	if (job->opt.direct != HEARTH_DIRECT_NO && nr_storage < HEARTH_DIRECT_DEPTH)
		nr_storage = HEARTH_DIRECT_DEPTH;
	for (uint32_t i = 0; i < nr_storage && is_ok && e->is_split; i++)
		is_ok = start_storage(e, 0, numa->disk_node);
	if (!is_ok)
		hearth_job_fail(job, HEARTH_EXIT_SYSTEM,
				"not all threads could be started; use fewer --streams");
	return is_ok;
}

bool hearth_engine_add_device(struct hearth_engine *e, uint32_t device, const char *disk)
{
	struct hearth_job *job = e->lanes.job;
	int node = hearth_numa_node_for(e->numa, job->opt.numa, disk);
	uint32_t nr = 0;

	while (e->is_split && nr < HEARTH_DIRECT_DEPTH && start_storage(e, device, node))
		nr++;
	if (nr)
		hearth_numa_tell_disk(e->numa, job, disk, node, nr);
	return nr;
}

void hearth_engine_join(struct hearth_engine *e, struct hearth_queue *queues, uint32_t nr)
{
	hearth_lanes_join(&e->lanes);
	for (uint32_t i = 0; i < nr; i++)
		hearth_queue_close(&queues[i]);
	for (uint32_t i = 0; i < e->nr_workers; i++)
		pthread_join(e->workers[i].thread, NULL);
	e->nr_workers = 0;
}

int hearth_engine_pool(struct hearth_job *job, const struct hearth_wires *wires,
		       struct hearth_numa *numa, struct hearth_pool *own, struct hearth_pool **ret)
{
	int err = wires->pool ? 0
			      : hearth_pool_init(own, job->opt.block_bytes,
						 hearth_pool_start_bytes(job->opt.memory_bytes),
						 numa->card_node);

	*ret = wires->pool ? wires->pool : own;
	numa->has_huge_pages = !err && (*ret)->chunks[0].is_huge;
	return err;
}

void hearth_engine_place(struct hearth_job *job, const struct hearth_wires *wires, const char *end,
			 const char *path, struct hearth_numa *ret)
{
	char base[32];

	/* A path below a directory that cannot be left: where that is will do. */
	snprintf(base, sizeof(base), "/proc/self/fd/%d", job->base_fd);
	if (job->base_fd >= 0)
		path = base;
	hearth_numa_read(ret, "", path, hearth_tcp_socket(wires->streams[0]));
	hearth_numa_plan(ret, job->opt.numa);
	ret->end = end;
}

void hearth_engine_attach(struct hearth_job *job, struct hearth_control *control,
			  void (*cancel)(void *), void *ctx)
{
	pthread_mutex_lock(&job->lock);
	job->peer = control;
	job->cancel = cancel;
	job->cancel_ctx = ctx;
	if (job->is_failed && cancel)
		cancel(ctx);
	pthread_mutex_unlock(&job->lock);
}

void hearth_engine_detach(struct hearth_job *job, struct hearth_control *control)
{
	pthread_mutex_lock(&job->lock);
	job->peer = NULL;
	job->cancel = NULL;
	pthread_mutex_unlock(&job->lock);
	if (job->is_failed)
		hearth_control_send_fail(control, job->exit_code, job->failure);
}

void hearth_engine_cancel(struct hearth_engine *e)
{
	hearth_control_cancel(e->lanes.wires->control);
	hearth_lanes_cancel(&e->lanes);
}

void hearth_engine_fail_control(struct hearth_job *job, int err, uint32_t timeout_s)
{
	if (err == -ECANCELED)
		return;
	if (err == -EPROTO)
		hearth_job_fail(job, HEARTH_EXIT_PROTOCOL,
				"the far end broke the protocol; install the same version at both ends");
	else if (err == -ETIMEDOUT)
		hearth_job_fail(job, HEARTH_EXIT_LOST,
				"nothing heard from the far end for %u s; run the same command again to continue",
				timeout_s);
	else if (err == -ENOMEM)
		hearth_job_fail(job, HEARTH_EXIT_SYSTEM, "out of memory");
	else
		hearth_job_fail(job, HEARTH_EXIT_LOST,
				"the far end is gone (%s); run the same command again to continue",
				err == -ENODATA ? "connection closed" : strerror(-err));
}

bool hearth_engine_await_reason(struct hearth_job *job, long ms)
{
	struct timespec deadline;
	bool has_come;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_nsec += ms * 1000000;
	deadline.tv_sec += deadline.tv_nsec / 1000000000;
	deadline.tv_nsec %= 1000000000;
	pthread_mutex_lock(&job->lock);
	while (!job->is_failed && !pthread_cond_timedwait(&job->failed, &job->lock, &deadline))
		;
	has_come = job->is_failed;
	pthread_mutex_unlock(&job->lock);
	return has_come;
}

void hearth_engine_fail_stream(struct hearth_job *job, int err)
{
	if (err == -ECANCELED)
		return;
	if (err == -EBADMSG) {
		hearth_job_fail(job, HEARTH_EXIT_CORRUPT,
				"a sealed block was changed on the way: somebody, or something, is between the ends");
		return;
	}
	if (err != -EPROTO)
		hearth_engine_await_reason(job, REASON_MS);
	if (err == -EPROTO)
		hearth_job_fail(job, HEARTH_EXIT_PROTOCOL,
				"a data connection carried something that is no block of this job");
	else
		hearth_job_fail(job, HEARTH_EXIT_LOST,
				"a data connection broke (%s); run the same command again to continue",
				err == -ENODATA ? "closed early" : strerror(-err));
}

bool hearth_engine_can_lose(const struct hearth_engine *e, int err)
{
	return err != -EPROTO && err != -EBADMSG && err != -ECANCELED && err != -ENOMEM &&
	       hearth_lanes_can_replace(&e->lanes);
}

bool hearth_engine_goes_on(struct hearth_engine *e)
{
	return !hearth_engine_await_reason(e->lanes.job, BREATH_MS);
}
