// SPDX-License-Identifier: GPL-2.0-or-later
/* The far end connects to the client. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../common/bytes.h"
#include "../common/io.h"
#include "reverse.h"

#define REASON_BYTES 256

static void drop_streams(struct hearth_stream **streams, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		if (streams[i])
			streams[i]->ops->free(streams[i]);
		streams[i] = NULL;
	}
}

/* What the client hears from the far end while it waits. */
struct asking {
	struct hearth_control *control;
	bool is_answered;
	char *why;
	size_t size;
};

static int hear_answer(void *ctx)
{
	struct asking *a = ctx;
	struct hearth_frame f;
	struct hearth_reader r;
	const char *text;
	size_t len;
	int ret = hearth_control_recv(a->control, &f);

	if (ret)
		return ret;
	r = hearth_reader_of(f.body, f.len);
	text = hearth_get_string(&r, REASON_BYTES, &len);
	if (f.type != HEARTH_FRAME_REVERSED || r.is_bad || hearth_reader_left(&r))
		return -EPROTO;
	a->is_answered = true;
	if (!len)
		return 0;
	snprintf(a->why, a->size, "%.*s", (int)len, text);
	return -ECONNREFUSED;
}

static int ask(struct asking *a, int listen_fd, uint16_t port, const struct hearth_ticket *t,
	       uint32_t nr_streams, struct hearth_stream **streams)
{
	struct hearth_word word = { hear_answer, a };
	uint8_t buf[2];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));
	int ret;

	hearth_put_u16(&w, port);
	ret = hearth_control_send(a->control, HEARTH_FRAME_REVERSE, buf, w.len);
	/* The far end gives up by itself, and says so. */
	if (!ret)
		ret = hearth_accept_streams(listen_fd, a->control->in_fd, t, nr_streams,
					    3 * HEARTH_CONNECT_SECONDS, &word, streams);
	return ret || a->is_answered ? ret : hear_answer(a);
}

int hearth_reverse_ask(struct hearth_control *c, const struct hearth_ticket *t, uint16_t port_low,
		       uint16_t port_high, uint32_t nr_streams, struct hearth_stream **streams,
		       uint16_t *ret_port, int *ret_listen_fd, char *why, size_t size)
{
	struct asking a = { .control = c, .why = why, .size = size };
	int listen_fd = hearth_listen(port_low, port_high, ret_port), ret;

	*why = '\0';
	ret = listen_fd < 0 ? listen_fd : ask(&a, listen_fd, *ret_port, t, nr_streams, streams);
	if (!ret) {
		*ret_listen_fd = listen_fd;
		return 0;
	}
	hearth_close(&listen_fd);
	drop_streams(streams, nr_streams);
	if (!*why)
		snprintf(why, size, "%s", strerror(-ret));
	return ret;
}

int hearth_reverse_dial(void *ctx, uint32_t number, struct hearth_stream **ret)
{
	const struct hearth_reverse *v = ctx;
	struct hearth_ticket ticket = *v->ticket;
	int fd = hearth_connect(v->client, v->port, HEARTH_MORE_SECONDS);

	ticket.patience_s = HEARTH_MORE_SECONDS;
	return fd < 0 ? fd : hearth_join_stream(fd, &ticket, number, ret);
}

static int connect_back(const struct hearth_reverse *v, uint16_t port)
{
	int ret = *v->client ? 0 : -EDESTADDRREQ;

	for (uint32_t i = 0; i < v->nr_streams && !ret; i++) {
		int fd = hearth_connect(v->client, port, HEARTH_CONNECT_SECONDS);

		ret = fd < 0 ? fd : hearth_join_stream(fd, v->ticket, i, &v->streams[i]);
	}
	if (ret)
		drop_streams(v->streams, v->nr_streams);
	return ret;
}

int hearth_reverse_heard(void *ctx)
{
	struct hearth_reverse *v = ctx;
	uint8_t buf[REASON_BYTES + 8];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));
	struct hearth_frame f;
	struct hearth_reader r;
	const char *reason;
	uint16_t port;
	int ret = hearth_control_recv(v->control, &f);

	if (ret)
		return ret;
	if (f.type != HEARTH_FRAME_REVERSE) {
		/* All streams are there for the client, and the job has begun. */
		hearth_control_unrecv(v->control, &f);
		return 0;
	}
	r = hearth_reader_of(f.body, f.len);
	port = hearth_get_u16(&r);
	if (r.is_bad || hearth_reader_left(&r) || !port)
		return -EPROTO;
	ret = connect_back(v, port);
	v->port = ret ? 0 : port;
	reason = ret ? strerror(-ret) : "";
	hearth_put_string(&w, reason, strlen(reason));
	if (hearth_control_send(v->control, HEARTH_FRAME_REVERSED, buf, w.len))
		return -ECONNRESET;
	return !ret;
}
