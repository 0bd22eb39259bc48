// SPDX-License-Identifier: GPL-2.0-or-later
/* hearthd: the far end of hearthcp. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "server.h"

static void print_help(void)
{
	puts("Usage: hearthd --server\n"
	     "The far end of hearthcp(1), which starts it over ssh.\n"
	     "\n"
	     "  --server   serve one job on standard input and output\n"
	     "  --version  print the version\n"
	     "  --help     print this");
}

/* Directories, partial files and streams each hold a descriptor. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--help")) {
		print_help();
		return HEARTH_EXIT_OK;
	}
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		printf("hearthd %s, protocol %d\n", HEARTH_VERSION, HEARTH_PROTOCOL);
		return HEARTH_EXIT_OK;
	}
	if (argc != 2 || strcmp(argv[1], "--server")) {
		fprintf(stderr,
			"hearthd: this version runs only as \"hearthd --server\", started by hearthcp over ssh; see hearthd --help\n");
		return HEARTH_EXIT_USAGE;
	}
	if (isatty(STDIN_FILENO)) {
		fputs("hearthd: --server talks to hearthcp, not to a terminal\n", stderr);
		return HEARTH_EXIT_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	return hearth_serve(STDIN_FILENO, STDOUT_FILENO);
}
