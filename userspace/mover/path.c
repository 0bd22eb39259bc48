// SPDX-License-Identifier: GPL-2.0-or-later
/* How the path was used, as one end tells the other. */
#include <errno.h>
#include <string.h>

#include "../common/bytes.h"
#include "control.h"

#define PATH_BYTES 512

int hearth_control_send_path(struct hearth_control *c, const struct hearth_path *path)
{
	uint8_t buf[PATH_BYTES];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	hearth_put_u32(&w, path->streams);
	hearth_put_u32(&w, path->streams_most);
	hearth_put_u32(&w, path->streams_lost);
	hearth_put_u64(&w, path->pool_bytes);
	hearth_put_u32(&w, path->message_bytes);
	hearth_put_u64(&w, path->rtt_us);
	hearth_put_u8(&w, (uint8_t)path->nr_limits);
	for (uint32_t i = 0; i < path->nr_limits; i++) {
		const struct hearth_limit *l = &path->limits[i];

		hearth_put_string(&w, l->name, strlen(l->name));
		hearth_put_string(&w, l->end, strlen(l->end));
		hearth_put_u64(&w, l->value);
		hearth_put_u64(&w, l->bytes_per_s);
		hearth_put_u32(&w, l->permille);
	}
	return hearth_control_send(c, HEARTH_FRAME_PATH, buf, w.len);
}

/* A name of the peer's is printed: it has nothing but what names of limits have. */
static void get_name(struct hearth_reader *r, char *ret, size_t size)
{
	size_t len = 0;
	const char *text = hearth_get_string(r, size - 1, &len);

	if (!text)
		return;
	for (size_t i = 0; i < len; i++)
		if (text[i] < '!' || text[i] > '~')
			r->is_bad = true;
	memcpy(ret, text, len);
}

int hearth_parse_path(const struct hearth_frame *f, struct hearth_path *ret)
{
	struct hearth_reader r = hearth_reader_of(f->body, f->len);
	struct hearth_path path = { 0 };

	path.streams = hearth_get_u32(&r);
	path.streams_most = hearth_get_u32(&r);
	path.streams_lost = hearth_get_u32(&r);
	path.pool_bytes = hearth_get_u64(&r);
	path.message_bytes = hearth_get_u32(&r);
	path.rtt_us = hearth_get_u64(&r);
	path.nr_limits = hearth_get_u8(&r);
	if (r.is_bad || path.nr_limits > HEARTH_MAX_LIMITS)
		return -EPROTO;
	for (uint32_t i = 0; i < path.nr_limits; i++) {
		struct hearth_limit *l = &path.limits[i];

		get_name(&r, l->name, sizeof(l->name));
		get_name(&r, l->end, sizeof(l->end));
		l->value = hearth_get_u64(&r);
		l->bytes_per_s = hearth_get_u64(&r);
		l->permille = hearth_get_u32(&r);
		if (l->permille > 1000)
			r.is_bad = true;
	}
	if (r.is_bad || hearth_reader_left(&r))
		return -EPROTO;
	*ret = path;
	return 0;
}
