// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Uses keys of windows that are not its own.
 *
 *     window-thief RSH HEARTHD PLACE
 *
 * Two sessions of libhearth with one LUN: what the one has leased is read with its key by the
 * other, then with a key that nobody gave, then behind the window, and then written to though it
 * was leased for reading. Each must fail in the device, and the library must get over it.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../userspace/lib/lib.h"

#define WINDOW (128u << 10)

static struct hearth_session *begin(char **argv, uint32_t flags)
{
	const struct hearth_attach_options o = { .flags = HEARTH_ATTACH_RDMA | flags,
						 .window_bytes = WINDOW,
						 .rsh = argv[1],
						 .hearthd_path = argv[2] };
	struct hearth_session *s;

	if (hearth_attach(argv[3], &o, &s))
		errx(1, "attach: %s", hearth_error(NULL));
	return s;
}

static void get(struct hearth_session *s, uint8_t *buf, size_t len, uint64_t offset)
{
	if (hearth_read(s, buf, len, offset) != (ssize_t)len)
		errx(1, "read: %s", hearth_error(s));
}

/* The window that has the LUN's first bytes. */
static struct hearth_window *first_window(struct hearth_session *s)
{
	struct hearth_window *w = hearth_window_set_find(&s->windows, 0);

	if (!w)
		errx(1, "there is no window: %s", s->why);
	return w;
}

/* With its windows as they are, the session fails once, and once only, and reads what is there. */
static void must_fail_once(struct hearth_session *s, const char *what, const uint8_t *right)
{
	uint64_t before = s->count.reconnections;
	uint8_t buf[4096];

	get(s, buf, sizeof(buf), 0);
	if (s->count.reconnections != before + 1 || !strstr(s->why, "remote access"))
		errx(1, "%s: %llu reconnections, \"%s\"", what,
		     (unsigned long long)(s->count.reconnections - before), s->why);
	if (memcmp(buf, right, sizeof(buf)))
		errx(1, "%s: other bytes", what);
	printf("%s: %s\n", what, s->why);
}

/* A write that the window was not leased for. Nothing of it may be there. */
static void must_not_write(struct hearth_session *s, const uint8_t *right)
{
	struct hearth_window *w = first_window(s);
	uint8_t buf[4096];
	bool is_good = true;
	uint32_t slot;

	s->transfers[0] = (struct hearth_transfer){ .buf = buf,
						    .len = sizeof(buf),
						    .is_bounced = true };
	memset(buf, 0xee, sizeof(buf));
	if (hearth_fabric_post(s, 0, w, true) || hearth_fabric_await(s, &slot, &is_good))
		errx(1, "posting a write");
	if (is_good)
		errx(1, "a window for reading was written to");
	if (hearth_fabric_mend(s))
		errx(1, "mending: %s", s->why);
	get(s, buf, sizeof(buf), 0);
	if (memcmp(buf, right, sizeof(buf)))
		errx(1, "the write has changed something");
}

int main(int argc, char **argv)
{
	struct hearth_session *owner, *thief;
	struct hearth_window *w;
	uint8_t right[4096], buf[4096];

	if (argc != 4)
		errx(2, "give RSH HEARTHD PLACE");
	owner = begin(argv, 0);
	thief = begin(argv, 0);
	get(owner, right, sizeof(right), 0);
	get(thief, buf, sizeof(buf), 0);
	w = first_window(thief);
	w->key = first_window(owner)->key;
	must_fail_once(thief, "another session's key", right);
	w = first_window(thief);
	w->key ^= 0x5500;
	must_fail_once(thief, "a key that nobody gave", right);
	w = first_window(thief);
	w->key ^= 1;
	must_fail_once(thief, "a key of another time", right);
	must_not_write(thief, right);
	/* the owner has noticed nothing */
	get(owner, buf, sizeof(buf), 1000);
	if (owner->count.reconnections)
		errx(1, "the other session suffered");
	hearth_detach(thief);
	hearth_detach(owner);
	return 0;
}
