// SPDX-License-Identifier: GPL-2.0-or-later
/* How two ends agree on RDMA, on the control channel. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/bytes.h"
#include "../common/io.h"
#include "rails.h"
#include "rdma_impl.h"

#define LIVE_SECONDS 10

enum step {
	STEP_ASK = 1,
	STEP_OFFER,
	STEP_GO,
	STEP_SET,
	STEP_ALONE,
};

static int fail(char *why, int err, const char *text)
{
	snprintf(why, HEARTH_RDMA_WHY_BYTES, "%s", text);
	return err;
}

/* What the server has to say against it, as the client tells it. */
static int hear_refusal(struct hearth_reader *r, char *why)
{
	size_t len;
	const char *text = hearth_get_string(r, HEARTH_RDMA_WHY_BYTES - 1, &len);

	if (r->is_bad)
		return fail(why, -EPROTO, "the far end's answer was not understood");
	if (!len)
		return 0;
	snprintf(why, HEARTH_RDMA_WHY_BYTES, "at the far end: %.*s", (int)len, text);
	return -ENODEV;
}

static int receive(struct hearth_control *c, enum step step, struct hearth_reader *ret, char *why)
{
	struct hearth_frame f;
	enum hearth_exit code;
	char text[256];
	int err = hearth_control_recv(c, &f);

	if (err)
		return fail(why, err, strerror(-err));
	if (f.type == HEARTH_FRAME_FAIL && !hearth_parse_fail(&f, &code, text, sizeof(text)))
		return fail(why, -ECONNRESET, text);
	*ret = hearth_reader_of(f.body, f.len);
	if (f.type != HEARTH_FRAME_RAILED || hearth_get_u8(ret) != step)
		return fail(why, -EPROTO, "the far end's answer was not understood");
	return hear_refusal(ret, why);
}

static int send_ask(struct hearth_control *c, const struct hearth_rdma_plan *plan)
{
	uint8_t buf[16];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	hearth_put_u8(&w, STEP_ASK);
	hearth_put_u16(&w, HEARTH_RDMA_VERSION);
	hearth_put_u8(&w, (uint8_t)plan->mode);
	hearth_put_u8(&w, (uint8_t)plan->read_per_rail);
	hearth_put_u8(&w, plan->keeps_order);
	return hearth_control_send(c, HEARTH_FRAME_RAILS, buf, w.len);
}

/* One to each of the addresses offered, as far as it can be had; 0 if there is one at all. */
static int connect_rails(struct hearth_rdma *r, struct hearth_reader *reader, uint64_t *ret_most)
{
	uint16_t port = hearth_get_u16(reader);
	uint32_t nr;
	int ret = -EPROTO;

	*ret_most = hearth_get_u64(reader);
	hearth_get_copy(reader, r->nonce, sizeof(r->nonce));
	nr = hearth_get_u8(reader);
	if (reader->is_bad || !nr || nr > HEARTH_RDMA_MAX_RAILS ||
	    hearth_reader_left(reader) != (size_t)nr * HEARTH_RDMA_ADDRESS_BYTES)
		return fail(r->why, -EPROTO, "the far end's answer was not understood");
	if (r->plan.keeps_order)
		nr = 1;
	hearth_rdma_seal_key(&r->ticket, r->nonce, r->seal.key);
	for (uint32_t i = 0; i < nr; i++) {
		struct sockaddr_storage to;

		hearth_rdma_get_address(reader, port, &to);
		ret = hearth_rdma_connect(r, &to);
	}
	return hearth_rdma_is_live(r) ? 0 : ret;
}

static int send_go(struct hearth_control *c, uint32_t nr, const struct hearth_rdma_shape *shape)
{
	uint8_t buf[16];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	hearth_put_u8(&w, STEP_GO);
	hearth_put_u8(&w, (uint8_t)nr);
	hearth_put_u8(&w, (uint8_t)shape->mode);
	hearth_put_u32(&w, shape->block_bytes);
	hearth_put_u64(&w, shape->memory_bytes);
	return hearth_control_send(c, HEARTH_FRAME_RAILS, buf, w.len);
}

/* Both ends hear the same: that it goes, or that it does not. */
static int agree(struct hearth_control *c, struct hearth_rdma *r, struct hearth_reader *reader)
{
	struct hearth_rdma_shape shape = { .mode = HEARTH_RDMA_MODE_READ };
	char theirs[HEARTH_RDMA_WHY_BYTES] = "";
	uint64_t most = 0;
	int ret = connect_rails(r, reader, &most), err;

	if (!ret)
		ret = hearth_rdma_start(r);
	if (!ret) {
		hearth_rdma_ping(r);
		shape.mode = hearth_rdma_choose_mode(r);
		hearth_rdma_connect_more(r, shape.mode == HEARTH_RDMA_MODE_WRITE
						    ? r->plan.written_per_rail
						    : r->plan.read_per_rail);
		hearth_rdma_choose(r, most, &shape);
		ret = hearth_rdma_set_shape(r, &shape);
	}
	err = send_go(c, ret ? 0 : hearth_rdma_nr_live(r), &shape);
	if (err)
		return fail(r->why, err, strerror(-err));
	/* Who was turned away hears from the far end why. */
	err = receive(c, STEP_SET, reader, ret == -ECONNREFUSED ? r->why : theirs);
	if (err && !ret)
		memcpy(r->why, theirs, sizeof(r->why));
	return ret ? ret : err;
}

int hearth_rails_ask(struct hearth_control *c, const struct hearth_rdma_plan *plan,
		     struct hearth_rdma **ret)
{
	struct hearth_reader reader;
	struct hearth_rdma *r;
	int err = hearth_rdma_create(plan, &r);

	if (err)
		return err;
	err = send_ask(c, plan);
	if (err)
		fail(r->why, err, strerror(-err));
	else
		err = receive(c, STEP_OFFER, &reader, r->why);
	if (!err)
		err = agree(c, r, &reader);
	if (err) {
		snprintf(plan->why, HEARTH_RDMA_WHY_BYTES, "%s", r->why);
		hearth_rdma_free(r);
		return err;
	}
	*ret = r;
	return 0;
}

int hearth_rails_alone(struct hearth_control *c)
{
	uint8_t step = STEP_ALONE;

	return hearth_control_send(c, HEARTH_FRAME_RAILS, &step, 1);
}

static int refuse(struct hearth_rails *v, enum step step, const char *why)
{
	uint8_t buf[HEARTH_RDMA_WHY_BYTES + 8];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	hearth_put_u8(&w, (uint8_t)step);
	hearth_put_string(&w, why, strlen(why));
	return hearth_control_send(v->control, HEARTH_FRAME_RAILED, buf, w.len);
}

static int send_offer(struct hearth_rails *v, uint16_t port)
{
	const struct hearth_rdma *r = v->rdma;
	uint8_t buf[64 + HEARTH_RDMA_MAX_RAILS * HEARTH_RDMA_ADDRESS_BYTES];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	hearth_put_u8(&w, STEP_OFFER);
	hearth_put_string(&w, "", 0);
	hearth_put_u16(&w, port);
	hearth_put_u64(&w, hearth_rdma_most(r));
	hearth_put_bytes(&w, r->nonce, sizeof(r->nonce));
	hearth_put_u8(&w, (uint8_t)r->nr_places);
	for (uint32_t i = 0; i < r->nr_places; i++)
		hearth_rdma_put_address(&w, &r->places[i].addr);
	return hearth_control_send(v->control, HEARTH_FRAME_RAILED, buf, w.len);
}

/* Listens; 0, or -errno with the reason in @why. */
static int open_bundle(struct hearth_rails *v, struct hearth_rdma_plan *plan, uint16_t *ret_port,
		       char *why)
{
	int ret;

	plan->why = why;
	ret = hearth_rdma_create(plan, &v->rdma);
	if (ret)
		return ret;
	ret = hearth_random_bytes(v->rdma->nonce, sizeof(v->rdma->nonce));
	hearth_rdma_seal_key(&v->rdma->ticket, v->rdma->nonce, v->rdma->seal.key);
	if (!ret)
		ret = hearth_rdma_listen(v->rdma, ret_port);
	if (!ret)
		ret = hearth_rdma_start(v->rdma);
	if (ret)
		snprintf(why, HEARTH_RDMA_WHY_BYTES, "%s", v->rdma->why);
	return ret;
}

static void give_up(struct hearth_rails *v)
{
	if (v->rdma)
		hearth_rdma_free(v->rdma);
	v->rdma = NULL;
}

/* 1 if an offer was made, 0 if not, or -errno. */
static int hear_ask(struct hearth_rails *v, struct hearth_reader *r)
{
	struct hearth_rdma_plan plan = *v->plan;
	char why[HEARTH_RDMA_WHY_BYTES] = "out of memory";
	uint16_t version = hearth_get_u16(r), port = 0;
	uint8_t mode = hearth_get_u8(r), keeps_order;
	int ret;

	plan.mode = (enum hearth_rdma_mode)mode;
	plan.read_per_rail = hearth_get_u8(r);
	keeps_order = hearth_get_u8(r);
	plan.keeps_order = keeps_order;
	if (version != HEARTH_RDMA_VERSION) {
		snprintf(why, sizeof(why),
			 "its RDMA protocol is version %d, this end's is %u; install the same version at both ends",
			 HEARTH_RDMA_VERSION, version);
		return refuse(v, STEP_OFFER, why);
	}
	if (r->is_bad || hearth_reader_left(r) || mode >= HEARTH_NR_RDMA_MODES || keeps_order > 1)
		return -EPROTO;
	if (!open_bundle(v, &plan, &port, why)) {
		ret = send_offer(v, port);
		return ret ? ret : 1;
	}
	give_up(v);
	return refuse(v, STEP_OFFER, why);
}

static void get_shape(struct hearth_reader *r, struct hearth_rdma_shape *ret)
{
	ret->mode = (enum hearth_rdma_mode)hearth_get_u8(r);
	ret->block_bytes = hearth_get_u32(r);
	ret->memory_bytes = hearth_get_u64(r);
}

/*
 * The client may ask for no more than it was told of, and for blocks that are as long as this end
 * has them, or that doubled some times, of which four at least fit.
 */
static bool is_within(const struct hearth_rdma *r, const struct hearth_rdma_shape *shape)
{
	uint64_t longer = shape->block_bytes / r->pool.block_bytes;

	if (shape->memory_bytes > hearth_rdma_most(r))
		return false;
	if (shape->block_bytes != r->pool.block_bytes &&
	    (!longer || longer & (longer - 1) || shape->block_bytes % r->pool.block_bytes ||
	     shape->block_bytes > HEARTH_BLOCK_MAX_PAYLOAD ||
	     4ull * shape->block_bytes > shape->memory_bytes))
		return false;
	return shape->mode == HEARTH_RDMA_MODE_READ || shape->mode == HEARTH_RDMA_MODE_WRITE;
}

/* 1 if all queue pairs are there, 0 if nothing came of it, or -errno. */
static int hear_go(struct hearth_rails *v)
{
	struct hearth_frame f;
	struct hearth_reader r;
	char why[HEARTH_RDMA_WHY_BYTES];
	struct hearth_rdma_shape shape;
	uint8_t step, nr;
	int ret = hearth_control_recv(v->control, &f);

	if (ret)
		return ret;
	r = hearth_reader_of(f.body, f.len);
	step = hearth_get_u8(&r);
	nr = hearth_get_u8(&r);
	get_shape(&r, &shape);
	if (f.type != HEARTH_FRAME_RAILS || step != STEP_GO || r.is_bad || hearth_reader_left(&r) ||
	    nr > HEARTH_RDMA_MAX_QUEUES || (nr && !is_within(v->rdma, &shape)))
		return -EPROTO;
	if (!nr) {
		hearth_rdma_why(v->rdma, why);
		return refuse(v, STEP_SET, why);
	}
	ret = hearth_rdma_await(v->rdma, nr, LIVE_SECONDS);
	hearth_rdma_stop_listening(v->rdma);
	if (ret)
		fail(v->rdma->why, ret, "rdma_accept: not all queue pairs came in");
	if (!ret)
		ret = hearth_rdma_set_shape(v->rdma, &shape);
	if (!ret)
		ret = hearth_rdma_streams(v->rdma, v->streams);
	if (ret)
		return refuse(v, STEP_SET, v->rdma->why);
	ret = refuse(v, STEP_SET, "");
	return ret ? ret : 1;
}

/* Called if the client says something before its spare TCP stream is there. */
static int hear_alone(void *ctx)
{
	const struct hearth_rails *v = ctx;
	struct hearth_frame f;
	int ret = hearth_control_recv(v->control, &f);

	if (ret)
		return ret;
	if (f.type == HEARTH_FRAME_RAILS && f.len == 1 && f.body[0] == STEP_ALONE)
		return 1;
	hearth_control_unrecv(v->control, &f);
	return 0;
}

/* 0 or -errno; without a spare it goes as well. */
static int take_spare(struct hearth_rails *v)
{
	const struct hearth_word word = { hear_alone, v };
	struct hearth_stream *spare = NULL;
	int ret;

	if (v->rdma->plan.keeps_order)
		return 0;
	ret = hearth_accept_streams(v->listen_fd, v->control->in_fd, &v->rdma->ticket, 1,
				    2 * HEARTH_CONNECT_SECONDS, &word, &spare);
	return spare ? hearth_rdma_set_spare(v->rdma, spare) : ret;
}

static void drop_streams(struct hearth_rails *v)
{
	for (uint32_t i = 0; i < v->plan->nr_streams; i++) {
		if (v->streams[i])
			v->streams[i]->ops->free(v->streams[i]);
		v->streams[i] = NULL;
	}
	v->rdma = NULL; /* the last of them took it along */
}

int hearth_rails_heard(struct hearth_rails *v, const struct hearth_frame *f)
{
	struct hearth_reader r = hearth_reader_of(f->body, f->len);
	int ret;

	if (hearth_get_u8(&r) != STEP_ASK || v->rdma)
		return -EPROTO;
	ret = hear_ask(v, &r);
	if (ret > 0)
		ret = hear_go(v);
	if (ret <= 0) {
		give_up(v);
		return ret ? ret : HEARTH_WORD_MORE;
	}
	ret = take_spare(v);
	if (!ret)
		return 1;
	drop_streams(v);
	return ret;
}
