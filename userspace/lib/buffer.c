// SPDX-License-Identifier: GPL-2.0-or-later
/* Buffers of libhearth's callers that the device knows. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib.h"

static int enrol(struct hearth_session *s, struct hearth_buffer *b)
{
	struct hearth_fabric *f = &s->fabric;

	if (!f->pd)
		return 0;
	b->mr = ibv_reg_mr(f->pd, b->memory, b->len, IBV_ACCESS_LOCAL_WRITE);
	if (!b->mr)
		return hearth_verbs_fail(s->why, ibv_get_device_name(f->verbs->device),
					 "ibv_reg_mr", -errno);
	return 0;
}

static void withdraw(struct hearth_buffer *b)
{
	if (b->mr)
		ibv_dereg_mr(b->mr);
	b->mr = NULL;
}

static bool overlaps(const struct hearth_session *s, const uint8_t *memory, size_t len)
{
	for (const struct hearth_buffer *b = s->buffers; b; b = b->next)
		if (memory < b->memory + b->len && b->memory < memory + len)
			return true;
	return false;
}

int hearth_register(struct hearth_session *s, void *buf, size_t len)
{
	struct hearth_buffer *b;
	int ret;

	if (!buf || !len || (uintptr_t)buf + len < (uintptr_t)buf)
		return hearth_lib_fail(s, -EINVAL,
				       "a buffer of %zu bytes at %p cannot be registered", len,
				       buf);
	if (overlaps(s, buf, len))
		return hearth_lib_fail(s, -EEXIST,
				       "the buffer of %zu bytes at %p overlaps one that is registered",
				       len, buf);
	b = calloc(1, sizeof(*b));
	if (!b)
		return hearth_lib_fail(s, -ENOMEM, "out of memory");
	b->memory = buf;
	b->len = len;
	ret = enrol(s, b);
	if (ret) {
		free(b);
		return hearth_lib_fail(s, ret, "%s", s->why);
	}
	b->next = s->buffers;
	s->buffers = b;
	return 0;
}

int hearth_unregister(struct hearth_session *s, const void *buf)
{
	struct hearth_buffer **at = &s->buffers, *b;

	while (*at && (*at)->memory != buf)
		at = &(*at)->next;
	b = *at;
	if (!b)
		return hearth_lib_fail(s, -ENOENT, "no buffer at %p is registered", buf);
	*at = b->next;
	withdraw(b);
	free(b);
	return 0;
}

struct ibv_mr *hearth_buffer_find(const struct hearth_session *s, const void *buf, size_t len)
{
	const uint8_t *memory = buf;

	for (const struct hearth_buffer *b = s->buffers; b; b = b->next)
		if (memory >= b->memory && len <= b->len &&
		    (size_t)(memory - b->memory) <= b->len - len)
			return b->mr;
	return NULL;
}

int hearth_buffers_enrol(struct hearth_session *s)
{
	int ret = 0;

	for (struct hearth_buffer *b = s->buffers; b && !ret; b = b->next)
		ret = enrol(s, b);
	return ret;
}

void hearth_buffers_withdraw(struct hearth_session *s)
{
	for (struct hearth_buffer *b = s->buffers; b; b = b->next)
		withdraw(b);
}

void hearth_buffers_free(struct hearth_session *s)
{
	while (s->buffers) {
		struct hearth_buffer *b = s->buffers;

		s->buffers = b->next;
		withdraw(b);
		free(b);
	}
}
