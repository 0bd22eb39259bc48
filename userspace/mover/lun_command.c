// SPDX-License-Identifier: GPL-2.0-or-later
/* LUNs on the command line of hearthcp: what goes with them and what does not. */
#include <string.h>
#include <sys/types.h>

#include "direct.h"
#include "lun.h"
#include "options.h"

/* Options about files, that a LUN is none of. */
static const struct {
	uint32_t flag;
	uint8_t ends; /* where it has no meaning */
	const char *option;
} meaningless[] = {
	{ HEARTH_DELETE, HEARTH_LUN_IS_SOURCE | HEARTH_LUN_IS_DESTINATION, "--delete" },
	{ HEARTH_CHECKSUM, HEARTH_LUN_IS_SOURCE | HEARTH_LUN_IS_DESTINATION, "-c" },
	{ HEARTH_RELATIVE, HEARTH_LUN_IS_SOURCE | HEARTH_LUN_IS_DESTINATION, "-R" },
	{ HEARTH_REMOVE_SOURCE, HEARTH_LUN_IS_SOURCE, "--remove-source-files" },
	{ HEARTH_BACKUP, HEARTH_LUN_IS_DESTINATION, "-b" },
	{ HEARTH_APPEND_VERIFY, HEARTH_LUN_IS_DESTINATION, "--append-verify" },
	{ HEARTH_INPLACE, HEARTH_LUN_IS_DESTINATION, "--inplace" },
	{ HEARTH_UPDATE, HEARTH_LUN_IS_DESTINATION, "-u" },
	{ HEARTH_EXISTING, HEARTH_LUN_IS_DESTINATION, "--existing" },
	{ HEARTH_IGNORE_EXISTING, HEARTH_LUN_IS_DESTINATION, "--ignore-existing" },
	{ HEARTH_SIZE_ONLY, HEARTH_LUN_IS_DESTINATION, "--size-only" },
	{ HEARTH_ACLS, HEARTH_LUN_IS_DESTINATION, "-A" },
	{ HEARTH_XATTRS, HEARTH_LUN_IS_DESTINATION, "-X" },
};

static bool check_options(const struct hearth_command *cmd)
{
	const struct hearth_options *opt = &cmd->opt;

	for (size_t i = 0; i < sizeof(meaningless) / sizeof(*meaningless); i++)
		if (opt->flags & meaningless[i].flag && opt->lun & meaningless[i].ends)
			return hearth_complain("%s: a LUN is no file; not with one as %s",
					       meaningless[i].option,
					       opt->lun & meaningless[i].ends & HEARTH_LUN_IS_SOURCE
						       ? "source"
						       : "destination");
	if (cmd->names.nr || cmd->filter.nr_rules)
		return hearth_complain("--files-from, --exclude, --include: a LUN has no files");
	if (opt->lun & HEARTH_LUN_IS_DESTINATION &&
	    (opt->chmod || opt->link_dest || opt->uid != UINT32_MAX || opt->gid != UINT32_MAX))
		return hearth_complain("--chmod, --chown, --link-dest: a LUN is no file; "
				       "not with one as destination");
	if (opt->lun & HEARTH_LUN_IS_DESTINATION && opt->block_bytes % HEARTH_DIRECT_ALIGN)
		return hearth_complain("--block-size: with a LUN, give a multiple of 4K");
	return true;
}

/* Takes it apart where it is meant as a LUN. False after a complaint. */
static bool take_end(struct hearth_command *cmd, const char *path, uint8_t end,
		     struct hearth_lun_name *ret)
{
	if (!hearth_lun_is_meant(path))
		return true;
	if (!hearth_lun_parse(path, ret)) {
		cmd->opt.lun |= end;
		return true;
	}
	return hearth_complain("%s: give lun:/NAME, lun:/NAME@OFFSET or lun:/NAME@OFFSET+LEN",
			       path);
}

/* Both ends are LUNs: as much is written as is read. */
static bool is_onto_itself(const struct hearth_command *cmd, const struct hearth_lun_name *from,
			   struct hearth_lun_name to)
{
	const char *a = cmd->source_host, *b = cmd->destination.host;

	if (from->len)
		to.len = from->len;
	return (a && b ? !strcmp(a, b) : !a && !b) && hearth_lun_overlaps(from, &to);
}

/*
 * What is published makes its LUN's content by itself, with all the options that a tree has. Only
 * the end is said: a daemon admits by it.
 */
static bool check_publish(struct hearth_command *cmd)
{
	struct hearth_lun_name to;

	if (cmd->opt.lun) /* yet there are no ends in it */
		return hearth_complain("--keep-warm, --no-cache: not with --publish");
	if (hearth_lun_is_meant(cmd->sources[0]))
		return hearth_complain("--publish: a LUN is no directory; not with one as source");
	return take_end(cmd, cmd->destination.path, HEARTH_LUN_IS_DESTINATION, &to);
}

bool hearth_command_check_luns(struct hearth_command *cmd)
{
	struct hearth_lun_name from, to;
	bool keeps = cmd->opt.lun; /* --keep-warm or --no-cache */

	if (cmd->opt.publishes)
		return check_publish(cmd);
	for (uint32_t i = 0; i < cmd->nr_sources; i++)
		if (!take_end(cmd, cmd->sources[i], HEARTH_LUN_IS_SOURCE, &from))
			return false;
	if (!take_end(cmd, cmd->destination.path, HEARTH_LUN_IS_DESTINATION, &to))
		return false;
	if (keeps && !(cmd->opt.lun & HEARTH_LUN_IS_DESTINATION))
		return hearth_complain("%s: only where the destination is a LUN",
				       "--keep-warm, --no-cache");
	if (cmd->opt.lun & HEARTH_LUN_KEEP_WARM && cmd->opt.lun & HEARTH_LUN_NO_CACHE)
		return hearth_complain("--keep-warm and --no-cache are opposites");
	if (!cmd->opt.lun)
		return true;
	if (cmd->is_bench)
		return hearth_complain("bench: not with a LUN");
	if (cmd->nr_sources != 1)
		return hearth_complain("%s: with a LUN, give one source",
				       cmd->sources[cmd->nr_sources - 1]);
	if (cmd->opt.lun & HEARTH_LUN_IS_SOURCE && cmd->opt.lun & HEARTH_LUN_IS_DESTINATION &&
	    is_onto_itself(cmd, &from, to))
		return hearth_complain("%s: source and destination are the same part of one LUN",
				       cmd->destination.path);
	cmd->opt.flags |= HEARTH_SPARSE;
	/* An image may have a name that leads to it; a daemon follows none. */
	if (!hearth_url_is(cmd->source_host))
		cmd->opt.flags |= HEARTH_COPY_LINKS;
	return check_options(cmd);
}
