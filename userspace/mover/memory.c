// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Streams inside one process: the block itself changes hands, no byte is copied.
 *
 * The two ends share one channel with a queue for each direction, and die with
 * the later of them.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "transport.h"

struct channel {
	struct hearth_queue queues[2];
	atomic_int refs;
};

struct memory_stream {
	struct hearth_stream stream;
	struct channel *channel;
	int side;
};

static struct memory_stream *memory_of(struct hearth_stream *s)
{
	return (struct memory_stream *)s;
}

static struct hearth_queue *outgoing(struct memory_stream *m)
{
	return &m->channel->queues[m->side];
}

static struct hearth_queue *incoming(struct memory_stream *m)
{
	return &m->channel->queues[!m->side];
}

static int memory_send(struct hearth_stream *s, struct hearth_block *b)
{
	hearth_queue_push(outgoing(memory_of(s)), b);
	return 0;
}

static int memory_recv(struct hearth_stream *s, struct hearth_pool *pool, struct hearth_block **ret)
{
	struct hearth_block *b = hearth_queue_pop(incoming(memory_of(s)));

	(void)pool;
	if (!b)
		return -ENODATA;
	*ret = b;
	return 0;
}

static void memory_finish(struct hearth_stream *s)
{
	hearth_queue_close(outgoing(memory_of(s)));
}

static void memory_cancel(struct hearth_stream *s)
{
	hearth_queue_close(outgoing(memory_of(s)));
	hearth_queue_close(incoming(memory_of(s)));
}

static void memory_free(struct hearth_stream *s)
{
	struct memory_stream *m = memory_of(s);

	if (atomic_fetch_sub(&m->channel->refs, 1) == 1) {
		hearth_queue_exit(&m->channel->queues[0]);
		hearth_queue_exit(&m->channel->queues[1]);
		free(m->channel);
	}
	free(m);
}

static const struct hearth_stream_ops memory_ops = {
	.name = "memory",
	.send = memory_send,
	.recv = memory_recv,
	.finish = memory_finish,
	.cancel = memory_cancel,
	.free = memory_free,
};

int hearth_memory_streams(uint64_t session, struct hearth_stream **ret_near,
			  struct hearth_stream **ret_far)
{
	struct channel *c = calloc(1, sizeof(*c));
	struct memory_stream *near = calloc(1, sizeof(*near));
	struct memory_stream *far = calloc(1, sizeof(*far));

	if (!c || !near || !far) {
		free(c);
		free(near);
		free(far);
		return -ENOMEM;
	}
	hearth_queue_init(&c->queues[0]);
	hearth_queue_init(&c->queues[1]);
	atomic_init(&c->refs, 2);
	near->stream.ops = &memory_ops;
	near->stream.session = session;
	near->channel = c;
	far->stream.ops = &memory_ops;
	far->stream.session = session;
	far->channel = c;
	far->side = 1;
	*ret_near = &near->stream;
	*ret_far = &far->stream;
	return 0;
}
