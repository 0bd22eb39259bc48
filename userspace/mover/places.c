// SPDX-License-Identifier: GPL-2.0-or-later
/* Sources and destination on the command line of hearthcp. */
#include <stdlib.h>
#include <string.h>

#include "lun.h"
#include "options.h"

/* Takes over both; a path there must be. */
static bool found(struct hearth_location *ret, char *host, char *path, bool has_host)
{
	if (path && (host || !has_host)) {
		*ret = (struct hearth_location){ host, path };
		return true;
	}
	free(host);
	free(path);
	return hearth_complain("out of memory");
}

/* "hearth://[user@]host[:port]/module/path": the host is all up to the module. */
static bool parse_url(const char *text, struct hearth_location *ret)
{
	const char *rest = text + strlen(HEARTH_URL), *slash = strchr(rest, '/');

	if (!slash || slash == rest || !slash[1] || slash[1] == '/')
		return hearth_complain("%s: give hearth://[USER@]HOST[:PORT]/MODULE/PATH", text);
	return found(ret, strndup(text, (size_t)(slash - text)), strdup(slash + 1), true);
}

/* "host:path" has its colon before any slash; "[v6::address]:path" is a host too. */
static bool parse_location(const char *text, struct hearth_location *ret)
{
	bool has_brackets = *text == '[' || strstr(text, "@[");
	const char *colon = has_brackets ? strstr(text, "]:") : strchr(text, ':');
	const char *slash = strchr(text, '/');

	if (has_brackets && colon)
		colon++;
	if (hearth_url_is(text))
		return parse_url(text, ret);
	if (hearth_lun_is_meant(text))
		return found(ret, NULL, strdup(text), false);
	if (!*text)
		return hearth_complain("an empty name is neither a source nor a destination; "
				       "the directory here is \".\"");
	if (!colon || (slash && slash < colon))
		return found(ret, NULL, strdup(text), false);
	if (colon == text)
		return hearth_complain("%s: a host is missing before the colon; "
				       "write ./%s for a file of that name",
				       text, text);
	if (!strncmp(colon, ":lun:", 5) && !hearth_lun_is_meant(colon + 1))
		return hearth_complain("%s: a LUN is HOST:lun:/NAME; "
				       "write ./lun: for a file of that name",
				       text);
	return found(ret, strndup(text, (size_t)(colon - text)), strdup(colon[1] ? colon + 1 : "."),
		     true);
}

static bool take_source(struct hearth_command *cmd, const char *text)
{
	struct hearth_location l = { NULL, NULL };

	if (!parse_location(text, &l))
		return false;
	if (cmd->nr_sources &&
	    (!l.host != !cmd->source_host || (l.host && strcmp(l.host, cmd->source_host)))) {
		free(l.host);
		free(l.path);
		return hearth_complain("%s: all sources must be at the same end", text);
	}
	if (!cmd->nr_sources)
		cmd->source_host = l.host;
	else
		free(l.host);
	cmd->sources[cmd->nr_sources++] = l.path;
	return true;
}

/*
 * hearthcp bench: the far end, with a file to write or without; or just that file, or nothing, if
 * the far end is here.
 */
static bool take_bench_place(struct hearth_command *cmd, const char **args)
{
	cmd->is_bench = true;
	if (args[0] && args[1])
		return hearth_complain("bench: give one far end; the file to read is --from=FILE");
	if (!args[0]) {
		cmd->destination = (struct hearth_location){ NULL, strdup("") };
		return true;
	}
	return parse_location(args[0], &cmd->destination);
}

bool hearth_command_take_places(struct hearth_command *cmd, const char **args)
{
	uint32_t nr = 0;

	if (args && args[0] && !strcmp(args[0], "bench"))
		return take_bench_place(cmd, args + 1);
	while (args && args[nr])
		nr++;
	if (nr < 2)
		return hearth_complain("give at least one source and a destination; see --help");
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
	return true;
}
