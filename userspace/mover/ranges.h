/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of byte ranges, kept sorted and merged. */
#ifndef HEARTH_RANGES_H
#define HEARTH_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hearth_range {
	uint64_t start;
	uint64_t end;
};

struct hearth_ranges {
	struct hearth_range *v;
	size_t nr;
	size_t cap;
	uint64_t covered; /* bytes in the set */
};

/* Adds [start, end). 0 or -ENOMEM. */
int hearth_ranges_add(struct hearth_ranges *r, uint64_t start, uint64_t end);
void hearth_ranges_exit(struct hearth_ranges *r);

/* The first range not in the set at or after @from and below @size; false if there is none. */
bool hearth_ranges_next_gap(const struct hearth_ranges *r, uint64_t from, uint64_t size,
			    struct hearth_range *ret);

#endif
