// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows of a LUN: a bounded set, in the order in which they were used last. */
#include <string.h>

#include "window_set.h"

/* Neighbours, and what lies a power of two apart, get buckets of their own. */
static struct hearth_window **bucket_of(struct hearth_window_set *s, uint64_t offset)
{
	uint64_t hash = (offset >> s->shift) * 0x9e3779b97f4a7c15u;

	return &s->buckets[hash >> 54 & (HEARTH_WINDOW_BUCKETS - 1)];
}

void hearth_window_set_init(struct hearth_window_set *s, uint64_t window_bytes)
{
	memset(s, 0, sizeof(*s));
	while (1ull << s->shift < window_bytes)
		s->shift++;
}

struct hearth_window *hearth_window_set_find(const struct hearth_window_set *s, uint64_t offset)
{
	struct hearth_window *w = *bucket_of((struct hearth_window_set *)s, offset);

	while (w && w->offset >> s->shift != offset >> s->shift)
		w = w->chain;
	return w;
}

struct hearth_window *hearth_window_set_find_id(const struct hearth_window_set *s, uint32_t id)
{
	struct hearth_window *w = s->newest;

	while (w && w->id != id)
		w = w->older;
	return w;
}

static void link_newest(struct hearth_window_set *s, struct hearth_window *w)
{
	w->newer = NULL;
	w->older = s->newest;
	if (s->newest)
		s->newest->newer = w;
	else
		s->oldest = w;
	s->newest = w;
}

static void unlink_age(struct hearth_window_set *s, struct hearth_window *w)
{
	if (w->older)
		w->older->newer = w->newer;
	else
		s->oldest = w->newer;
	if (w->newer)
		w->newer->older = w->older;
	else
		s->newest = w->older;
}

void hearth_window_set_add(struct hearth_window_set *s, struct hearth_window *w)
{
	struct hearth_window **bucket = bucket_of(s, w->offset);

	w->chain = *bucket;
	*bucket = w;
	link_newest(s, w);
	s->nr++;
	s->bytes += w->len;
}

void hearth_window_set_remove(struct hearth_window_set *s, struct hearth_window *w)
{
	struct hearth_window **at = bucket_of(s, w->offset);

	while (*at != w)
		at = &(*at)->chain;
	*at = w->chain;
	unlink_age(s, w);
	s->nr--;
	s->bytes -= w->len;
}

void hearth_window_set_touch(struct hearth_window_set *s, struct hearth_window *w)
{
	if (w == s->newest)
		return;
	unlink_age(s, w);
	link_newest(s, w);
}
