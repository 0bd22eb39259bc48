// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows of a session of libhearth: leased, given back, revoked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "../common/bytes.h"
#include "lib.h"

struct hearth_window *hearth_lib_find_window(struct hearth_session *s, uint64_t offset, bool writes)
{
	struct hearth_window *w = hearth_window_set_find(&s->windows, offset);

	if (!w || offset - w->offset >= w->len || (writes && !w->is_writable))
		return NULL;
	hearth_window_set_touch(&s->windows, w);
	w->is_touched = true;
	return w;
}

static void forget(struct hearth_session *s, struct hearth_window *w)
{
	hearth_window_set_remove(&s->windows, w);
	free(w);
}

void hearth_lib_revoked(struct hearth_session *s, uint32_t id)
{
	struct hearth_window *w = hearth_window_set_find_id(&s->windows, id);

	if (!w)
		return; /* it was given back meanwhile */
	forget(s, w);
	s->count.revocations++;
}

void hearth_lib_drop_windows(struct hearth_session *s)
{
	while (s->windows.oldest)
		forget(s, s->windows.oldest);
}

static int give_back(struct hearth_session *s, struct hearth_window *w)
{
	const struct hearth_window_msg ask = { .verb = HEARTH_WINDOW_RELEASE, .id = w->id };

	forget(s, w);
	return hearth_lib_send(s, &ask);
}

static int make_room(struct hearth_session *s)
{
	int ret = 0;

	while (!ret && s->windows.nr && s->windows.nr >= s->lun.max_windows) {
		ret = give_back(s, s->windows.oldest);
		s->count.evictions++;
	}
	return ret;
}

/* So that the target knows, too, which was not used for the longest time. */
static void put_touched(struct hearth_session *s, struct hearth_writer *writer)
{
	for (struct hearth_window *w = s->windows.oldest; w; w = w->newer) {
		if (w->is_touched)
			hearth_put_u32(writer, w->id);
		w->is_touched = false;
	}
}

static bool is_as_asked(const struct hearth_session *s, uint64_t offset,
			const struct hearth_window_msg *told)
{
	return told->offset == offset && told->len && told->len <= s->lun.window_bytes;
}

static int add(struct hearth_session *s, const struct hearth_window_msg *told, bool writes)
{
	struct hearth_window *w = calloc(1, sizeof(*w));

	if (!w)
		return hearth_lib_fail(s, -ENOMEM, "out of memory");
	*w = (struct hearth_window){ .offset = told->offset,
				     .len = told->len,
				     .id = told->id,
				     .key = told->key,
				     .is_writable = writes };
	hearth_window_set_add(&s->windows, w);
	s->count.leases++;
	return 0;
}

int hearth_lib_lease(struct hearth_session *s, uint64_t offset, bool writes)
{
	static const struct hearth_window_msg nothing;
	struct hearth_window_msg ask = { .verb = HEARTH_WINDOW_LEASE }, told = nothing;
	uint8_t touched[HEARTH_WINDOW_MAX * 4];
	struct hearth_writer writer = hearth_writer_of(touched, sizeof(touched));
	struct hearth_window *former = hearth_window_set_find(&s->windows, offset);
	int ret = former ? give_back(s, former) : 0;

	if (!ret)
		ret = make_room(s);
	if (ret)
		return ret;
	put_touched(s, &writer);
	ask.offset = offset - offset % s->lun.window_bytes;
	ask.flags = writes ? HEARTH_WINDOW_WRITES : 0;
	ask.data = touched;
	ask.data_len = writer.len;
	ret = hearth_lib_send(s, &ask);
	if (!ret)
		ret = hearth_lib_hear(s, HEARTH_WINDOW_LEASE, &told);
	if (ret)
		return ret;
	if (!told.status && !is_as_asked(s, ask.offset, &told)) {
		s->lost = -EPROTO;
		return hearth_lib_fail(s, -EPROTO,
				       "the target gave another window than was asked for");
	}
	if (!told.status)
		return add(s, &told, writes);
	s->count.refusals++;
	snprintf(s->why, sizeof(s->why), "%s", told.text);
	if (told.flags & HEARTH_WINDOW_NEVER)
		s->uses_rdma = false;
	return 1;
}
