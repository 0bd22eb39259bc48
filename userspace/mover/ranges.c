// SPDX-License-Identifier: GPL-2.0-or-later
/* A set of byte ranges, kept sorted and merged. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ranges.h"

/* Index of the first range that ends at or after @start. */
static size_t first_touching(const struct hearth_ranges *r, uint64_t start)
{
	size_t low = 0, high = r->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->v[mid].end < start)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int make_room(struct hearth_ranges *r)
{
	size_t cap = r->cap ? r->cap * 2 : 16;
	struct hearth_range *grown;

	if (r->nr < r->cap)
		return 0;
	grown = realloc(r->v, cap * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	r->v = grown;
	r->cap = cap;
	return 0;
}

int hearth_ranges_add(struct hearth_ranges *r, uint64_t start, uint64_t end)
{
	size_t at, past;

	if (start >= end)
		return 0;
	at = first_touching(r, start);
	past = at;
	while (past < r->nr && r->v[past].start <= end) {
		start = r->v[past].start < start ? r->v[past].start : start;
		end = r->v[past].end > end ? r->v[past].end : end;
		r->covered -= r->v[past].end - r->v[past].start;
		past++;
	}
	if (at == past) {
		int err = make_room(r);

		if (err)
			return err;
		memmove(r->v + at + 1, r->v + at, (r->nr - at) * sizeof(*r->v));
		r->nr++;
	} else {
		memmove(r->v + at + 1, r->v + past, (r->nr - past) * sizeof(*r->v));
		r->nr -= past - at - 1;
	}
	r->v[at] = (struct hearth_range){ start, end };
	r->covered += end - start;
	return 0;
}

bool hearth_ranges_next_gap(const struct hearth_ranges *r, uint64_t from, uint64_t size,
			    struct hearth_range *ret)
{
	size_t at = first_touching(r, from);

	if (at < r->nr && r->v[at].start <= from)
		from = r->v[at++].end > from ? r->v[at - 1].end : from;
	if (from >= size)
		return false;
	ret->start = from;
	ret->end = at < r->nr && r->v[at].start < size ? r->v[at].start : size;
	return ret->start < ret->end || hearth_ranges_next_gap(r, ret->end, size, ret);
}

void hearth_ranges_exit(struct hearth_ranges *r)
{
	free(r->v);
	memset(r, 0, sizeof(*r));
}
