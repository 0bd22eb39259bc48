// SPDX-License-Identifier: GPL-2.0-or-later
/* Sources and destination on the command line of hearthcp. */
#include <stdlib.h>
#include <string.h>

#include "options.h"

/* "host:path" has its colon before any slash; "[v6::address]:path" is a host too. */
static bool parse_location(const char *text, struct hearth_location *ret)
{
	const char *colon =
		*text == '[' || strstr(text, "@[") ? strstr(text, "]:") : strchr(text, ':');
	const char *slash = strchr(text, '/');

	if (strchr("[", *text) && colon)
		colon++;
	if (!strncmp(text, "hearth://", 9))
		return hearth_complain("%s: a running daemon cannot be reached in this version; "
				       "use HOST:PATH over ssh",
				       text);
	if (!*text)
		return hearth_complain("an empty name is neither a source nor a destination; "
				       "the directory here is \".\"");
	if (!colon || (slash && slash < colon)) {
		*ret = (struct hearth_location){ NULL, strdup(text) };
		return true;
	}
	if (colon == text)
		return hearth_complain("%s: a host is missing before the colon; "
				       "write ./%s for a file of that name",
				       text, text);
	if (!strncmp(colon, ":lun:", 5))
		return hearth_complain("%s: copying into LUNs is not in this version", text);
	*ret = (struct hearth_location){ strndup(text, (size_t)(colon - text)),
					 strdup(colon[1] ? colon + 1 : ".") };
	return true;
}

static bool take_source(struct hearth_command *cmd, const char *text)
{
	struct hearth_location l;

	if (!parse_location(text, &l))
		return false;
	if (cmd->nr_sources &&
	    (!l.host != !cmd->source_host || (l.host && strcmp(l.host, cmd->source_host))))
		return hearth_complain("%s: all sources must be at the same end", text);
	if (!cmd->nr_sources)
		cmd->source_host = l.host;
	else
		free(l.host);
	cmd->sources[cmd->nr_sources++] = l.path;
	return true;
}

bool hearth_command_take_places(struct hearth_command *cmd, const char **args)
{
	uint32_t nr = 0;

	while (args && args[nr])
		nr++;
	if (nr < 2)
		return hearth_complain(
			"give at least one source and a destination; see hearthcp --help");
	cmd->sources = calloc(nr, sizeof(*cmd->sources));
	if (!cmd->sources)
		return hearth_complain("out of memory");
	cmd->reads_stdin = nr == 2 && !strcmp(args[0], "-");
	cmd->writes_stdout = !strcmp(args[nr - 1], "-");
	if (cmd->reads_stdin && cmd->writes_stdout)
		return hearth_complain("- -: one end must be a file");
	for (uint32_t i = 0; i < nr - 1; i++)
		if (!take_source(cmd, args[i]))
			return false;
	if (!parse_location(args[nr - 1], &cmd->destination))
		return false;
	if (cmd->source_host && cmd->destination.host)
		return hearth_complain("%s: copying between two far ends is not in this version; "
				       "run hearthcp on one of them",
				       args[nr - 1]);
	return true;
}
