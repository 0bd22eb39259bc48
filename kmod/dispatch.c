// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which CPU runs a request.
 *
 * A hit is served by the CPU that received the command.  Whatever has to wait
 * (for the device, or for another request) is resumed by a workqueue where its
 * data lives: the home of the first frame if homes are striped, else the node of
 * the command's own memory, where new frames are made.  What is to be copied on
 * a certain node goes to the group of threads there, see core/home.c.
 */
#include "hearth.h"

static struct workqueue_struct *hearth_wq;

int hearth_dispatch_init(void)
{
	int ret;

	hearth_wq = alloc_workqueue("hearth", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!hearth_wq)
		return -ENOMEM;
	ret = hearth_workers_init();
	if (ret)
		destroy_workqueue(hearth_wq);
	return ret;
}

void hearth_dispatch_exit(void)
{
	hearth_workers_exit();
	destroy_workqueue(hearth_wq);
}

static int home_of(const struct hearth_io *io)
{
	if (READ_ONCE(io->cache->dispatch) != HEARTH_DISPATCH_INLINE &&
	    READ_ONCE(io->cache->home) == HEARTH_HOME_STRIPE)
		return hearth_cache_shard(io->cache, io->span.offset);
	return io->nid;
}

static void run_request(struct work_struct *work)
{
	struct hearth_request *req;

	req = container_of(work, struct hearth_request, work);
	hearth_io_run(&req->io);
}

/**
 * hearth_dispatch_work() - run a step of a request in process context
 * @io: the request
 * @step: what to do
 *
 * Context: Any.
 */
void hearth_dispatch_work(struct hearth_io *io, work_func_t step)
{
	struct hearth_request *req = to_hearth_request(io);

	INIT_WORK(&req->work, step);
	queue_work_node(home_of(io), hearth_wq, &req->work);
}

/**
 * hearth_dispatch() - have a request go on
 * @io: the request; see &hearth_cache_ops.run
 *
 * Context: Any.
 */
void hearth_dispatch(struct hearth_io *io)
{
	hearth_dispatch_work(io, run_request);
}

static void run_job(struct hearth_job *job)
{
	struct hearth_request *req;

	req = container_of(job, struct hearth_request, job);
	hearth_io_run(&req->io);
}

/**
 * hearth_dispatch_on() - have a request continue on a certain node
 * @io: the request; see &hearth_cache_ops.run_on
 * @nid: the node
 *
 * Context: Process context.
 */
void hearth_dispatch_on(struct hearth_io *io, int nid)
{
	struct hearth_request *req = to_hearth_request(io);

	req->job.run = run_job;
	if (!hearth_workers_queue(nid, &req->job))
		hearth_dispatch(io);
}
