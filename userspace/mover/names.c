// SPDX-License-Identifier: GPL-2.0-or-later
/* --files-from: a list of paths. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/bytes.h"
#include "names.h"

#define FRAME_BYTES (64u << 10)

int hearth_names_add(struct hearth_names *n, const char *name, size_t len)
{
	if (n->nr == HEARTH_MAX_NAMES)
		return -E2BIG;
	/* Doubles at every power of two. */
	if (!(n->nr & (n->nr - 1))) {
		char **grown = realloc(n->v, (n->nr ? 2 * (size_t)n->nr : 1) * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		n->v = grown;
	}
	n->v[n->nr] = strndup(name, len);
	if (!n->v[n->nr])
		return -ENOMEM;
	n->nr++;
	return 0;
}

void hearth_names_exit(struct hearth_names *n)
{
	for (uint32_t i = 0; i < n->nr; i++)
		free(n->v[i]);
	free(n->v);
	memset(n, 0, sizeof(*n));
}

static int load_stream(struct hearth_names *n, FILE *f, char end)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int ret = 0;

	while (!ret && (len = getdelim(&line, &cap, end, f)) > 0) {
		len -= line[len - 1] == end;
		if (!len || (end == '\n' && (*line == '#' || *line == ';')))
			continue;
		ret = len >= HEARTH_PATH_MAX ? -ENAMETOOLONG
					     : hearth_names_add(n, line, (size_t)len);
	}
	if (!ret && ferror(f))
		ret = -EIO;
	free(line);
	return ret;
}

int hearth_names_load(struct hearth_names *n, const char *path, char end)
{
	FILE *f = strcmp(path, "-") ? fopen(path, "re") : stdin;
	int ret;

	if (!f)
		return -errno;
	ret = load_stream(n, f, end);
	if (f != stdin)
		fclose(f);
	return ret;
}

int hearth_names_send(struct hearth_control *c, const struct hearth_names *n)
{
	uint8_t *buf = malloc(FRAME_BYTES);
	struct hearth_writer w = hearth_writer_of(buf, FRAME_BYTES);
	int ret = buf ? 0 : -ENOMEM;

	for (uint32_t i = 0; !ret && i < n->nr; i++) {
		hearth_put_string(&w, n->v[i], strlen(n->v[i]));
		if (i + 1 < n->nr && w.cap - w.len > HEARTH_PATH_MAX + 10)
			continue;
		ret = hearth_control_send(c, HEARTH_FRAME_NAMES, buf, w.len);
		w.len = 0;
	}
	free(buf);
	return ret;
}

int hearth_names_parse(const struct hearth_frame *f, struct hearth_names *n)
{
	struct hearth_reader r = hearth_reader_of(f->body, f->len);
	int ret = 0;

	while (!ret && hearth_reader_left(&r)) {
		size_t len;
		const char *name = hearth_get_string(&r, HEARTH_PATH_MAX - 1, &len);

		if (!name || !len || memchr(name, '\0', len))
			return -EPROTO;
		ret = hearth_names_add(n, name, len);
	}
	return ret == -E2BIG ? -EPROTO : ret;
}

int hearth_names_receive(struct hearth_control *c, uint64_t nr, struct hearth_names *ret)
{
	struct hearth_frame f;
	int err = 0;

	while (!err && ret->nr < nr) {
		err = hearth_control_recv(c, &f);
		if (!err)
			err = f.type == HEARTH_FRAME_NAMES && f.len ? hearth_names_parse(&f, ret)
								    : -EPROTO;
	}
	return err || ret->nr == nr ? err : -EPROTO;
}
