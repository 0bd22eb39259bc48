// SPDX-License-Identifier: GPL-2.0-or-later
/* A set of 64-bit hashes of paths. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "seen.h"

#define FIRST_CAP 1024

uint64_t hearth_seen_key(uint64_t parent, const char *name)
{
	uint64_t key = XXH3_64bits_withSeed(name, strlen(name), parent);

	return key ? key : 1;
}

static size_t find(const struct hearth_seen *s, uint64_t key)
{
	size_t at = key & (s->cap - 1);

	while (s->v[at] && s->v[at] != key)
		at = (at + 1) & (s->cap - 1);
	return at;
}

static int grow(struct hearth_seen *s)
{
	struct hearth_seen grown = { .nr = s->nr, .cap = s->cap ? 2 * s->cap : FIRST_CAP };

	grown.v = calloc(grown.cap, sizeof(*grown.v));
	if (!grown.v)
		return -ENOMEM;
	for (size_t i = 0; i < s->cap; i++)
		if (s->v[i])
			grown.v[find(&grown, s->v[i])] = s->v[i];
	free(s->v);
	*s = grown;
	return 0;
}

int hearth_seen_add(struct hearth_seen *s, uint64_t key)
{
	size_t at;

	if (2 * s->nr >= s->cap) {
		int err = grow(s);

		if (err)
			return err;
	}
	at = find(s, key);
	s->nr += !s->v[at];
	s->v[at] = key;
	return 0;
}

bool hearth_seen_has(const struct hearth_seen *s, uint64_t key)
{
	return s->cap && s->v[find(s, key)];
}

void hearth_seen_exit(struct hearth_seen *s)
{
	free(s->v);
	memset(s, 0, sizeof(*s));
}
