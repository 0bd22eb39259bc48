// SPDX-License-Identifier: GPL-2.0-or-later
/* A job with both ends in this process: blocks change hands in memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/io.h"
#include "client.h"
#include "engine.h"

/* The receiver is the end that reports: whatever the sender has to say comes to it. */
struct local_sender {
	struct hearth_job job;
	struct hearth_wires wires;
	const struct hearth_command *cmd;
};

/* An end that could not even begin tells nobody; the other must not wait for it. */
static void hang_up(const struct hearth_wires *wires)
{
	shutdown(wires->control->out_fd, SHUT_RDWR);
	for (uint32_t i = 0; i < wires->nr_streams; i++)
		wires->streams[i]->ops->cancel(wires->streams[i]);
}

static void *send_thread(void *arg)
{
	struct local_sender *s = arg;

	if (hearth_send(&s->job, &s->wires, s->cmd->sources, s->cmd->nr_sources) ==
	    HEARTH_EXIT_SYSTEM)
		hang_up(&s->wires);
	return NULL;
}

static enum hearth_exit run_ends(const struct hearth_command *cmd, struct hearth_job *job,
				 struct hearth_wires *near, struct hearth_wires *far)
{
	struct local_sender sender = { .wires = *far, .cmd = cmd };
	enum hearth_exit code;
	pthread_t thread;

	hearth_job_init(&sender.job, &cmd->opt);
	sender.job.filter = &cmd->filter;
	if (cmd->reads_stdin)
		sender.job.stream_fd = STDIN_FILENO;
	sender.job.only = cmd->names.nr ? &cmd->names : NULL;
	if (pthread_create(&thread, NULL, send_thread, &sender)) {
		hearth_job_fail(job, HEARTH_EXIT_SYSTEM, "no thread could be started");
		return HEARTH_EXIT_SYSTEM;
	}
	code = hearth_receive(job, near, cmd->destination.path, NULL, 0);
	if (code == HEARTH_EXIT_SYSTEM)
		hang_up(near);
	pthread_join(thread, NULL);
	hearth_job_exit(&sender.job);
	return code;
}

static int make_streams(uint32_t nr, struct hearth_stream **near, struct hearth_stream **far)
{
	int ret = 0;

	for (uint32_t i = 0; i < nr && !ret; i++)
		ret = hearth_memory_streams(1, &near[i], &far[i]);
	return ret;
}

static void free_streams(uint32_t nr, struct hearth_stream **streams)
{
	for (uint32_t i = 0; i < nr; i++)
		if (streams[i])
			streams[i]->ops->free(streams[i]);
}

/* Blocks lie near the destination's disk, if anywhere: there is no card. */
static int node_of(const struct hearth_command *cmd)
{
	struct hearth_numa numa;

	hearth_numa_read(&numa, "", cmd->destination.path, -1);
	hearth_numa_plan(&numa, cmd->opt.numa);
	return numa.disk_node;
}

enum hearth_exit hearth_run_local(const struct hearth_command *cmd, struct hearth_job *job)
{
	struct hearth_stream *near[HEARTH_MAX_STREAMS] = { 0 }, *far[HEARTH_MAX_STREAMS] = { 0 };
	struct hearth_control controls[2];
	struct hearth_pool pool;
	struct hearth_wires wires[] = {
		{ &controls[0], near, cmd->nr_streams, &pool, NULL },
		{ &controls[1], far, cmd->nr_streams, &pool, NULL },
	};
	enum hearth_exit code = HEARTH_EXIT_SYSTEM;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ||
	    hearth_control_init(&controls[0], pair[0], pair[0]) ||
	    hearth_control_init(&controls[1], pair[1], pair[1]) ||
	    hearth_pool_init(&pool, cmd->opt.block_bytes,
			     hearth_pool_start_bytes(cmd->opt.memory_bytes), node_of(cmd))) {
		hearth_job_fail(job, code, "no memory for the blocks; lower --memory");
		return code;
	}
	if (make_streams(cmd->nr_streams, near, far))
		hearth_job_fail(job, code, "no memory for the streams");
	else
		code = run_ends(cmd, job, &wires[0], &wires[1]);
	free_streams(cmd->nr_streams, near);
	free_streams(cmd->nr_streams, far);
	hearth_pool_exit(&pool);
	for (int i = 0; i < 2; i++) {
		hearth_control_exit(&controls[i]);
		hearth_close(&pair[i]);
	}
	return code;
}
