/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of 64-bit hashes of paths: eight bytes a name while it is half full.
 * Two paths with one hash make the set say yes where it should say no; what it
 * says yes to is not deleted.
 */
#ifndef HEARTH_SEEN_H
#define HEARTH_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hearth_seen {
	uint64_t *v; /* open addressing; 0 is an empty place */
	size_t nr;
	size_t cap; /* a power of two */
};

/* What a name in a directory hashes to; the top of all has a random key. */
uint64_t hearth_seen_key(uint64_t parent, const char *name);

/* 0 or -ENOMEM. */
int hearth_seen_add(struct hearth_seen *s, uint64_t key);
bool hearth_seen_has(const struct hearth_seen *s, uint64_t key);
void hearth_seen_exit(struct hearth_seen *s);

#endif
