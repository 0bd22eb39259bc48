// SPDX-License-Identifier: GPL-2.0-or-later
/* hearthctl: shows and changes LUNs of this machine. */
#include <math.h>
#include <popt.h>
#include <stdlib.h>
#include <string.h>

#include "../common/units.h"
#include "ctl.h"

enum option { OPT_JSON = 1, OPT_OPENMETRICS, OPT_DELAY, OPT_COUNT, OPT_HELP };

static const struct poptOption table[] = {
	{ "json", 'j', POPT_ARG_NONE, NULL, OPT_JSON, NULL, NULL },
	{ "openmetrics", 'm', POPT_ARG_NONE, NULL, OPT_OPENMETRICS, NULL, NULL },
	{ "delay", 'd', POPT_ARG_STRING, NULL, OPT_DELAY, NULL, NULL },
	{ "count", 'n', POPT_ARG_STRING, NULL, OPT_COUNT, NULL, NULL },
	{ "help", 'h', POPT_ARG_NONE, NULL, OPT_HELP, NULL, NULL },
	POPT_TABLEEND
};

static const char help[] =
	"Usage: hearthctl COMMAND [OPTION...] [ARGUMENT...]\n"
	"\n"
	"  list                        the LUNs of this machine  (--json)\n"
	"  show [LUN...]               what a LUN is             (--json)\n"
	"  stats [LUN...]              what each of its nodes has done  (--json, --openmetrics)\n"
	"  top [LUN...]                what they do just now     (--delay=SECONDS, --count=N)\n"
	"  warm LUN [OFFSET+LENGTH...] read a range, or all, into the cache\n"
	"  drop LUN [OFFSET+LENGTH...] have the cache forget it, but for what is dirty\n"
	"  set LUN KEY=VALUE...        cache= cache_min= mode= home= dispatch= readahead= dirty=\n"
	"                              readonly= paused= pin= unpin=\n"
	"  revoke LUN                  take it away from whoever has /dev/hearth/LUN open\n"
	"\n"
	"  -j, --json                  for programs\n"
	"  -m, --openmetrics           for Prometheus\n"
	"  -d, --delay=SECONDS         between two pictures of top (1)\n"
	"  -n, --count=N               end top after N pictures\n"
	"  -h, --help                  this\n"
	"\n"
	"Sizes are in bytes, or with K, M, G, T. See hearthctl(8).\n";

/* What each command takes: options as bits of enum option, and arguments. */
static const struct command {
	const char *name;
	enum ctl_exit (*run)(const struct ctl_options *opt);
	unsigned int options;
	size_t min_args, max_args;
} commands[] = {
	{ "list", ctl_list_luns, 1 << OPT_JSON, 0, 0 },
	{ "show", ctl_show, 1 << OPT_JSON, 0, SIZE_MAX },
	{ "stats", ctl_stats, 1 << OPT_JSON | 1 << OPT_OPENMETRICS, 0, SIZE_MAX },
	{ "top", ctl_top, 1 << OPT_DELAY | 1 << OPT_COUNT, 0, SIZE_MAX },
	{ "warm", ctl_warm, 0, 1, SIZE_MAX },
	{ "drop", ctl_drop, 0, 1, SIZE_MAX },
	{ "set", ctl_set, 0, 1, SIZE_MAX },
	{ "revoke", ctl_revoke, 0, 1, 1 },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static enum ctl_exit misused(const char *what, const char *why)
{
	fprintf(stderr, "hearthctl: %s: %s\n", what, why);
	return CTL_USAGE;
}

static bool parse_delay(const char *text, double *ret)
{
	char *end;

	*ret = strtod(text ? text : "", &end);
	return end != text && !*end && isfinite(*ret) && *ret >= 0.01 && *ret <= 86400;
}

static enum ctl_exit take_option(struct ctl_options *opt, int which, const char *value)
{
	switch (which) {
	case OPT_JSON:
		opt->format = CTL_JSON;
		break;
	case OPT_OPENMETRICS:
		opt->format = CTL_OPENMETRICS;
		break;
	case OPT_DELAY:
		if (!parse_delay(value, &opt->delay))
			return misused(value, "give --delay in seconds, from 0.01 to 86400");
		break;
	case OPT_COUNT:
		if (hearth_parse_count(value, UINT64_MAX, &opt->count) || !opt->count)
			return misused(value, "give --count as a number, at least 1");
		break;
	case OPT_HELP:
		fputs(help, stdout);
		exit(CTL_OK);
	}
	return CTL_OK;
}

/* Takes all options; which were given is noted as bits. */
static enum ctl_exit take_options(struct ctl_options *opt, poptContext popt, unsigned int *given)
{
	enum ctl_exit code = CTL_OK;
	int which;

	while (!code && (which = poptGetNextOpt(popt)) > 0) {
		char *value = which == OPT_DELAY || which == OPT_COUNT ? poptGetOptArg(popt) : NULL;

		*given |= 1U << which;
		code = take_option(opt, which, value);
		free(value);
	}
	if (!code && which < -1)
		code = misused(poptBadOption(popt, 0), poptStrerror(which));
	return code;
}

static enum ctl_exit check_use(const struct command *cmd, const struct ctl_options *opt,
			       unsigned int given)
{
	if (given & ~cmd->options)
		return misused(cmd->name, "does not take this option; see hearthctl --help");
	if ((given & 1 << OPT_JSON) && (given & 1 << OPT_OPENMETRICS))
		return misused("--json and --openmetrics", "give one of them");
	if (opt->nr_args < cmd->min_args)
		return misused(cmd->name, "give a LUN");
	if (opt->nr_args > cmd->max_args)
		return misused(opt->args[cmd->max_args], "is one argument too many");
	return CTL_OK;
}

static enum ctl_exit run(struct ctl_options *opt, unsigned int given)
{
	enum ctl_exit code;

	if (!opt->args || !*opt->args) {
		fputs(help, stderr);
		return CTL_USAGE;
	}
	for (size_t i = 0; i < NR_COMMANDS; i++) {
		if (strcmp(commands[i].name, opt->args[0]))
			continue;
		opt->args++;
		while (opt->args[opt->nr_args])
			opt->nr_args++;
		code = check_use(&commands[i], opt, given);
		return code ? code : commands[i].run(opt);
	}
	return misused(opt->args[0], "no such command; see hearthctl --help");
}

int main(int argc, char **argv)
{
	poptContext popt = poptGetContext("hearthctl", argc, (const char **)argv, table, 0);
	struct ctl_options opt = { .delay = 1 };
	unsigned int given = 0;
	enum ctl_exit code = take_options(&opt, popt, &given);

	opt.args = code ? NULL : poptGetArgs(popt);
	if (!code)
		code = run(&opt, given);
	if (fflush(stdout) && !code)
		code = misused("standard output", "cannot be written");
	poptFreeContext(popt);
	return code;
}
