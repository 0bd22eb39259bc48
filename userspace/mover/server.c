// SPDX-License-Identifier: GPL-2.0-or-later
/* The far end of a job, on standard input and output. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/bytes.h"
#include "../common/io.h"
#include "names.h"
#include "rails.h"
#include "reverse.h"
#include "server.h"
#include "session.h"
#include "share.h"
#include "window.h"

static const char expired[] = "the key for this copy has expired";

/* The client may have to find out first that it cannot reach the port, nor be reached. */
#define PATIENCE_SECONDS (2 * HEARTH_CONNECT_SECONDS)

/*
 * The address under which ssh was reached is the one under which the data port is, and where the
 * client came from is where its own would be. Empty texts if ssh does not say.
 */
static void get_addresses(char client[64], char own[64])
{
	const char *env = getenv("SSH_CONNECTION");

	if (env && sscanf(env, "%63s %*s %63s", client, own) == 2)
		return;
	client[0] = '\0';
	own[0] = '\0';
}

static enum hearth_exit refuse(struct hearth_control *c, enum hearth_exit code, const char *text)
{
	hearth_control_send_fail(c, code, text);
	return code;
}

static int parse_hello(const struct hearth_frame *f, struct hearth_hello *ret)
{
	return f->type == HEARTH_FRAME_HELLO ? hearth_parse_hello(f, ret) : -EPROTO;
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

/* What more streams come by while the job runs: a port of its own, or the client's. */
struct ways {
	struct hearth_supply supply;
	struct hearth_door door;
	struct hearth_reverse reverse;
	struct hearth_rdma_plan plan;
	struct hearth_rails rails;
	const struct hearth_hello *hello; /* names another server's port */
	uint64_t until_ns; /* when the key for that expires */
	char client[64];
};

static enum hearth_exit run_job(struct hearth_control *c, struct hearth_hello *h,
				const struct hearth_terms *terms, struct hearth_stream **streams,
				const struct ways *ways)
{
	struct hearth_rdma *rdma = ways->rails.rdma;
	struct hearth_wires wires = { .control = c,
				      .streams = streams,
				      .nr_streams = h->nr_streams,
				      .supply = rdma ? NULL : &ways->supply,
				      .pool = rdma ? hearth_rdma_pool(rdma) : NULL };
	struct hearth_job job;
	enum hearth_exit code;

	hearth_job_init(&job, &h->opt);
	job.filter = &h->filter;
	job.base_fd = terms->base_fd;
	job.only = h->nr_names ? &h->names : NULL;
	if (rdma)
		hearth_rdma_set_job(rdma, &job);
	if (h->direction == HEARTH_SERVER_SENDS)
		code = hearth_send(&job, &wires, h->paths, h->nr_paths);
	else
		code = hearth_receive(&job, &wires, h->paths[0], NULL, 0);
	if (code == HEARTH_EXIT_OK && h->opt.bench)
		tell_usage(c);
	if (rdma)
		hearth_rdma_set_job(rdma, NULL);
	hearth_job_exit(&job);
	return code;
}

/* The client may ask for other ways than to connect to the port. */
static int hear_client(void *ctx)
{
	struct ways *ways = ctx;
	struct hearth_control *c = ways->reverse.control;
	struct hearth_frame f;
	int ret = hearth_control_recv(c, &f);

	if (ret)
		return ret;
	if (f.type == HEARTH_FRAME_RAILS)
		return hearth_rails_heard(&ways->rails, &f);
	hearth_control_unrecv(c, &f);
	return hearth_reverse_heard(&ways->reverse);
}

/* Opens a port, tells it, and takes the streams in; or comes to the client if it asks for that. */
static enum hearth_exit take_streams(struct hearth_control *c, struct hearth_hello *h,
				     const struct hearth_terms *terms,
				     const struct hearth_ticket *ticket, struct ways *ways,
				     struct hearth_stream **streams)
{
	struct hearth_welcome welcome = { 0 };
	const struct hearth_word word = { hear_client, ways };
	char text[128];
	int listen_fd, err;

	ways->reverse = (struct hearth_reverse){ .control = c,
						 .ticket = ticket,
						 .client = ways->client,
						 .nr_streams = h->nr_streams,
						 .streams = streams };
	ways->plan = (struct hearth_rdma_plan){
		.ticket = ticket,
		.is_sender = h->direction == HEARTH_SERVER_SENDS,
		.nr_streams = h->nr_streams,
		.block_bytes = h->opt.block_bytes,
		.memory_bytes = h->opt.memory_bytes,
	};
	ways->rails = (struct hearth_rails){ .control = c,
					     .plan = &ways->plan,
					     .streams = streams };
	welcome.port = terms->shared_port;
	welcome.is_shared = terms->shared_port;
	listen_fd = terms->shared_port
			    ? hearth_share_listen(h->session)
			    : hearth_listen(h->port_low, h->port_high, &welcome.port);
	if (listen_fd < 0) {
		snprintf(text, sizeof(text),
			 "no port of %u-%u can be listened on at the far end: %s", h->port_low,
			 h->port_high, strerror(-listen_fd));
		return refuse(c, HEARTH_EXIT_CONNECT, text);
	}
	ways->rails.listen_fd = listen_fd;
	get_addresses(ways->client, welcome.address);
	if (*terms->client)
		snprintf(ways->client, sizeof(ways->client), "%s", terms->client);
	err = hearth_send_welcome(c, &welcome);
	if (!err)
		err = hearth_accept_streams(listen_fd, c->in_fd, ticket, h->nr_streams,
					    h->is_third_party
						    ? h->lifetime_s
						    : h->opt.timeout_s + PATIENCE_SECONDS,
					    h->is_third_party ? NULL : &word,
					    streams);
	if (!err && ways->reverse.port) {
		ways->supply =
			(struct hearth_supply){ hearth_reverse_dial, NULL, &ways->reverse };
	} else if (!err) {
		ways->door = (struct hearth_door){ listen_fd, ticket, ways->until_ns };
		ways->supply = (struct hearth_supply){ NULL, hearth_door_attend, &ways->door };
		return HEARTH_EXIT_OK;
	}
	hearth_close(&listen_fd);
	if (!err)
		return HEARTH_EXIT_OK;
	snprintf(text, sizeof(text), "data connections to port %u did not come in: %s",
		 welcome.port,
		 h->is_third_party && err == -ETIMEDOUT ? expired : strerror(-err));
	return refuse(c, HEARTH_EXIT_CONNECT, text);
}

/* One stream to a port that another server has opened, of a copy between the two. */
static int join_one(const struct ways *ways, const struct hearth_ticket *ticket, int timeout_s,
		    uint32_t number, struct hearth_stream **ret)
{
	const struct hearth_hello *h = ways->hello;
	int fd = hearth_now_ns() < ways->until_ns
			 ? hearth_connect(h->peer_host, h->peer_port, timeout_s)
			 : -EKEYEXPIRED;

	/* What cannot be announced cannot be joined either. */
	if (fd >= 0 && h->peer_is_shared)
		hearth_share_announce(fd, h->session);
	return fd < 0 ? fd : hearth_join_stream(fd, ticket, number, ret);
}

static int dial_peer(void *ctx, uint32_t number, struct hearth_stream **ret)
{
	const struct ways *ways = ctx;
	struct hearth_ticket ticket = *ways->reverse.ticket;

	ticket.patience_s = HEARTH_MORE_SECONDS;
	return join_one(ways, &ticket, HEARTH_MORE_SECONDS, number, ret);
}

static enum hearth_exit join_peer(struct hearth_control *c, struct hearth_hello *h,
				  const struct hearth_ticket *ticket, struct ways *ways,
				  struct hearth_stream **streams)
{
	static const struct hearth_welcome no_port;
	char text[512];
	int err = 0;

	ways->reverse.ticket = ticket;
	ways->supply = (struct hearth_supply){ dial_peer, NULL, ways };
	for (uint32_t i = 0; i < h->nr_streams && !err; i++)
		err = join_one(ways, ticket, HEARTH_CONNECT_SECONDS, i, &streams[i]);
	if (!err)
		err = hearth_send_welcome(c, &no_port);
	if (!err)
		return HEARTH_EXIT_OK;
	snprintf(text, sizeof(text), "port %u of %s cannot be reached from the other end: %s",
		 h->peer_port, h->peer_host, err == -EKEYEXPIRED ? expired : strerror(-err));
	return refuse(c, HEARTH_EXIT_CONNECT, text);
}

static void bind_ticket(struct hearth_ticket *t, const struct hearth_hello *h,
			const uint8_t own_digest[HEARTH_DIGEST_BYTES])
{
	bool reads = h->direction == HEARTH_SERVER_SENDS;

	hearth_ticket_bind(t, reads ? own_digest : h->peer_digest,
			   reads ? h->peer_digest : own_digest, h->lifetime_s);
}

/* A hello that is understood: who is admitted gets streams and a job. */
static enum hearth_exit serve_client(struct hearth_control *c, struct hearth_hello *h,
				     const struct hearth_admission *a)
{
	struct hearth_stream *streams[HEARTH_MAX_STREAMS] = { 0 };
	struct hearth_terms terms = { .base_fd = -1 };
	struct hearth_ticket ticket = { 0 };
	uint8_t own_digest[HEARTH_DIGEST_BYTES];
	struct ways ways = { .door.listen_fd = -1, .hello = h };
	enum hearth_exit code;
	char text[512] = "", has[256];

	if (h->is_third_party)
		ways.until_ns = hearth_now_ns() + h->lifetime_s * 1000000000ull;
	if (hearth_names_receive(c, h->nr_names, &h->names))
		return refuse(c, HEARTH_EXIT_PROTOCOL, "the list of files did not arrive whole");
	if (h->opt.congestion &&
	    hearth_check_congestion(h->opt.congestion, has, sizeof(has))) {
		snprintf(text, sizeof(text), "--congestion=%s: the far end has only: %s",
			 h->opt.congestion, has);
		return refuse(c, HEARTH_EXIT_USAGE, text);
	}
	hearth_digest_paths(h->paths, h->nr_paths, &h->names, own_digest);
	if (a && a->admit(a->ctx, h, &terms, text, sizeof(text)))
		return refuse(c, h->peer_host ? HEARTH_EXIT_CONNECT : HEARTH_EXIT_PLACE,
			      *text ? text : "the far end cannot serve this");
	memcpy(ticket.key, h->key, sizeof(ticket.key));
	ticket.session = h->session;
	ticket.seal = (enum hearth_seal_mode)h->opt.seal;
	ticket.congestion = h->opt.congestion;
	if (h->is_third_party)
		bind_ticket(&ticket, h, own_digest);
	code = h->peer_host ? join_peer(c, h, &ticket, &ways, streams)
			    : take_streams(c, h, &terms, &ticket, &ways, streams);
	if (code == HEARTH_EXIT_OK)
		code = run_job(c, h, &terms, streams, &ways);
	hearth_close(&ways.door.listen_fd);
	for (uint32_t i = 0; i < h->nr_streams; i++)
		if (streams[i])
			streams[i]->ops->free(streams[i]);
	return code;
}

static enum hearth_exit serve(struct hearth_control *c, const struct hearth_admission *a)
{
	struct hearth_hello h = { 0 };
	struct hearth_frame f;
	enum hearth_exit code;
	char text[128];
	int err = hearth_control_recv(c, &f);

	if (!err && f.type == HEARTH_FRAME_ASK)
		return hearth_window_serve(c, &f, a);
	if (!err)
		err = parse_hello(&f, &h);
	if (err == -EPROTONOSUPPORT) {
		snprintf(text, sizeof(text),
			 "this end speaks protocol %u, the far end %d (hearthd %s); install the same version at both",
			 h.protocol, HEARTH_PROTOCOL, HEARTH_VERSION);
		return refuse(c, HEARTH_EXIT_PROTOCOL, text);
	}
	if (err == -ENOMEM)
		return refuse(c, HEARTH_EXIT_SYSTEM, "the far end is out of memory");
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
