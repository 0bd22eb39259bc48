// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A job with a far end, which ssh starts or which is a daemon.
 *
 * The streams go straight to a port of the far end. Where a firewall forbids
 * that, the far end connects to a port of this one; where that is forbidden as
 * well, each stream goes through an ssh of its own. --data decides, and the user
 * hears what was chosen and why.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/bytes.h"
#include "../common/io.h"
#include "far.h"
#include "names.h"
#include "rails.h"
#include "reverse.h"
#include "share.h"

struct remote {
	const struct hearth_command *cmd;
	struct hearth_job *job;
	struct hearth_report *report;
	struct hearth_far far;
	struct hearth_ssh forwards[HEARTH_MAX_STREAMS];
	struct hearth_ticket ticket;
	struct hearth_stream *streams[HEARTH_MAX_STREAMS];
	/* which way these came is also the way of those that come later */
	int (*connect_one)(struct remote *r, uint32_t i, int timeout_s, struct hearth_stream **ret);
	struct hearth_door door;
	struct hearth_supply supply;
	struct hearth_rdma *rdma;
};

static int greet(struct remote *r)
{
	static const struct hearth_names no_names;
	const struct hearth_command *cmd = r->cmd;
	bool pushes = cmd->destination.host;
	struct hearth_hello h = {
		.protocol = HEARTH_PROTOCOL,
		.direction = pushes ? HEARTH_SERVER_RECEIVES : HEARTH_SERVER_SENDS,
		.nr_streams = (uint8_t)cmd->nr_streams,
		.port_low = cmd->port_low,
		.port_high = cmd->port_high,
		.opt = cmd->opt,
		.nr_paths = pushes ? 1 : cmd->nr_sources,
		.filter = cmd->filter,
		.paths = pushes ? (char **)&cmd->destination.path : cmd->sources,
	};

	if (hearth_ticket_init(&r->ticket, cmd->opt.seal)) {
		hearth_job_fail(r->job, HEARTH_EXIT_SYSTEM, "no random bytes");
		return -EIO;
	}
	r->ticket.congestion = cmd->opt.congestion;
	h.session = r->ticket.session;
	/* A daemon knows the key from the TLS connection; it is not sent. */
	if (hearth_far_is_daemon(&r->far))
		memcpy(r->ticket.key, r->far.tls.exported, sizeof(r->ticket.key));
	else
		memcpy(h.key, r->ticket.key, sizeof(h.key));
	return hearth_far_greet(&r->far, &h, pushes ? &no_names : &cmd->names);
}

static int connect_direct(struct remote *r, uint32_t i, int timeout_s, struct hearth_stream **ret)
{
	char buf[256];
	const char *host = hearth_far_data_host(&r->far, buf, sizeof(buf));
	int fd = hearth_connect(host, r->far.welcome.port, timeout_s);

	/* What cannot be announced cannot be joined either. */
	if (fd >= 0 && r->far.welcome.is_shared)
		hearth_share_announce(fd, r->ticket.session);
	return fd < 0 ? fd : hearth_join_stream(fd, &r->ticket, i, ret);
}

static int connect_inside_ssh(struct remote *r, uint32_t i, int timeout_s,
			      struct hearth_stream **ret)
{
	int err = i < HEARTH_MAX_STREAMS ? hearth_ssh_forward(&r->forwards[i], r->cmd->rsh,
							      r->far.host, r->far.welcome.port)
					 : -EMFILE;
	int fd = err ? err : r->forwards[i].fd;

	(void)timeout_s;
	if (fd < 0)
		return fd;
	r->forwards[i].fd = -1; /* the stream's from here on */
	return hearth_join_stream(fd, &r->ticket, i, ret);
}

/* One more while the job runs. */
static int dial(void *ctx, uint32_t number, struct hearth_stream **ret)
{
	struct remote *r = ctx;

	return r->connect_one(r, number, HEARTH_MORE_SECONDS, ret);
}

typedef int connect_fn(struct remote *r, uint32_t i, int timeout_s, struct hearth_stream **ret);

static int connect_all(struct remote *r, connect_fn *connect_one)
{
	int ret = 0;

	for (uint32_t i = 0; i < r->cmd->nr_streams && !ret; i++)
		ret = connect_one(r, i, HEARTH_CONNECT_SECONDS, &r->streams[i]);
	r->connect_one = connect_one;
	r->supply = (struct hearth_supply){ dial, NULL, r };
	return ret;
}

struct connecting {
	struct remote *remote;
	uint32_t number;
	pthread_t thread;
	bool has_thread;
	int err;
};

static void *connect_thread(void *arg)
{
	struct connecting *c = arg;

	c->err = connect_direct(c->remote, c->number, HEARTH_CONNECT_SECONDS,
				&c->remote->streams[c->number]);
	return NULL;
}

/* Who listens has room for a number of connections that have not said yet what they are. */
#define AT_ONCE 8

/* Those from @first on, at the same time; one that found no room tries again alone. */
static int connect_some(struct remote *r, uint32_t first, uint32_t nr)
{
	struct connecting some[AT_ONCE];
	int ret = 0;

	for (uint32_t i = 0; i < nr; i++) {
		struct connecting *c = &some[i];

		*c = (struct connecting){ .remote = r, .number = first + i };
		c->has_thread = !pthread_create(&c->thread, NULL, connect_thread, c);
	}
	for (uint32_t i = 0; i < nr; i++)
		if (some[i].has_thread)
			pthread_join(some[i].thread, NULL);
	for (uint32_t i = 0; i < nr && !ret; i++) {
		if (!some[i].has_thread || some[i].err)
			connect_thread(&some[i]);
		ret = some[i].err;
	}
	return ret;
}

/*
 * A port that takes the first one takes all. Each costs some round trips, so the others are made
 * several at the same time: on a long path that shows.
 */
static int connect_all_direct(struct remote *r)
{
	uint32_t nr = r->cmd->nr_streams;
	int ret = connect_direct(r, 0, HEARTH_CONNECT_SECONDS, &r->streams[0]);

	r->connect_one = connect_direct;
	r->supply = (struct hearth_supply){ dial, NULL, r };
	for (uint32_t i = 1; i < nr && !ret; i += AT_ONCE)
		ret = connect_some(r, i, nr - i < AT_ONCE ? nr - i : AT_ONCE);
	return ret;
}

/* The far end connects to a port of this one. 0, or -errno with the reason in @why. */
static int connect_reverse(struct remote *r, uint16_t *ret_port, char *why, size_t size)
{
	const struct hearth_command *cmd = r->cmd;

	int ret = hearth_reverse_ask(&r->far.control, &r->ticket, cmd->port_low, cmd->port_high,
				     cmd->nr_streams, r->streams, ret_port, &r->door.listen_fd,
				     why, size);

	r->door.ticket = &r->ticket;
	r->supply = (struct hearth_supply){ NULL, hearth_door_attend, &r->door };
	return ret;
}

/* Where the far end's port cannot be reached: @why says the reason. 0 or -errno, the job failed. */
static int find_way(struct remote *r, const char *why)
{
	char text[768], why_not_reverse[256];
	uint16_t port;
	int ret = connect_reverse(r, &port, why_not_reverse, sizeof(why_not_reverse));

	if (!ret) {
		snprintf(text, sizeof(text),
			 "port %u of the far end cannot be reached (%s): it connects to port %u here instead",
			 r->far.welcome.port, why, port);
		hearth_report_remark(r->report, text);
		return 0;
	}
	if (hearth_far_is_daemon(&r->far)) {
		hearth_job_fail(r->job, HEARTH_EXIT_CONNECT,
				"%s: port %u cannot be reached (%s), nor one here from there (%s); open one and name it with data-ports or --port",
				r->far.host, r->far.welcome.port, why, why_not_reverse);
		return ret;
	}
	snprintf(text, sizeof(text),
		 "port %u of the far end cannot be reached (%s), nor one here from there (%s): data goes inside ssh, which is slower; open a port and name it with --port",
		 r->far.welcome.port, why, why_not_reverse);
	hearth_report_remark(r->report, text);
	ret = connect_all(r, connect_inside_ssh);
	if (ret)
		hearth_job_fail(r->job, HEARTH_EXIT_CONNECT,
				"%s: no data connection inside ssh (is AllowTcpForwarding on?): %s",
				r->far.host, strerror(-ret));
	return ret;
}

/* Why RDMA is out of the question for this job; NULL: it is not. */
static const char *why_not_rdma(const struct hearth_command *cmd)
{
	if (cmd->transport == HEARTH_TRANSPORT_TCP)
		return "--transport=tcp";
	if (cmd->opt.compress_level)
		return "--compress packs what goes over TCP";
	if (cmd->opt.congestion)
		return "--congestion is TCP's";
	if (cmd->data_path == HEARTH_DATA_REVERSE || cmd->data_path == HEARTH_DATA_SSH)
		return "--data says how TCP is to go";
	return NULL;
}

static uint32_t queues_of_rail(const struct hearth_command *cmd, uint32_t usual)
{
	if (cmd->writes_stdout)
		return 1;
	return cmd->opt.spares_streams ? usual : cmd->nr_streams;
}

static int agree_on_rdma(struct remote *r, char *why)
{
	const struct hearth_command *cmd = r->cmd;
	const struct hearth_rdma_plan plan = {
		.ticket = &r->ticket,
		.is_sender = cmd->destination.host,
		.keeps_order = cmd->writes_stdout,
		.nr_streams = cmd->nr_streams,
		.read_per_rail = queues_of_rail(cmd, HEARTH_RDMA_READ_PER_RAIL),
		.written_per_rail = queues_of_rail(cmd, HEARTH_RDMA_WRITTEN_PER_RAIL),
		.mode = cmd->rdma_mode,
		.block_bytes = cmd->opt.block_bytes,
		.may_lengthen = cmd->lengthens_blocks && !cmd->opt.bench,
		.memory_bytes = cmd->opt.memory_bytes,
		.why = why,
	};
	int ret = hearth_rails_ask(&r->far.control, &plan, &r->rdma);

	if (ret)
		return ret;
	ret = hearth_rdma_streams(r->rdma, r->streams);
	if (ret) {
		hearth_rdma_free(r->rdma);
		r->rdma = NULL;
		hearth_job_fail(r->job, HEARTH_EXIT_SYSTEM, "out of memory");
	}
	return ret;
}

/* What is left when every queue pair has failed; without it the job goes as well. */
static int connect_spare(struct remote *r)
{
	struct hearth_stream *spare;

	if (r->cmd->writes_stdout)
		return 0;
	if (connect_direct(r, 0, HEARTH_CONNECT_SECONDS, &spare))
		return hearth_rails_alone(&r->far.control);
	return hearth_rdma_set_spare(r->rdma, spare);
}

/* 0: the streams are there; 1: TCP it is; or -errno, the job having failed. */
static int connect_rdma(struct remote *r)
{
	struct hearth_route *route = &r->report->route;
	const char *not_asked = why_not_rdma(r->cmd);
	bool is_heard = r->cmd->says_transport || hearth_rdma_has_device();
	char text[HEARTH_RDMA_WHY_BYTES + 64];
	int ret = -ENODEV;

	if (not_asked)
		snprintf(route->why, sizeof(route->why), "%s", not_asked);
	else
		ret = agree_on_rdma(r, route->why);
	if (!ret) {
		ret = connect_spare(r);
		if (ret)
			hearth_engine_fail_control(r->job, ret, r->cmd->opt.timeout_s);
		return ret;
	}
	if (r->job->is_failed)
		return ret;
	if (r->cmd->transport == HEARTH_TRANSPORT_RDMA) {
		hearth_job_fail(r->job, HEARTH_EXIT_CONNECT, "%s: --transport=rdma: %s",
				r->far.host, route->why);
		return ret;
	}
	route->transport = "tcp";
	snprintf(text, sizeof(text), "data goes over TCP, not RDMA: %s", route->why);
	if (!not_asked && is_heard)
		hearth_report_remark(r->report, text);
	return 1;
}

static int connect_streams(struct remote *r)
{
	char why[256];
	uint16_t port;
	int ret = connect_rdma(r);

	if (ret <= 0)
		return ret;
	switch (r->cmd->data_path) {
	case HEARTH_DATA_REVERSE:
		ret = connect_reverse(r, &port, why, sizeof(why));
		break;
	case HEARTH_DATA_SSH:
		ret = connect_all(r, connect_inside_ssh);
		snprintf(why, sizeof(why), "is AllowTcpForwarding on? %s", strerror(-ret));
		break;
	default:
		ret = connect_all_direct(r);
		snprintf(why, sizeof(why), "%s", strerror(-ret));
		/* A port that took one connection takes all, or there is something else wrong. */
		if (ret && !r->streams[0] && r->cmd->data_path == HEARTH_DATA_AUTO)
			return find_way(r, why);
	}
	if (ret)
		hearth_job_fail(r->job, HEARTH_EXIT_CONNECT,
				"%s: no data connection with --data=%s: %s", r->far.host,
				hearth_data_path_name(r->cmd->data_path), why);
	return ret;
}

/* After a measurement the far end says what it has cost there. */
static void hear_usage(struct remote *r)
{
	struct hearth_frame f = { 0 };
	struct hearth_reader reader;
	int err = 0;

	while (!err && f.type != HEARTH_FRAME_USAGE)
		err = hearth_control_recv(&r->far.control, &f);
	reader = hearth_reader_of(f.body, err ? 0 : f.len);
	r->job->count.far_cpu_ns = hearth_get_u64(&reader);
	r->job->count.far_rss_kib = hearth_get_u64(&reader);
	if (reader.is_bad)
		hearth_job_fail(r->job, HEARTH_EXIT_PROTOCOL,
				"the far end did not say what the measurement has cost it");
}

static enum hearth_exit run_job(struct remote *r)
{
	const struct hearth_command *cmd = r->cmd;
	struct hearth_wires wires = { .control = &r->far.control,
				      .streams = r->streams,
				      .nr_streams = cmd->nr_streams,
				      .supply = r->rdma ? NULL : &r->supply,
				      .pool = r->rdma ? hearth_rdma_pool(r->rdma) : NULL };
	struct hearth_names expected = { 0 };
	enum hearth_exit code;
	uint64_t start;

	if (cmd->destination.host) {
		start = hearth_now_ns();
		code = hearth_send(r->job, &wires, cmd->sources, cmd->nr_sources);
		r->job->count.run_ns = hearth_now_ns() - start;
		if (code == HEARTH_EXIT_OK && cmd->opt.bench)
			hear_usage(r);
		return code;
	}
	if (hearth_command_expect(cmd, &expected)) {
		hearth_job_fail(r->job, HEARTH_EXIT_SYSTEM, "out of memory");
		return HEARTH_EXIT_SYSTEM;
	}
	code = hearth_receive(r->job, &wires, cmd->destination.path, expected.v, expected.nr);
	hearth_names_exit(&expected);
	return code;
}

static void run(struct remote *r)
{
	if (!greet(r) && !connect_streams(r)) {
		r->ticket.patience_s = HEARTH_MORE_SECONDS;
		if (r->rdma)
			hearth_rdma_set_job(r->rdma, r->job);
		run_job(r);
	}
	if (r->rdma) {
		hearth_rdma_set_job(r->rdma, NULL);
		hearth_rdma_describe(r->rdma, &r->report->route);
	}
	hearth_close(&r->door.listen_fd);
	for (uint32_t i = 0; i < HEARTH_MAX_STREAMS; i++) {
		if (r->streams[i])
			r->streams[i]->ops->free(r->streams[i]);
		hearth_ssh_stop(&r->forwards[i], r->job->is_failed);
	}
}

enum hearth_exit hearth_run_remote(const struct hearth_command *cmd, struct hearth_job *job,
				   struct hearth_report *report)
{
	const char *host = cmd->destination.host ? cmd->destination.host : cmd->source_host;
	struct remote *r = calloc(1, sizeof(*r));

	if (!r) {
		hearth_job_fail(job, HEARTH_EXIT_SYSTEM, "out of memory");
		return HEARTH_EXIT_SYSTEM;
	}
	r->cmd = cmd;
	r->job = job;
	r->report = report;
	r->door.listen_fd = -1;
	for (uint32_t i = 0; i < HEARTH_MAX_STREAMS; i++)
		r->forwards[i].fd = -1;
	if (!hearth_far_open(&r->far, cmd, job, host)) {
		run(r);
		hearth_far_close(&r->far);
	}
	free(r);
	return hearth_job_result(job);
}
