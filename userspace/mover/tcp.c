// SPDX-License-Identifier: GPL-2.0-or-later
/* Streams over TCP, or over the pipes of a helper program. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/io.h"
#include "transport.h"

struct tcp_stream {
	struct hearth_stream stream;
	int in_fd;
	int out_fd;
};

static struct tcp_stream *tcp_of(struct hearth_stream *s)
{
	return (struct tcp_stream *)s;
}

static int tcp_send(struct hearth_stream *s, struct hearth_block *b)
{
	struct iovec iov[] = {
		{ b->head, hearth_block_head_bytes(b) },
		{ b->data, b->len },
		{ b->trailer, sizeof(b->trailer) },
	};
	int ret = hearth_writev_all(tcp_of(s)->out_fd, iov, 3);

	hearth_pool_put(b);
	return ret;
}

static int recv_block(struct tcp_stream *t, struct hearth_block *b)
{
	struct iovec iov[3];
	int ret = hearth_read_all(t->in_fd, b->head, HEARTH_BLOCK_HEADER_BYTES);

	if (ret)
		return ret;
	ret = hearth_block_parse_header(b, t->stream.session);
	if (ret)
		return ret;
	iov[0].iov_base = b->head + HEARTH_BLOCK_HEADER_BYTES;
	iov[0].iov_len = hearth_block_head_bytes(b) - HEARTH_BLOCK_HEADER_BYTES;
	iov[1].iov_base = b->data;
	iov[1].iov_len = b->len;
	iov[2].iov_base = b->trailer;
	iov[2].iov_len = sizeof(b->trailer);
	ret = hearth_readv_all(t->in_fd, iov, 3);
	if (ret)
		return ret == -ENODATA ? -ECONNRESET : ret;
	return hearth_block_parse_table(b);
}

static int tcp_recv(struct hearth_stream *s, struct hearth_pool *pool, struct hearth_block **ret)
{
	struct hearth_block *b = hearth_pool_get(pool);
	int err;

	if (!b)
		return -ECANCELED;
	err = recv_block(tcp_of(s), b);
	if (err) {
		hearth_pool_put(b);
		return err;
	}
	*ret = b;
	return 0;
}

static void tcp_finish(struct hearth_stream *s)
{
	struct tcp_stream *t = tcp_of(s);

	if (shutdown(t->out_fd, SHUT_WR) && t->out_fd != t->in_fd)
		hearth_close(&t->out_fd);
}

static void tcp_cancel(struct hearth_stream *s)
{
	shutdown(tcp_of(s)->in_fd, SHUT_RDWR);
	shutdown(tcp_of(s)->out_fd, SHUT_RDWR);
}

static void tcp_free(struct hearth_stream *s)
{
	struct tcp_stream *t = tcp_of(s);

	if (t->out_fd != t->in_fd)
		hearth_close(&t->out_fd);
	hearth_close(&t->in_fd);
	free(t);
}

static const struct hearth_stream_ops tcp_ops = {
	.name = "tcp",
	.send = tcp_send,
	.recv = tcp_recv,
	.finish = tcp_finish,
	.cancel = tcp_cancel,
	.free = tcp_free,
};

struct hearth_stream *hearth_tcp_stream(int in_fd, int out_fd, uint64_t session)
{
	struct tcp_stream *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->stream.ops = &tcp_ops;
	t->stream.session = session;
	t->in_fd = in_fd;
	t->out_fd = out_fd;
	return &t->stream;
}
