// SPDX-License-Identifier: GPL-2.0-or-later
/* --publish on the command line: what goes with it, and what is refused by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

/* A file system that comes into being as a whole has nothing to compare with or to keep. */
static const struct {
	uint32_t flag;
	const char *option;
} refused[] = {
	{ HEARTH_DELETE, "--delete" },
	{ HEARTH_INPLACE, "--inplace" },
	{ HEARTH_BACKUP, "--backup" },
	{ HEARTH_UPDATE, "--update" },
	{ HEARTH_EXISTING, "--existing" },
	{ HEARTH_IGNORE_EXISTING, "--ignore-existing" },
	{ HEARTH_IGNORE_TIMES, "--ignore-times" },
	{ HEARTH_SIZE_ONLY, "--size-only" },
	{ HEARTH_CHECKSUM, "--checksum" },
	{ HEARTH_REMOVE_SOURCE, "--remove-source-files" },
	{ HEARTH_DRY_RUN, "--dry-run" },
	{ HEARTH_VERIFY, "--verify" },
	{ HEARTH_RELATIVE, "--relative" },
};

/* What it implies, and cannot do without. */
static const struct {
	uint32_t flag;
	const char *option;
} implied[] = {
	{ HEARTH_PERMS, "--no-perms" },
	{ HEARTH_TIMES, "--no-times" },
	{ HEARTH_OWNER, "--no-owner" },
	{ HEARTH_GROUP, "--no-group" },
};

void hearth_command_take_publish(struct hearth_command *cmd)
{
	cmd->opt.publishes = true;
	cmd->opt.flags |= HEARTH_RECURSE | HEARTH_LINKS | HEARTH_PERMS | HEARTH_TIMES |
			  HEARTH_OWNER | HEARTH_GROUP | HEARTH_SPECIALS | HEARTH_HARD_LINKS |
			  HEARTH_ACLS | HEARTH_XATTRS;
}

static bool refuse(const char *option)
{
	return hearth_complain("%s: not with --publish, which makes a whole new file system",
			       option);
}

static bool check_flags(const struct hearth_options *opt)
{
	if (opt->flags & HEARTH_APPEND_VERIFY)
		return refuse("--append-verify");
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (opt->flags & refused[i].flag)
			return refuse(refused[i].option);
	for (size_t i = 0; i < sizeof(implied) / sizeof(*implied); i++)
		if (!(opt->flags & implied[i].flag))
			return refuse(implied[i].option);
	if (opt->link_dest)
		return refuse("--link-dest");
	if (opt->fsync != HEARTH_FSYNC_END)
		return hearth_complain("--fsync: with --publish it is always \"end\"");
	return true;
}

/* The directory becomes the root, so its content is what is meant, however it was written. */
static bool add_slash(char **path)
{
	size_t len = strlen(*path);
	char *longer;

	if (len && (*path)[len - 1] == '/')
		return true;
	longer = malloc(len + 2);
	if (!longer)
		return hearth_complain("out of memory");
	snprintf(longer, len + 2, "%s/", *path);
	free(*path);
	*path = longer;
	return true;
}

bool hearth_command_check_publish(struct hearth_command *cmd)
{
	if (!cmd->opt.publishes)
		return true;
	if (cmd->is_bench)
		return hearth_complain("--publish: not with bench");
	if (cmd->reads_stdin || cmd->writes_stdout)
		return hearth_complain("--publish: a pipe is neither a directory nor an image");
	if (cmd->nr_sources != 1)
		return hearth_complain("--publish: give one directory; it becomes the root");
	return check_flags(&cmd->opt) && add_slash(&cmd->sources[0]);
}
