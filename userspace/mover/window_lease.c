// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows of a session: mapped, registered, given back, revoked. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../common/bytes.h"
#include "window_impl.h"

#define SWEEP_MS 10
#define SWEEP_TRIES 30

static void unmap(struct hearth_window *w)
{
	if (w->region)
		ibv_dereg_mr(w->region);
	if (w->memory)
		munmap(w->memory, w->len);
	w->region = NULL;
	w->memory = NULL;
}

static int map(const struct hearth_window_lun *l, struct hearth_window *w, bool may_store)
{
	void *memory = mmap(NULL, w->len, PROT_READ | (may_store ? PROT_WRITE : 0), MAP_SHARED,
			    l->map_fd, (off_t)w->offset);

	if (memory == MAP_FAILED)
		return -errno;
	w->memory = memory;
	return 0;
}

static int map_and_register(struct hearth_window_session *s, struct hearth_window *w,
			    bool may_store)
{
	int ret = map(&s->lun, w, may_store);

	if (!ret)
		ret = hearth_window_fabric_register(s, w);
	if (ret)
		unmap(w);
	return ret;
}

/*
 * What cannot be written to counts as clean, so a reader's window is mapped like that where the
 * kernel registers it.
 */
static int enrol(struct hearth_window_session *s, struct hearth_window *w)
{
	int ret = -EFAULT;

	if (!w->is_writable && !s->lun.wants_writable)
		ret = map_and_register(s, w, false);
	if (ret != -EFAULT || !s->lun.maps_writable)
		return ret;
	ret = map_and_register(s, w, true);
	/* Asking again would bring nothing but another line in the kernel's log. */
	s->lun.wants_writable = !ret;
	return ret;
}

static int refuse(struct hearth_window_msg *reply, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(struct hearth_window_msg *reply, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reply->text, sizeof(reply->text), format, args);
	va_end(args);
	reply->status = err;
	return err;
}

static const char is_read_only[] =
	"this kernel registers only what can be written to, and it is read-only";
static const char is_unstable[] = "its device wants what is being written to stay as it is";

/* The kernel says "bad address" for all that a fault could not bring. */
static int explain(struct hearth_window_session *s, const struct hearth_window *w, int err,
		   struct hearth_window_msg *reply)
{
	const char *name = s->lun.lun.name.name;

	if (err == -EOPNOTSUPP || (err == -EFAULT && !s->lun.maps_writable)) {
		reply->flags |= HEARTH_WINDOW_NEVER;
		return refuse(reply, err,
			      "%s: no window of it can be registered: %s; what is read goes over the control channel",
			      name, err == -EFAULT ? is_read_only : is_unstable);
	}
	if (err == -EFAULT)
		return refuse(reply, err,
			      "%s: ibv_reg_mr: the window at %llu cannot be filled: the device does not read it, or as much is mapped as may be (%llu bytes); give the LUN more cache, or lease less",
			      name, (unsigned long long)w->offset,
			      (unsigned long long)s->lun.mapped_max_bytes);
	if (*s->fabric.why)
		return refuse(reply, err, "%s", s->fabric.why);
	return refuse(reply, err, "%s: the window at %llu cannot be mapped: %s", name,
		      (unsigned long long)w->offset, strerror(-err));
}

void hearth_window_revoke(struct hearth_window_session *s, struct hearth_window *w, bool tells)
{
	const struct hearth_window_msg m = { .verb = HEARTH_WINDOW_REVOKED, .id = w->id };

	unmap(w);
	s->has_unmapped = true;
	hearth_window_set_remove(&s->windows, w);
	free(w);
	if (tells)
		hearth_window_send(s->control, HEARTH_FRAME_TOLD, &m);
}

void hearth_window_revoke_all(struct hearth_window_session *s, bool tells)
{
	while (s->windows.oldest)
		hearth_window_revoke(s, s->windows.oldest, tells);
}

void hearth_window_release(struct hearth_window_session *s, uint32_t id)
{
	struct hearth_window *w = hearth_window_set_find_id(&s->windows, id);

	if (w)
		hearth_window_revoke(s, w, false);
}

/* What the client has used since it asked last, oldest first. */
static void hear_touched(struct hearth_window_session *s, const struct hearth_window_msg *ask)
{
	struct hearth_reader r = hearth_reader_of(ask->data, ask->data_len);

	while (hearth_reader_left(&r) >= 4) {
		struct hearth_window *w = hearth_window_set_find_id(&s->windows,
								    hearth_get_u32(&r));

		if (w)
			hearth_window_set_touch(&s->windows, w);
	}
}

/*
 * What is missing for another @len bytes. What was unmapped counts until the kernel has looked,
 * which it does by itself, soon.
 */
static uint64_t await_sweep(struct hearth_window_session *s, uint64_t len)
{
	uint64_t missing = hearth_window_lun_missing(&s->lun, len);

	for (int i = 0; missing && s->has_unmapped && i < SWEEP_TRIES; i++) {
		poll(NULL, 0, SWEEP_MS);
		missing = hearth_window_lun_missing(&s->lun, len);
	}
	s->has_unmapped = false;
	return missing;
}

/* The least recently used ones go until the next is within what this session, and all, may have. */
static void make_room(struct hearth_window_session *s, uint64_t len)
{
	uint64_t freed = 0, missing;

	while (s->windows.oldest &&
	       (s->windows.bytes + len > s->lease_bytes || s->windows.nr >= HEARTH_WINDOW_MAX))
		hearth_window_revoke(s, s->windows.oldest, true);
	missing = await_sweep(s, len);
	while (s->windows.oldest && freed < missing) {
		freed += s->windows.oldest->len;
		hearth_window_revoke(s, s->windows.oldest, true);
	}
	if (freed)
		await_sweep(s, len);
}

static int check(const struct hearth_window_session *s, const struct hearth_window_msg *ask,
		 struct hearth_window_msg *reply)
{
	if (!s->fabric.pd)
		return refuse(reply, -ENOTCONN, "there is no queue pair that could use a window");
	if (ask->flags & HEARTH_WINDOW_WRITES && !s->may_write)
		return refuse(reply, -EACCES, "%s: attached for reading only",
			      s->lun.lun.name.name);
	if (ask->offset % s->window_bytes || ask->offset >= s->lun.lun.size_bytes)
		return refuse(reply, -EINVAL,
			      "%llu: no window begins there; one has %llu bytes, the LUN %llu",
			      (unsigned long long)ask->offset,
			      (unsigned long long)s->window_bytes,
			      (unsigned long long)s->lun.lun.size_bytes);
	return 0;
}

int hearth_window_lease(struct hearth_window_session *s, const struct hearth_window_msg *ask,
			struct hearth_window_msg *reply)
{
	uint64_t left = s->lun.lun.size_bytes - ask->offset;
	struct hearth_window *w, *former;
	int ret = check(s, ask, reply);

	if (ret)
		return ret;
	hear_touched(s, ask);
	former = hearth_window_set_find(&s->windows, ask->offset);
	if (former)
		hearth_window_revoke(s, former, true);
	w = calloc(1, sizeof(*w));
	if (!w)
		return refuse(reply, -ENOMEM, "the far end is out of memory");
	w->offset = ask->offset;
	w->len = left < s->window_bytes ? left : s->window_bytes;
	w->is_writable = ask->flags & HEARTH_WINDOW_WRITES;
	make_room(s, w->len);
	*s->fabric.why = '\0';
	ret = enrol(s, w);
	if (ret) {
		ret = explain(s, w, ret, reply);
		free(w);
		return ret;
	}
	w->id = ++s->next_id;
	hearth_window_set_add(&s->windows, w);
	reply->id = w->id;
	reply->key = w->region->rkey;
	reply->offset = w->offset;
	reply->len = w->len;
	return 0;
}
