// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading and writing with libhearth, by RDMA or by messages.
 *
 * A request is cut into transfers that lie within a window, and as many as the queue pair
 * takes are under way. When one fails, all that were under way are done again: over another
 * queue pair, with another window, or, if that fails as well, as messages.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib.h"

/* Failures in a row after which what remains goes as messages. */
#define MAX_FAILURES 8

#define MESSAGES_UNDER_WAY 4

struct request {
	uint8_t *buf;
	uint64_t offset; /* of what was not begun yet */
	uint64_t left;
	bool writes;
	uint32_t nr_failures;
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int send_message(struct hearth_session *s, const uint8_t *buf, uint64_t len, uint64_t offset,
			bool writes)
{
	struct hearth_window_msg ask = { .verb = writes ? HEARTH_WINDOW_WRITE : HEARTH_WINDOW_READ,
					 .offset = offset };

	if (writes) {
		ask.data = buf;
		ask.data_len = len;
	} else {
		ask.len = len;
	}
	return hearth_lib_send(s, &ask);
}

/* One answer. 0, a status that was told, or -errno, the session being lost. */
static int take_answer(struct hearth_session *s, uint8_t *buf, uint64_t len, bool writes)
{
	struct hearth_window_msg told;
	int ret = hearth_lib_hear(s, writes ? HEARTH_WINDOW_WRITE : HEARTH_WINDOW_READ, &told);

	if (ret)
		return ret;
	if (told.status)
		return hearth_lib_fail(s, told.status, "%s", told.text);
	if (!writes && told.data_len != len)
		return hearth_lib_fail(s, -ERANGE, "the LUN has become smaller");
	if (!writes)
		memcpy(buf, told.data, len);
	s->count.message_bytes += len;
	return 0;
}

static int transfer_by_messages(struct hearth_session *s, uint8_t *buf, uint64_t len,
				uint64_t offset, bool writes)
{
	uint64_t asked = 0, had = 0;
	int ret = 0, err;

	/* After an error the answers to what was asked already are still taken in. */
	while (had < asked || (asked < len && !ret)) {
		uint64_t piece = least(len - asked, HEARTH_WINDOW_MAX_DATA);

		if (piece && !ret && asked - had < MESSAGES_UNDER_WAY * HEARTH_WINDOW_MAX_DATA) {
			err = send_message(s, buf + asked, piece, offset + asked, writes);
			asked += piece;
		} else {
			piece = least(asked - had, HEARTH_WINDOW_MAX_DATA);
			err = take_answer(s, buf + had, piece, writes);
			had += piece;
		}
		ret = ret ? ret : err;
		if (s->lost)
			return s->lost;
	}
	return ret;
}

/* The next transfer of a request: within a window, and within a buffer that the device knows. */
static void cut(const struct hearth_session *s, struct request *r, struct hearth_transfer *t)
{
	uint64_t room = s->lun.window_bytes - r->offset % s->lun.window_bytes;
	uint64_t len = least(least(r->left, room), HEARTH_LIB_MAX_TRANSFER);

	t->is_bounced = !hearth_buffer_find(s, r->buf, len);
	if (t->is_bounced)
		len = least(len, HEARTH_LIB_SLOT_BYTES);
	t->buf = r->buf;
	t->offset = r->offset;
	t->len = (uint32_t)len;
	r->buf += len;
	r->offset += len;
	r->left -= len;
}

static int by_message(struct hearth_session *s, struct hearth_transfer *t, bool writes)
{
	t->state = HEARTH_TRANSFER_IDLE;
	return transfer_by_messages(s, t->buf, t->len, t->offset, writes);
}

static bool lies_within(const struct hearth_transfer *t, const struct hearth_window *w)
{
	return t->offset >= w->offset && t->offset - w->offset <= w->len &&
	       t->len <= w->len - (t->offset - w->offset);
}

/* 0; -EAGAIN: not before what is under way has completed; or -errno. */
static int begin(struct hearth_session *s, struct request *r, uint32_t slot)
{
	struct hearth_transfer *t = &s->transfers[slot];
	struct hearth_window *w = hearth_lib_find_window(s, t->offset, r->writes);
	int ret;

	if (!w && s->nr_posted)
		return -EAGAIN;
	if (!w) {
		ret = hearth_lib_lease(s, t->offset, r->writes);
		if (ret < 0)
			return ret;
		w = ret ? NULL : hearth_lib_find_window(s, t->offset, r->writes);
	}
	if (!w || !lies_within(t, w) || r->nr_failures > MAX_FAILURES)
		return by_message(s, t, r->writes);
	/* What cannot be posted is done again over the next queue pair. */
	t->state = HEARTH_TRANSFER_AGAIN;
	if (hearth_fabric_post(s, slot, w, r->writes))
		return 0;
	t->state = HEARTH_TRANSFER_POSTED;
	s->nr_posted++;
	return 0;
}

/* As much as there is room for. 0 or -errno. */
static int begin_all(struct hearth_session *s, struct request *r)
{
	for (uint32_t i = 0; i < HEARTH_LIB_DEPTH && !s->fabric.is_broken; i++) {
		struct hearth_transfer *t = &s->transfers[i];
		int ret;

		if (t->state == HEARTH_TRANSFER_POSTED)
			continue;
		if (t->state == HEARTH_TRANSFER_IDLE) {
			if (!r->left)
				continue;
			cut(s, r, t);
			t->state = HEARTH_TRANSFER_AGAIN;
		}
		ret = begin(s, r, i);
		if (ret)
			return ret == -EAGAIN ? 0 : ret;
	}
	return 0;
}

static void complete(struct hearth_session *s, struct request *r, uint32_t slot)
{
	struct hearth_transfer *t = &s->transfers[slot];

	if (t->is_bounced && !r->writes)
		memcpy(t->buf, s->fabric.slots + slot * (size_t)HEARTH_LIB_SLOT_BYTES, t->len);
	t->state = HEARTH_TRANSFER_IDLE;
	s->nr_posted--;
	s->count.rdma_bytes += t->len;
	r->nr_failures = 0;
	if (r->writes) {
		s->wrote = true;
		s->wrote_at = t->offset;
	}
}

/* Nothing is under way any more, and nothing comes after that. */
static void put_off(struct hearth_session *s)
{
	for (uint32_t i = 0; i < HEARTH_LIB_DEPTH; i++)
		if (s->transfers[i].state == HEARTH_TRANSFER_POSTED)
			s->transfers[i].state = HEARTH_TRANSFER_AGAIN;
	s->nr_posted = 0;
}

/* @slot: whose window is void, as it seems. 0 or -errno. */
static int recover(struct hearth_session *s, struct request *r, uint32_t slot)
{
	struct hearth_window *w = hearth_window_set_find(&s->windows, s->transfers[slot].offset);
	struct hearth_window_msg ask = { .verb = HEARTH_WINDOW_RELEASE };
	int ret;

	put_off(s);
	r->nr_failures++;
	ret = hearth_lib_listen(s);
	/* If nobody has said so yet, somebody will. */
	if (!ret && w && w == hearth_window_set_find(&s->windows, s->transfers[slot].offset)) {
		ask.id = w->id;
		hearth_lib_revoked(s, w->id);
		ret = hearth_lib_send(s, &ask);
	}
	if (!ret && hearth_fabric_mend(s)) {
		hearth_fabric_close(s);
		s->uses_rdma = false;
	}
	return ret;
}

/* Waits for one. 0 or -errno. */
static int await_one(struct hearth_session *s, struct request *r)
{
	bool is_good = false;
	uint32_t slot;
	int ret = hearth_fabric_await(s, &slot, &is_good);

	if (ret) {
		put_off(s);
		/* What the far end has said before it went is better than that it went. */
		if (!hearth_lib_listen(s))
			s->lost = hearth_lib_fail(s, ret, "the target is gone: %s; attach anew",
						  strerror(-ret));
		return s->lost;
	}
	if (is_good)
		complete(s, r, slot);
	else
		ret = recover(s, r, slot);
	return ret;
}

static bool has_unfinished(const struct hearth_session *s)
{
	for (uint32_t i = 0; i < HEARTH_LIB_DEPTH; i++)
		if (s->transfers[i].state != HEARTH_TRANSFER_IDLE)
			return true;
	return false;
}

/* What RDMA has left undone. */
static int finish_by_messages(struct hearth_session *s, struct request *r)
{
	int ret = 0;

	for (uint32_t i = 0; i < HEARTH_LIB_DEPTH && !ret; i++)
		if (s->transfers[i].state != HEARTH_TRANSFER_IDLE)
			ret = by_message(s, &s->transfers[i], r->writes);
	return ret ? ret : transfer_by_messages(s, r->buf, r->left, r->offset, r->writes);
}

static int transfer_by_rdma(struct hearth_session *s, struct request *r)
{
	int ret = 0;

	while (!ret && s->uses_rdma && (r->left || has_unfinished(s))) {
		ret = begin_all(s, r);
		if (!ret && s->fabric.is_broken && !s->nr_posted)
			ret = recover(s, r, 0);
		else if (!ret && s->nr_posted)
			ret = await_one(s, r);
	}
	return ret;
}

/* Nobody's buffer is used after the call that named it. */
static void abandon(struct hearth_session *s)
{
	bool was_posted = s->nr_posted;

	put_off(s);
	for (uint32_t i = 0; i < HEARTH_LIB_DEPTH; i++)
		s->transfers[i].state = HEARTH_TRANSFER_IDLE;
	if (s->lost || (was_posted && hearth_fabric_mend(s))) {
		hearth_fabric_close(s);
		s->uses_rdma = false;
	}
}

int hearth_lib_transfer(struct hearth_session *s, uint8_t *buf, uint64_t len, uint64_t offset,
			bool writes)
{
	struct request r = { .buf = buf, .offset = offset, .left = len, .writes = writes };
	int ret = s->lost;

	if (!ret)
		ret = transfer_by_rdma(s, &r);
	if (!ret)
		ret = finish_by_messages(s, &r);
	if (ret)
		abandon(s);
	return ret;
}

ssize_t hearth_read(struct hearth_session *s, void *buf, size_t len, uint64_t offset)
{
	int ret;

	if (len > SSIZE_MAX)
		return hearth_lib_fail(s, -EINVAL, "%zu bytes are too many", len);
	if (offset >= s->lun.size_bytes)
		return s->lost;
	len = least(len, s->lun.size_bytes - offset);
	ret = hearth_lib_transfer(s, buf, len, offset, false);
	return ret ? ret : (ssize_t)len;
}

ssize_t hearth_write(struct hearth_session *s, const void *buf, size_t len, uint64_t offset)
{
	int ret;

	if (!s->may_write)
		return hearth_lib_fail(s, -EBADF,
				       "attached for reading only; attach with HEARTH_ATTACH_WRITE");
	if (len > SSIZE_MAX || len % s->lun.block_bytes || offset % s->lun.block_bytes)
		return hearth_lib_fail(s, -EINVAL,
				       "%zu bytes at %llu are not whole blocks of %u bytes", len,
				       (unsigned long long)offset, s->lun.block_bytes);
	if (offset > s->lun.size_bytes || len > s->lun.size_bytes - offset)
		return hearth_lib_fail(s, -ENOSPC, "%zu bytes at %llu end behind the LUN's %llu",
				       len, (unsigned long long)offset,
				       (unsigned long long)s->lun.size_bytes);
	ret = hearth_lib_transfer(s, (uint8_t *)buf, len, offset, true);
	return ret ? ret : (ssize_t)len;
}

int hearth_flush(struct hearth_session *s)
{
	const struct hearth_window_msg ask = { .verb = HEARTH_WINDOW_FLUSH };
	struct hearth_window_msg told;
	uint8_t byte;
	int ret = 0;

	/* A read comes behind all writes: with it they are in memory, not only in a device. */
	if (s->wrote && s->uses_rdma)
		ret = hearth_lib_transfer(s, &byte, 1, s->wrote_at, false);
	if (!ret)
		ret = hearth_lib_ask(s, &ask, &told);
	if (!ret)
		s->wrote = false;
	return ret;
}
