// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line of hearthcp: one table for what is accepted, one for what is refused by name. */
#include <errno.h>
#include <popt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/units.h"
#include "engine.h"
#include "options.h"

enum {
	OPT_ARCHIVE = 1000,
	OPT_FLAG, /* OPT_FLAG + n sets flag 1 << n */
	OPT_NO_FLAG = OPT_FLAG + 32,
	OPT_RSH = OPT_NO_FLAG + 32,
	OPT_HEARTHD_PATH,
	OPT_EXCLUDE,
	OPT_INCLUDE,
	OPT_FSYNC,
	OPT_INTEGRITY,
	OPT_BLOCK_SIZE,
	OPT_MEMORY,
	OPT_STREAMS,
	OPT_PORT,
	OPT_DATA,
	OPT_STAGES,
	OPT_TIMEOUT,
	OPT_PROGRESS,
	OPT_NO_PROGRESS,
	OPT_HELP,
	OPT_VERSION,
};

#define FLAG_BIT(flag) __builtin_ctz(flag)
#define SETS(flag) (OPT_FLAG + FLAG_BIT(flag))
#define CLEARS(flag) (OPT_NO_FLAG + FLAG_BIT(flag))

/* What the options write to that popt fills in by itself. */
static struct {
	int is_json;
	int is_quiet;
	int shows_stats;
} given;

static const struct poptOption table[] = {
	{ "archive", 'a', POPT_ARG_NONE, NULL, OPT_ARCHIVE, NULL, NULL },
	{ "recursive", 'r', POPT_ARG_NONE, NULL, SETS(HEARTH_RECURSE), NULL, NULL },
	{ "links", 'l', POPT_ARG_NONE, NULL, SETS(HEARTH_LINKS), NULL, NULL },
	{ "perms", 'p', POPT_ARG_NONE, NULL, SETS(HEARTH_PERMS), NULL, NULL },
	{ "times", 't', POPT_ARG_NONE, NULL, SETS(HEARTH_TIMES), NULL, NULL },
	{ "owner", 'o', POPT_ARG_NONE, NULL, SETS(HEARTH_OWNER), NULL, NULL },
	{ "group", 'g', POPT_ARG_NONE, NULL, SETS(HEARTH_GROUP), NULL, NULL },
	{ NULL, 'D', POPT_ARG_NONE, NULL, SETS(HEARTH_SPECIALS), NULL, NULL },
	{ "no-links", 0, POPT_ARG_NONE, NULL, CLEARS(HEARTH_LINKS), NULL, NULL },
	{ "no-perms", 0, POPT_ARG_NONE, NULL, CLEARS(HEARTH_PERMS), NULL, NULL },
	{ "no-times", 0, POPT_ARG_NONE, NULL, CLEARS(HEARTH_TIMES), NULL, NULL },
	{ "no-owner", 0, POPT_ARG_NONE, NULL, CLEARS(HEARTH_OWNER), NULL, NULL },
	{ "no-group", 0, POPT_ARG_NONE, NULL, CLEARS(HEARTH_GROUP), NULL, NULL },
	{ "no-D", 0, POPT_ARG_NONE, NULL, CLEARS(HEARTH_SPECIALS), NULL, NULL },
	{ "update", 'u', POPT_ARG_NONE, NULL, SETS(HEARTH_UPDATE), NULL, NULL },
	{ "existing", 0, POPT_ARG_NONE, NULL, SETS(HEARTH_EXISTING), NULL, NULL },
	{ "ignore-existing", 0, POPT_ARG_NONE, NULL, SETS(HEARTH_IGNORE_EXISTING), NULL, NULL },
	{ "ignore-times", 'I', POPT_ARG_NONE, NULL, SETS(HEARTH_IGNORE_TIMES), NULL, NULL },
	{ "size-only", 0, POPT_ARG_NONE, NULL, SETS(HEARTH_SIZE_ONLY), NULL, NULL },
	{ "one-file-system", 'x', POPT_ARG_NONE, NULL, SETS(HEARTH_ONE_FILE_SYSTEM), NULL, NULL },
	{ "exclude", 0, POPT_ARG_STRING, NULL, OPT_EXCLUDE, NULL, NULL },
	{ "include", 0, POPT_ARG_STRING, NULL, OPT_INCLUDE, NULL, NULL },
	{ "rsh", 'e', POPT_ARG_STRING, NULL, OPT_RSH, NULL, NULL },
	{ "hearthd-path", 0, POPT_ARG_STRING, NULL, OPT_HEARTHD_PATH, NULL, NULL },
	{ "fsync", 0, POPT_ARG_STRING, NULL, OPT_FSYNC, NULL, NULL },
	{ "integrity", 0, POPT_ARG_STRING, NULL, OPT_INTEGRITY, NULL, NULL },
	{ "block-size", 0, POPT_ARG_STRING, NULL, OPT_BLOCK_SIZE, NULL, NULL },
	{ "memory", 0, POPT_ARG_STRING, NULL, OPT_MEMORY, NULL, NULL },
	{ "streams", 0, POPT_ARG_STRING, NULL, OPT_STREAMS, NULL, NULL },
	{ "stages", 0, POPT_ARG_STRING, NULL, OPT_STAGES, NULL, NULL },
	{ "port", 0, POPT_ARG_STRING, NULL, OPT_PORT, NULL, NULL },
	{ "data", 0, POPT_ARG_STRING, NULL, OPT_DATA, NULL, NULL },
	{ "timeout", 0, POPT_ARG_STRING, NULL, OPT_TIMEOUT, NULL, NULL },
	{ "progress", 0, POPT_ARG_NONE, NULL, OPT_PROGRESS, NULL, NULL },
	{ "no-progress", 0, POPT_ARG_NONE, NULL, OPT_NO_PROGRESS, NULL, NULL },
	{ "json", 0, POPT_ARG_NONE, &given.is_json, 0, NULL, NULL },
	{ "stats", 0, POPT_ARG_NONE, &given.shows_stats, 0, NULL, NULL },
	{ "quiet", 'q', POPT_ARG_NONE, &given.is_quiet, 0, NULL, NULL },
	{ "help", 'h', POPT_ARG_NONE, NULL, OPT_HELP, NULL, NULL },
	{ "version", 'V', POPT_ARG_NONE, NULL, OPT_VERSION, NULL, NULL },
	POPT_TABLEEND
};

/* What rsync has and people will try: not here yet, and never ignored. */
static const char *const refused[] = {
	"-H",
	"--hard-links",
	"-A",
	"--acls",
	"-X",
	"--xattrs",
	"-S",
	"--sparse",
	"-L",
	"--copy-links",
	"-R",
	"--relative",
	"-n",
	"--dry-run",
	"-v",
	"--verbose",
	"-c",
	"--checksum",
	"-b",
	"--backup",
	"-z",
	"--compress",
	"-P",
	"--partial",
	"-E",
	"--executability",
	"-W",
	"--whole-file",
	"-i",
	"--itemize-changes",
	"-f",
	"--filter",
	"--delete",
	"--delete-excluded",
	"--max-delete",
	"--exclude-from",
	"--include-from",
	"--files-from",
	"--link-dest",
	"--copy-dest",
	"--compare-dest",
	"--chmod",
	"--chown",
	"--remove-source-files",
	"--append",
	"--append-verify",
	"--inplace",
	"--bwlimit",
	"--verify",
	"--numa",
	"--direct",
	"--seal",
	"--transport",
	"--force",
};

static void print_help(void)
{
	puts("Usage: hearthcp [OPTION]... SRC... DST\n"
	     "Copy files, here or over ssh, restartable and verified. SRC and DST: PATH or [USER@]HOST:PATH.\n"
	     "A slash after a source directory stands for what is in it.\n"
	     "\n"
	     "  -a, --archive         same as -rlptgoD\n"
	     "  -r, --recursive       directories and what is in them\n"
	     "  -l -p -t -o -g -D     keep symlinks, modes, times, owners, groups, devices and FIFOs (--no-... not)\n"
	     "  -u, --update          leave files alone that are newer at the destination\n"
	     "      --existing, --ignore-existing   make no new files; leave those that exist alone\n"
	     "  -I, --ignore-times    copy what has the same size and time, too (--size-only: compare sizes alone)\n"
	     "  -x, --one-file-system stay on the file system of the source\n"
	     "      --exclude=PATTERN, --include=PATTERN    leave out, or not; the first that matches decides\n"
	     "  -e, --rsh=COMMAND     how to reach the far end (ssh)\n"
	     "      --hearthd-path=PATH   the program to start there (hearthd)\n"
	     "      --data=auto|direct|ssh    data connections: to a port of the far end, or inside ssh\n"
	     "      --port=N[-M]      that port\n"
	     "      --streams=N       data connections\n"
	     "      --fsync=end|file|none     when data is forced to disk\n"
	     "      --integrity=end|link      checksum every block, or trust the network\n"
	     "      --block-size=SIZE --memory=SIZE   of a block; of all blocks of an end\n"
	     "      --stages=auto|fused|split     one thread a stream, or storage and network threads\n"
	     "      --timeout=SECONDS silence after which the far end counts as lost (60)\n"
	     "      --progress, --no-progress, --stats, -q, --quiet, --json (events, one a line)\n"
	     "  -h, --help, -V, --version\n"
	     "\n"
	     "The same command continues what was interrupted. SIGUSR1 prints a status line. Details: man hearthcp");
}

static bool complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool complain(const char *format, ...)
{
	va_list args;

	fputs("hearthcp: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return false;
}

/* Index of @text in the @nr @words, or -1 after a complaint. */
static int choose(const char *option, const char *text, const char *const *words, int nr)
{
	char all[128] = "";

	for (int i = 0; i < nr; i++) {
		if (!strcmp(text, words[i]))
			return i;
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? ", " : "",
			 words[i]);
	}
	complain("--%s=%s: give one of %s", option, text, all);
	return -1;
}

static bool take_size(const char *option, const char *text, uint64_t min, uint64_t max,
		      uint64_t *ret)
{
	char low[32], high[32];

	if (!hearth_parse_size(text, ret) && *ret >= min && *ret <= max)
		return true;
	return complain("--%s=%s: give a size from %s to %s, like 512K or 2M", option, text,
			hearth_format_size(low, sizeof(low), min),
			hearth_format_size(high, sizeof(high), max));
}

static bool take_count(const char *option, const char *text, uint64_t max, uint64_t *ret)
{
	if (!hearth_parse_count(text, max, ret) && *ret)
		return true;
	return complain("--%s=%s: give a number from 1 to %llu", option, text,
			(unsigned long long)max);
}

static bool take_text(char **to, const char *text)
{
	free(*to);
	*to = strdup(text);
	return *to || complain("out of memory");
}

static bool take_rule(struct hearth_command *cmd, bool is_include, const char *text)
{
	const char *option = is_include ? "include" : "exclude";

	switch (hearth_filter_add(&cmd->filter, is_include, text, strlen(text))) {
	case 0:
		return true;
	case -EINVAL:
		return complain("--%s=%s: give a pattern, without \"***\"", option, text);
	default:
		return complain("--%s=%s: too long, or more than %d rules", option, text,
				HEARTH_MAX_RULES);
	}
}

static bool take_ports(struct hearth_command *cmd, const char *text)
{
	unsigned int low, high;
	char tail;
	int nr = sscanf(text, "%5u-%5u%c", &low, &high, &tail);

	if (nr == 1 && !strchr(text, '-'))
		high = low;
	else if (nr != 2)
		low = 0;
	if (!low || low > high || high > 65535)
		return complain("--port=%s: give a port or a range like 5000-5010", text);
	cmd->port_low = (uint16_t)low;
	cmd->port_high = (uint16_t)high;
	return true;
}

static bool take_value(struct hearth_command *cmd, int which, const char *text)
{
	static const char *const fsyncs[] = { "none", "file", "end" };
	static const char *const integrities[] = { "end", "link" };
	static const char *const paths[] = { "auto", "direct", "ssh" };
	static const char *const stages[] = { "auto", "fused", "split" };
	uint64_t number = 0;
	int choice = 0;
	bool is_ok = true;

	switch (which) {
	case OPT_RSH:
		is_ok = take_text(&cmd->rsh, text);
		break;
	case OPT_HEARTHD_PATH:
		is_ok = take_text(&cmd->hearthd_path, text);
		break;
	case OPT_EXCLUDE:
	case OPT_INCLUDE:
		is_ok = take_rule(cmd, which == OPT_INCLUDE, text);
		break;
	case OPT_FSYNC:
		choice = choose("fsync", text, fsyncs, 3);
		cmd->opt.fsync = (uint8_t)choice;
		break;
	case OPT_INTEGRITY:
		choice = choose("integrity", text, integrities, 2);
		if (choice == 1)
			cmd->opt.flags |= HEARTH_UNHASHED;
		break;
	case OPT_DATA:
		choice = choose("data", text, paths, 3);
		cmd->data_path = (enum hearth_data_path)choice;
		break;
	case OPT_STAGES:
		choice = choose("stages", text, stages, 3);
		cmd->opt.stages = (uint8_t)choice;
		break;
	case OPT_BLOCK_SIZE:
		is_ok = take_size("block-size", text, HEARTH_BLOCK_MIN_PAYLOAD,
				  HEARTH_BLOCK_MAX_PAYLOAD, &number);
		cmd->opt.block_bytes = (uint32_t)number;
		break;
	case OPT_MEMORY:
		is_ok = take_size("memory", text, 1u << 20, 1ull << 40, &cmd->opt.memory_bytes);
		break;
	case OPT_STREAMS:
		is_ok = take_count("streams", text, HEARTH_MAX_STREAMS, &number);
		cmd->nr_streams = (uint32_t)number;
		break;
	case OPT_TIMEOUT:
		is_ok = take_count("timeout", text, 86400, &number);
		cmd->opt.timeout_s = (uint32_t)number;
		break;
	default:
		is_ok = take_ports(cmd, text);
	}
	return is_ok && choice >= 0;
}

static void take_switch(struct hearth_command *cmd, int which)
{
	if (which == OPT_ARCHIVE)
		cmd->opt.flags |= HEARTH_RECURSE | HEARTH_LINKS | HEARTH_PERMS | HEARTH_TIMES |
				  HEARTH_OWNER | HEARTH_GROUP | HEARTH_SPECIALS;
	else if (which == OPT_PROGRESS)
		cmd->progress = HEARTH_PROGRESS_ON;
	else if (which == OPT_NO_PROGRESS)
		cmd->progress = HEARTH_PROGRESS_OFF;
	else if (which >= OPT_NO_FLAG)
		cmd->opt.flags &= ~(1u << (which - OPT_NO_FLAG));
	else
		cmd->opt.flags |= 1u << (which - OPT_FLAG);
}

static bool is_value_option(int which)
{
	return which >= OPT_RSH && which <= OPT_TIMEOUT;
}

static bool complain_option(const char *option, const char *why)
{
	size_t len = strcspn(option, "=");

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (strlen(refused[i]) == len && !strncmp(refused[i], option, len))
			return complain("%s: not in this version; nothing was copied", refused[i]);
	return complain("%s: %s; see hearthcp --help", option, why);
}

static bool parse_options(struct hearth_command *cmd, poptContext popt, enum hearth_exit *ret_code)
{
	int which;

	*ret_code = HEARTH_EXIT_USAGE;
	while ((which = poptGetNextOpt(popt)) > 0) {
		char *value = is_value_option(which) ? poptGetOptArg(popt) : NULL;
		bool is_ok = !value || take_value(cmd, which, value);

		free(value);
		if (!is_ok)
			return false;
		if (which == OPT_HELP || which == OPT_VERSION) {
			*ret_code = HEARTH_EXIT_OK;
			if (which == OPT_HELP)
				print_help();
			else
				printf("hearthcp %s, protocol %d\n", HEARTH_VERSION,
				       HEARTH_PROTOCOL);
			return false;
		}
		if (!is_value_option(which))
			take_switch(cmd, which);
	}
	if (which < -1)
		return complain_option(poptBadOption(popt, 0), poptStrerror(which));
	return true;
}

/* "host:path" has its colon before any slash; "[v6::address]:path" is a host too. */
static bool parse_location(const char *text, struct hearth_location *ret)
{
	const char *colon =
		*text == '[' || strstr(text, "@[") ? strstr(text, "]:") : strchr(text, ':');
	const char *slash = strchr(text, '/');

	if (strchr("[", *text) && colon)
		colon++;
	if (!strncmp(text, "hearth://", 9))
		return complain("%s: a running daemon cannot be reached in this version; "
				"use HOST:PATH over ssh", text);
	if (!*text)
		return complain("an empty name is neither a source nor a destination; "
				"the directory here is \".\"");
	if (!strcmp(text, "-"))
		return complain("-: copying from or to a pipe is not in this version");
	if (!colon || (slash && slash < colon)) {
		*ret = (struct hearth_location){ NULL, strdup(text) };
		return true;
	}
	if (colon == text)
		return complain("%s: a host is missing before the colon; "
				"write ./%s for a file of that name", text, text);
	if (!strncmp(colon, ":lun:", 5))
		return complain("%s: copying into LUNs is not in this version", text);
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
		return complain("%s: all sources must be at the same end", text);
	if (!cmd->nr_sources)
		cmd->source_host = l.host;
	else
		free(l.host);
	cmd->sources[cmd->nr_sources++] = l.path;
	return true;
}

static bool take_places(struct hearth_command *cmd, const char **args)
{
	uint32_t nr = 0;

	while (args && args[nr])
		nr++;
	if (nr < 2)
		return complain("give at least one source and a destination; see hearthcp --help");
	cmd->sources = calloc(nr, sizeof(*cmd->sources));
	if (!cmd->sources)
		return complain("out of memory");
	for (uint32_t i = 0; i < nr - 1; i++)
		if (!take_source(cmd, args[i]))
			return false;
	if (!parse_location(args[nr - 1], &cmd->destination))
		return false;
	if (cmd->source_host && cmd->destination.host)
		return complain("%s: copying between two far ends is not in this version; "
				"run hearthcp on one of them", args[nr - 1]);
	return true;
}

static void set_defaults(struct hearth_command *cmd)
{
	long nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);

	memset(cmd, 0, sizeof(*cmd));
	memset(&given, 0, sizeof(given));
	hearth_options_init(&cmd->opt);
	cmd->rsh = strdup("ssh");
	cmd->hearthd_path = strdup("hearthd");
	cmd->nr_streams = nr_cpus >= 4 ? 4 : 2;
}

bool hearth_command_parse(struct hearth_command *cmd, int argc, const char **argv,
			  enum hearth_exit *ret_code)
{
	poptContext popt = poptGetContext("hearthcp", argc, argv, table, 0);
	bool is_ok;

	set_defaults(cmd);
	is_ok = parse_options(cmd, popt, ret_code) && take_places(cmd, poptGetArgs(popt));
	poptFreeContext(popt);
	cmd->is_json = given.is_json;
	cmd->is_quiet = given.is_quiet;
	cmd->shows_stats = given.shows_stats;
	return is_ok;
}

void hearth_command_exit(struct hearth_command *cmd)
{
	for (uint32_t i = 0; i < cmd->nr_sources; i++)
		free(cmd->sources[i]);
	free(cmd->sources);
	free(cmd->source_host);
	free(cmd->destination.host);
	free(cmd->destination.path);
	hearth_filter_exit(&cmd->filter);
	free(cmd->rsh);
	free(cmd->hearthd_path);
}
