// SPDX-License-Identifier: GPL-2.0-or-later
/* What a pull may bring: a sender that offers anything else is refused. */
#include <errno.h>
#include <string.h>

#include "names.h"
#include "options.h"

/* A path as the far end sees it: with a daemon, below the module. */
static const char *own_path(const struct hearth_command *cmd, uint32_t i)
{
	const char *path = cmd->sources[i], *slash = strchr(path, '/');

	if (!hearth_url_is(cmd->source_host))
		return path;
	return slash ? slash + 1 : "";
}

/* The first component; once, if several paths in a row have it. */
static int add_first(struct hearth_names *n, const char *path)
{
	const char *cut = strstr(path, "/./");
	size_t len;

	if (cut)
		path = cut + 3;
	while (*path == '/' || !strncmp(path, "./", 2))
		path += *path == '/' ? 1 : 2;
	len = strcspn(path, "/");
	if (n->nr && strlen(n->v[n->nr - 1]) == len && !memcmp(n->v[n->nr - 1], path, len))
		return 0;
	return hearth_names_add(n, path, len);
}

static int add_last(struct hearth_names *n, const char *path, bool *ret_is_content)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	*ret_is_content |= !*name || !strcmp(name, ".") || !strcmp(name, "..");
	return hearth_names_add(n, name, strlen(name));
}

int hearth_command_expect(const struct hearth_command *cmd, struct hearth_names *ret)
{
	bool is_content = false;
	int err = 0;

	for (uint32_t i = 0; i < cmd->names.nr && !err; i++)
		err = add_first(ret, cmd->names.v[i]);
	for (uint32_t i = 0; i < cmd->nr_sources && !cmd->names.nr && !err; i++)
		err = cmd->opt.flags & HEARTH_RELATIVE
			      ? add_first(ret, own_path(cmd, i))
			      : add_last(ret, own_path(cmd, i), &is_content);
	if (err || is_content)
		hearth_names_exit(ret);
	return err;
}
