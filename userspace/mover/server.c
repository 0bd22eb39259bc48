// SPDX-License-Identifier: GPL-2.0-or-later
/* The far end of a job, on standard input and output. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/bytes.h"
#include "../common/io.h"
#include "names.h"
#include "server.h"
#include "session.h"

/* The address under which ssh was reached is the one under which the data port is. */
static void get_own_address(char *buf, size_t size)
{
	const char *env = getenv("SSH_CONNECTION");
	char address[64];

	buf[0] = '\0';
	if (env && sscanf(env, "%*s %*s %63s", address) == 1)
		snprintf(buf, size, "%s", address);
}

static enum hearth_exit refuse(struct hearth_control *c, enum hearth_exit code, const char *text)
{
	hearth_control_send_fail(c, code, text);
	return code;
}

static int receive_hello(struct hearth_control *c, struct hearth_hello *ret)
{
	struct hearth_frame f;
	int err = hearth_control_recv(c, &f);

	if (!err && f.type != HEARTH_FRAME_HELLO)
		err = -EPROTO;
	return err ? err : hearth_parse_hello(&f, ret);
}

/* What this measurement has cost this end, whose process did nothing else. */
static void tell_usage(struct hearth_control *c)
{
	uint8_t buf[16];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	hearth_put_u64(&w, hearth_cpu_ns());
	hearth_put_u64(&w, hearth_peak_kib());
	hearth_control_send(c, HEARTH_FRAME_USAGE, buf, w.len);
}

static enum hearth_exit run_job(struct hearth_control *c, struct hearth_hello *h,
				const struct hearth_terms *terms, struct hearth_stream **streams)
{
	struct hearth_wires wires = { .control = c,
				      .streams = streams,
				      .nr_streams = h->nr_streams };
	struct hearth_job job;
	enum hearth_exit code;

	hearth_job_init(&job, &h->opt);
	job.filter = &h->filter;
	job.base_fd = terms->base_fd;
	job.only = h->nr_names ? &h->names : NULL;
	if (h->direction == HEARTH_SERVER_SENDS)
		code = hearth_send(&job, &wires, h->paths, h->nr_paths);
	else
		code = hearth_receive(&job, &wires, h->paths[0], NULL, 0);
	if (code == HEARTH_EXIT_OK && h->opt.bench)
		tell_usage(c);
	hearth_job_exit(&job);
	return code;
}

/* Opens a port, tells it, and takes the streams in. */
static enum hearth_exit take_streams(struct hearth_control *c, struct hearth_hello *h,
				     const struct hearth_ticket *ticket,
				     struct hearth_stream **streams)
{
	struct hearth_welcome welcome = { 0 };
	char text[128];
	int listen_fd, err;

	listen_fd = hearth_listen(h->port_low, h->port_high, &welcome.port);
	if (listen_fd < 0) {
		snprintf(text, sizeof(text),
			 "no port of %u-%u can be listened on at the far end: %s", h->port_low,
			 h->port_high, strerror(-listen_fd));
		return refuse(c, HEARTH_EXIT_CONNECT, text);
	}
	get_own_address(welcome.address, sizeof(welcome.address));
	err = hearth_send_welcome(c, &welcome);
	if (!err)
		err = hearth_accept_streams(listen_fd, c->in_fd, ticket, h->nr_streams,
					    h->opt.timeout_s, streams);
	hearth_close(&listen_fd);
	if (!err)
		return HEARTH_EXIT_OK;
	snprintf(text, sizeof(text), "data connections to port %u did not come in: %s",
		 welcome.port, strerror(-err));
	return refuse(c, HEARTH_EXIT_CONNECT, text);
}

/* Joins a port that another server has opened, of a copy between the two. */
static enum hearth_exit join_peer(struct hearth_control *c, struct hearth_hello *h,
				  const struct hearth_ticket *ticket,
				  struct hearth_stream **streams)
{
	static const struct hearth_welcome no_port;
	char text[512];
	int err = 0;

	for (uint32_t i = 0; i < h->nr_streams && !err; i++) {
		int fd = hearth_connect(h->peer_host, h->peer_port, HEARTH_CONNECT_SECONDS);

		err = fd < 0 ? fd : hearth_join_stream(fd, ticket, i, &streams[i]);
	}
	if (!err)
		err = hearth_send_welcome(c, &no_port);
	if (!err)
		return HEARTH_EXIT_OK;
	snprintf(text, sizeof(text), "port %u of %s cannot be reached from the other end: %s",
		 h->peer_port, h->peer_host, strerror(-err));
	return refuse(c, HEARTH_EXIT_CONNECT, text);
}

/* A hello that is understood: who is admitted gets streams and a job. */
static enum hearth_exit serve_client(struct hearth_control *c, struct hearth_hello *h,
				     const struct hearth_admission *a)
{
	struct hearth_stream *streams[HEARTH_MAX_STREAMS] = { 0 };
	struct hearth_terms terms = { .base_fd = -1 };
	struct hearth_ticket ticket;
	enum hearth_exit code;
	char text[512] = "";

	if (hearth_names_receive(c, h->nr_names, &h->names))
		return refuse(c, HEARTH_EXIT_PROTOCOL, "the list of files did not arrive whole");
	if (a && a->admit(a->ctx, h, &terms, text, sizeof(text)))
		return refuse(c, h->peer_host ? HEARTH_EXIT_CONNECT : HEARTH_EXIT_PLACE,
			      *text ? text : "the far end cannot serve this");
	memcpy(ticket.key, h->key, sizeof(ticket.key));
	ticket.session = h->session;
	ticket.seal = (enum hearth_seal_mode)h->opt.seal;
	code = h->peer_host ? join_peer(c, h, &ticket, streams)
			    : take_streams(c, h, &ticket, streams);
	if (code == HEARTH_EXIT_OK)
		code = run_job(c, h, &terms, streams);
	for (uint32_t i = 0; i < h->nr_streams; i++)
		if (streams[i])
			streams[i]->ops->free(streams[i]);
	return code;
}

static enum hearth_exit serve(struct hearth_control *c, const struct hearth_admission *a)
{
	struct hearth_hello h;
	enum hearth_exit code;
	char text[128];
	int err = receive_hello(c, &h);

	if (err == -EPROTONOSUPPORT) {
		snprintf(text, sizeof(text),
			 "this end speaks protocol %u, the far end %d (hearthd %s); install the same version at both",
			 h.protocol, HEARTH_PROTOCOL, HEARTH_VERSION);
		return refuse(c, HEARTH_EXIT_PROTOCOL, text);
	}
	if (err)
		return refuse(c, HEARTH_EXIT_PROTOCOL,
			      "the far end did not understand the first message");
	code = serve_client(c, &h, a);
	hearth_hello_exit(&h);
	return code;
}

enum hearth_exit hearth_serve(int in_fd, int out_fd, const struct hearth_admission *a)
{
	struct hearth_control c;
	enum hearth_exit code;

	if (hearth_control_init(&c, in_fd, out_fd))
		return HEARTH_EXIT_SYSTEM;
	c.timeout_s = 60;
	code = serve(&c, a);
	hearth_control_exit(&c);
	return code;
}
