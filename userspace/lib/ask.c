// SPDX-License-Identifier: GPL-2.0-or-later
/* Questions on the control channel of a session, and what comes unasked. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "lib.h"

/* Nothing can be asked any more. */
static int lose(struct hearth_session *s, int err)
{
	s->lost = err;
	return err;
}

static int explain_loss(struct hearth_session *s, int err)
{
	if (err == -EPROTO) {
		hearth_lib_fail(s, err,
				"what the target said was not understood; install the same version at both ends");
		return lose(s, err);
	}
	if (err == -ENODATA || err == -EPIPE)
		err = -ECONNRESET;
	return lose(s, hearth_lib_fail(s, err,
				       "the connection to the target is gone: %s; attach anew",
				       strerror(-err)));
}

static int hear_fail(struct hearth_session *s, const struct hearth_frame *f)
{
	enum hearth_exit code;
	int err = -ECONNRESET;
	char text[512];

	if (hearth_parse_fail(f, &code, text, sizeof(text)))
		return explain_loss(s, -EPROTO);
	if (code == HEARTH_EXIT_PLACE)
		err = -EACCES;
	else if (code == HEARTH_EXIT_PROTOCOL)
		err = -EPROTO;
	return lose(s, hearth_lib_fail(s, err, "%s", text));
}

/* 1 if it came unasked, and is dealt with. */
static int hear_unasked(struct hearth_session *s, const struct hearth_window_msg *m)
{
	if (m->verb == HEARTH_WINDOW_REVOKED) {
		hearth_lib_revoked(s, m->id);
		return 1;
	}
	if (m->verb != HEARTH_WINDOW_GONE)
		return 0;
	hearth_lib_drop_windows(s);
	return lose(s, hearth_lib_fail(s, m->status ? m->status : -ENODEV, "%s", m->text));
}

/* The next message. 0, 1 if it came unasked, or -errno. */
static int hear_one(struct hearth_session *s, struct hearth_window_msg *ret)
{
	struct hearth_frame f;
	int err = hearth_control_recv(&s->far.control, &f);

	if (err)
		return s->lun.block_bytes ? explain_loss(s, err) : err;
	if (f.type == HEARTH_FRAME_FAIL)
		return hear_fail(s, &f);
	if (hearth_window_parse(&f, HEARTH_FRAME_TOLD, ret))
		return s->lun.block_bytes ? explain_loss(s, -EPROTO) : -EPROTO;
	return hear_unasked(s, ret);
}

int hearth_lib_send(struct hearth_session *s, const struct hearth_window_msg *ask)
{
	int ret = s->lost;

	if (ret)
		return ret;
	ret = hearth_window_send(&s->far.control, HEARTH_FRAME_ASK, ask);
	/* What it had to say before it went may still be there. */
	if (ret == -EPIPE || ret == -ECONNRESET)
		ret = hearth_lib_listen(s);
	return ret ? ret : s->lost;
}

int hearth_lib_hear(struct hearth_session *s, enum hearth_window_verb verb,
		    struct hearth_window_msg *ret)
{
	int err = 1;

	while (err == 1)
		err = hear_one(s, ret);
	if (!err && ret->verb != verb)
		err = explain_loss(s, -EPROTO);
	return err;
}

int hearth_lib_ask(struct hearth_session *s, const struct hearth_window_msg *ask,
		   struct hearth_window_msg *ret)
{
	int err = hearth_lib_send(s, ask);

	if (!err)
		err = hearth_lib_hear(s, ask->verb, ret);
	if (!err && ret->status)
		err = hearth_lib_fail(s, ret->status, "%s", ret->text);
	return err;
}

int hearth_lib_listen(struct hearth_session *s)
{
	const struct hearth_control *c = &s->far.control;
	struct hearth_window_msg m;
	int ret = s->lost;

	while (!ret) {
		struct pollfd fd = { .fd = c->in_fd, .events = POLLIN };

		if (c->filled == c->taken && poll(&fd, 1, 0) <= 0)
			return 0;
		ret = hear_one(s, &m);
		/* Nothing was asked that could be answered. */
		ret = ret == 1 ? 0 : ret ? ret
					 : explain_loss(s, -EPROTO);
	}
	return ret;
}

/* What the rest relies on. */
static bool is_sound(const struct hearth_window_msg *told)
{
	return told->key >= 512 && told->key <= 4096 && !(told->key & (told->key - 1)) &&
	       told->len >= HEARTH_WINDOW_MIN_BYTES && told->len <= HEARTH_WINDOW_MAX_BYTES &&
	       !(told->len & (told->len - 1)) && told->id && told->offset <= INT64_MAX;
}

int hearth_lib_learn(struct hearth_session *s, const struct hearth_window_msg *told)
{
	bool is_first = !s->lun.block_bytes;

	if (!is_sound(told) || (!is_first && told->len != s->lun.window_bytes))
		return explain_loss(s, -EPROTO);
	s->lun.size_bytes = told->offset;
	s->lun.block_bytes = told->key;
	s->lun.window_bytes = told->len;
	s->lun.max_windows = told->id < s->wanted_windows ? told->id : s->wanted_windows;
	if (is_first)
		hearth_window_set_init(&s->windows, told->len);
	return 0;
}
