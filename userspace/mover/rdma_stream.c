// SPDX-License-Identifier: GPL-2.0-or-later
/* The streams that the engine sees; any of them takes and gives blocks of any queue pair. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../common/io.h"
#include "rdma_impl.h"

struct rdma_stream {
	struct hearth_stream stream;
	struct hearth_rdma *bundle;
	struct hearth_seal seal;
	bool has_finished;
};

static struct rdma_stream *rdma_of(struct hearth_stream *s)
{
	return (struct rdma_stream *)s;
}

static int rdma_send(struct hearth_stream *s, struct hearth_block *b)
{
	struct rdma_stream *f = rdma_of(s);
	uint64_t bytes = 0;
	int ret;

	hearth_close(&b->payload_fd);
	ret = hearth_rdma_source_send(f->bundle, b, &bytes, &f->seal);
	s->wire_bytes += bytes;
	return ret;
}

static int rdma_recv(struct hearth_stream *s, struct hearth_pool *pool, struct hearth_block **ret)
{
	struct rdma_stream *f = rdma_of(s);
	uint64_t bytes = 0;
	int err = hearth_rdma_sink_recv(f->bundle, ret, &bytes, &f->seal);

	(void)pool;
	s->wire_bytes += bytes;
	return err;
}

/* What any stream sent may have gone over any queue pair: the last of them says that it is over. */
static void rdma_finish(struct hearth_stream *s)
{
	struct rdma_stream *f = rdma_of(s);
	struct hearth_rdma *r = f->bundle;

	if (f->has_finished)
		return;
	f->has_finished = true;
	pthread_mutex_lock(&r->lock);
	if (!--r->nr_unfinished)
		hearth_rdma_source_finish(r);
	if (!r->nr_unfinished && r->spare)
		r->spare->ops->finish(r->spare);
	pthread_mutex_unlock(&r->lock);
}

static void rdma_cancel(struct hearth_stream *s)
{
	struct hearth_rdma *r = rdma_of(s)->bundle;

	pthread_mutex_lock(&r->lock);
	r->is_cancelled = true;
	pthread_cond_broadcast(&r->changed);
	if (r->spare)
		r->spare->ops->cancel(r->spare);
	pthread_mutex_unlock(&r->lock);
}

static void rdma_free(struct hearth_stream *s)
{
	struct rdma_stream *f = rdma_of(s);
	struct hearth_rdma *r = f->bundle;

	hearth_seal_exit(&f->seal);
	free(f);
	if (!--r->nr_refs)
		hearth_rdma_free(r);
}

/* All streams share all queue pairs: what they delivered, the acknowledgements tell. */
static void rdma_look(struct hearth_stream *s, struct hearth_stream_path *ret)
{
	struct hearth_rdma *r = rdma_of(s)->bundle;

	memset(ret, 0, sizeof(*ret));
	pthread_mutex_lock(&r->lock);
	ret->min_rtt_ns = r->rtt_ns;
	ret->nr_ways = hearth_rdma_nr_live(r);
	pthread_mutex_unlock(&r->lock);
}

static const struct hearth_stream_ops rdma_ops = {
	.name = "rdma",
	.send = rdma_send,
	.recv = rdma_recv,
	.finish = rdma_finish,
	.cancel = rdma_cancel,
	.free = rdma_free,
	.look = rdma_look,
};

static struct hearth_stream *make_stream(struct hearth_rdma *r)
{
	struct rdma_stream *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->stream.ops = &rdma_ops;
	f->stream.session = r->ticket.session;
	f->bundle = r;
	hearth_seal_init(&f->seal, r->seal.mode, r->seal.key, !r->plan.is_sender);
	return &f->stream;
}

int hearth_rdma_streams(struct hearth_rdma *r, struct hearth_stream **streams)
{
	for (uint32_t i = 0; i < r->plan.nr_streams; i++) {
		streams[i] = make_stream(r);
		if (streams[i])
			continue;
		while (i--) {
			free(streams[i]);
			streams[i] = NULL;
		}
		return -ENOMEM;
	}
	r->nr_refs = r->plan.nr_streams;
	r->nr_unfinished = r->plan.nr_streams;
	return 0;
}
