// SPDX-License-Identifier: GPL-2.0-or-later
/* A session that reads, and perhaps writes, a LUN from afar: what is asked, and what happens. */
#include <errno.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/io.h"
#include "window_impl.h"

/* How often a session that has windows looks whether others need the room. */
#define LOOK_MS 1000

#define DEFAULT_LEASE_BYTES (256ull << 20)

static int answer(struct hearth_window_session *s, const struct hearth_window_msg *m)
{
	return hearth_window_send(s->control, HEARTH_FRAME_TOLD, m);
}

/* What this session can have, if there is no other. */
static uint64_t lease_limit(const struct hearth_window_session *s)
{
	uint64_t mapped = s->lun.mapped_max_bytes;

	return mapped < s->lease_bytes ? mapped : s->lease_bytes;
}

static void describe_lun(const struct hearth_window_session *s, struct hearth_window_msg *m)
{
	m->offset = s->lun.lun.size_bytes;
	m->key = s->lun.lun.block_bytes;
	m->len = s->window_bytes;
	m->id = (uint32_t)(lease_limit(s) / s->window_bytes);
	if (m->id > HEARTH_WINDOW_MAX)
		m->id = HEARTH_WINDOW_MAX;
	if (!m->id)
		m->id = 1;
	if (s->may_write)
		m->flags |= HEARTH_WINDOW_WRITES;
}

static void fail(const struct hearth_window_session *s, struct hearth_window_msg *m, int err)
{
	m->status = err;
	snprintf(m->text, sizeof(m->text), "%s: %s", s->lun.lun.name.name,
		 hearth_lun_strerror(err));
}

/* The LUN cannot be used any more; what the client's device has of it is taken away first. */
static int end_with(struct hearth_window_session *s, int err)
{
	struct hearth_window_msg m = { .verb = HEARTH_WINDOW_GONE };

	hearth_window_revoke_all(s, false);
	hearth_window_lun_close(&s->lun);
	fail(s, &m, err);
	s->is_over = true;
	return answer(s, &m);
}

static int do_connect(struct hearth_window_session *s, struct hearth_window_msg *m)
{
	uint8_t buf[64 + HEARTH_WINDOW_MAX_ADDRESSES * HEARTH_RDMA_ADDRESS_BYTES];

	m->status = hearth_window_fabric_open(s);
	if (m->status) {
		snprintf(m->text, sizeof(m->text), "%s", s->fabric.why);
	} else {
		m->data = buf;
		m->data_len = hearth_window_put_port(buf, sizeof(buf), &s->fabric.port);
	}
	return answer(s, m);
}

static int do_lease(struct hearth_window_session *s, const struct hearth_window_msg *ask,
		    struct hearth_window_msg *m)
{
	/* What came before it on the fabric counts: the queue pair that windows are for. */
	hearth_window_fabric_events(s);
	hearth_window_lease(s, ask, m);
	return answer(s, m);
}

static int do_read(struct hearth_window_session *s, const struct hearth_window_msg *ask,
		   struct hearth_window_msg *m)
{
	uint8_t *buf;
	ssize_t got;
	int ret;

	if (ask->len > HEARTH_WINDOW_MAX_DATA || ask->offset > INT64_MAX)
		return -EPROTO;
	buf = malloc(HEARTH_WINDOW_MAX_DATA);
	got = buf ? hearth_pread_full(s->lun.lun.fd, buf, ask->len, ask->offset) : -ENOMEM;
	if (got < 0)
		fail(s, m, (int)got);
	else
		m->data_len = (size_t)got;
	m->data = buf;
	ret = answer(s, m);
	free(buf);
	return ret;
}

static int do_write(struct hearth_window_session *s, const struct hearth_window_msg *ask,
		    struct hearth_window_msg *m)
{
	int ret = -EACCES;

	if (ask->offset > INT64_MAX - ask->data_len)
		return -EPROTO;
	if (s->may_write)
		ret = hearth_pwrite_all(s->lun.lun.fd, ask->data, ask->data_len, ask->offset);
	if (ret)
		fail(s, m, ret);
	return answer(s, m);
}

static int do_flush(struct hearth_window_session *s, struct hearth_window_msg *m)
{
	if (fsync(s->lun.lun.fd))
		fail(s, m, -errno);
	return answer(s, m);
}

static int do_info(struct hearth_window_session *s, struct hearth_window_msg *m)
{
	int ret = hearth_window_lun_refresh(&s->lun);

	if (ret)
		fail(s, m, ret);
	describe_lun(s, m);
	return answer(s, m);
}

/* 0, or -errno: the client is not to be understood, or gone. */
static int hear(struct hearth_window_session *s)
{
	struct hearth_window_msg ask, m;
	struct hearth_frame f;
	int ret = hearth_control_recv(s->control, &f);

	if (!ret)
		ret = hearth_window_parse(&f, HEARTH_FRAME_ASK, &ask);
	if (ret)
		return ret;
	m = (struct hearth_window_msg){ .verb = ask.verb };
	switch (ask.verb) {
	case HEARTH_WINDOW_CONNECT:
		return do_connect(s, &m);
	case HEARTH_WINDOW_LEASE:
		return do_lease(s, &ask, &m);
	case HEARTH_WINDOW_RELEASE:
		hearth_window_release(s, ask.id);
		return 0;
	case HEARTH_WINDOW_READ:
		return do_read(s, &ask, &m);
	case HEARTH_WINDOW_WRITE:
		return do_write(s, &ask, &m);
	case HEARTH_WINDOW_FLUSH:
		return do_flush(s, &m);
	case HEARTH_WINDOW_INFO:
		return do_info(s, &m);
	default:
		return -EPROTO;
	}
}

/* Windows behind the end of a LUN that became smaller are void. */
static void cut(struct hearth_window_session *s)
{
	struct hearth_window *w = s->windows.oldest, *next;

	for (; w; w = next) {
		next = w->newer;
		if (w->offset + w->len > s->lun.lun.size_bytes)
			hearth_window_revoke(s, w, true);
	}
}

/* The node says that something is different: another size, or it was revoked. */
static int look_at_lun(struct hearth_window_session *s)
{
	int ret = hearth_window_lun_refresh(&s->lun);

	if (ret)
		return end_with(s, ret);
	cut(s);
	return 0;
}

/* Where much is mapped, whoever has more than one window gives one back at a time. */
static void share(struct hearth_window_session *s)
{
	if (s->windows.nr > 1 && !hearth_window_lun_refresh(&s->lun) &&
	    hearth_window_lun_is_crowded(&s->lun))
		hearth_window_revoke(s, s->windows.oldest, true);
}

static bool has_buffered(const struct hearth_control *c)
{
	return c->filled > c->taken;
}

/* What comes first: the LUN, so that nobody reads what has gone. */
static int attend(struct hearth_window_session *s)
{
	struct pollfd fds[] = {
		{ .fd = s->lun.lun.fd, .events = POLLPRI },
		{ .fd = s->fabric.cm ? s->fabric.cm->fd : -1, .events = POLLIN },
		{ .fd = s->control->in_fd, .events = POLLIN },
	};
	int ms = has_buffered(s->control) ? 0 : s->windows.nr > 1 ? LOOK_MS
								  : -1;
	int nr = poll(fds, 3, ms), ret = 0;

	if (nr < 0)
		return errno == EINTR ? 0 : -errno;
	if (fds[0].revents)
		ret = look_at_lun(s);
	if (fds[1].revents)
		hearth_window_fabric_events(s);
	if (!nr)
		share(s);
	if (!ret && !s->is_over && (fds[2].revents || has_buffered(s->control)))
		ret = hear(s);
	return ret;
}

static enum hearth_exit refuse(struct hearth_control *c, enum hearth_exit code, const char *text)
{
	hearth_control_send_fail(c, code, text);
	return code;
}

/* 0, or -errno with the reason in @text. */
static int open_lun(struct hearth_window_session *s, const struct hearth_window_msg *ask,
		    const struct hearth_admission *a, char *text, size_t size)
{
	struct hearth_lun_terms terms = { .name = ask->text,
					  .lease_bytes = DEFAULT_LEASE_BYTES };
	size_t key_len = sizeof(terms.key);
	int ret = 0;

	if (ask->flags & HEARTH_WINDOW_WRITES)
		terms.how |= HEARTH_LUN_WRITE;
	if (ask->flags & HEARTH_WINDOW_ANYWAY)
		terms.how |= HEARTH_LUN_ANYWAY;
	if (ask->data_len < key_len)
		key_len = ask->data_len;
	memcpy(terms.key, ask->data, key_len);
	if (a)
		ret = a->admit_lun(a->ctx, &terms, text, size);
	if (!ret)
		ret = hearth_window_lun_open(&s->lun, ask->text, terms.how, text, size);
	s->ticket.session = ask->offset;
	memcpy(s->ticket.key, terms.key, sizeof(s->ticket.key));
	OPENSSL_cleanse(terms.key, sizeof(terms.key));
	s->lease_bytes = terms.lease_bytes;
	s->may_write = terms.how & HEARTH_LUN_WRITE;
	return ret;
}

/* As wished, but so that there can be two: a copy from here to there needs as many. */
static uint64_t choose_window(const struct hearth_window_session *s, uint64_t wanted)
{
	uint64_t bytes = HEARTH_WINDOW_MIN_BYTES;

	while (bytes * 2 <= wanted && bytes * 2 <= HEARTH_WINDOW_MAX_BYTES &&
	       bytes * 4 <= lease_limit(s))
		bytes *= 2;
	return bytes;
}

static enum hearth_exit run(struct hearth_window_session *s, uint64_t wanted_bytes)
{
	struct hearth_window_msg m = { .verb = HEARTH_WINDOW_ATTACH };
	int ret;

	s->window_bytes = choose_window(s, wanted_bytes);
	hearth_window_set_init(&s->windows, s->window_bytes);
	describe_lun(s, &m);
	ret = answer(s, &m);
	while (!ret && !s->is_over)
		ret = attend(s);
	if (s->is_over)
		return HEARTH_EXIT_LOST;
	if (ret == -ENODATA)
		return HEARTH_EXIT_OK;
	if (ret == -EPROTO)
		return refuse(s->control, HEARTH_EXIT_PROTOCOL,
			      "the far end did not understand what was asked");
	return refuse(s->control, HEARTH_EXIT_LOST, strerror(-ret));
}

enum hearth_exit hearth_window_serve(struct hearth_control *c, const struct hearth_frame *first,
				     const struct hearth_admission *a)
{
	struct hearth_window_session s = { .control = c };
	struct hearth_window_msg ask, m = { .verb = HEARTH_WINDOW_ATTACH };
	enum hearth_exit code;
	char text[256];

	if (hearth_window_parse(first, HEARTH_FRAME_ASK, &ask) ||
	    ask.verb != HEARTH_WINDOW_ATTACH ||
	    (ask.data_len && ask.data_len != sizeof(s.ticket.key)))
		return refuse(c, HEARTH_EXIT_PROTOCOL,
			      "the far end did not understand the first message");
	if (ask.id != HEARTH_WINDOW_VERSION) {
		snprintf(text, sizeof(text),
			 "this end speaks version %u of libhearth's protocol, the far end %d (hearthd %s); install the same version at both",
			 ask.id, HEARTH_WINDOW_VERSION, HEARTH_VERSION);
		return refuse(c, HEARTH_EXIT_PROTOCOL, text);
	}
	m.status = open_lun(&s, &ask, a, m.text, sizeof(m.text));
	if (m.status) {
		answer(&s, &m);
		return HEARTH_EXIT_PLACE;
	}
	code = run(&s, ask.len);
	hearth_window_fabric_close(&s);
	hearth_window_lun_close(&s.lun);
	OPENSSL_cleanse(&s.ticket, sizeof(s.ticket));
	return code;
}
