// SPDX-License-Identifier: GPL-2.0-or-later
/* hearthd: the far end of hearthcp. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon.h"
#include "keys.h"
#include "server.h"

static void print_help(void)
{
	puts("Usage: hearthd --server | --config=FILE | --generate-key=NAME\n"
	     "The far end of hearthcp(1).\n"
	     "\n"
	     "  --server             serve one job on standard input and output, as started over ssh\n"
	     "  --config=FILE        be a daemon with modules; see hearthd(8)\n"
	     "  --generate-key=NAME  print a new key, a line for the key files of both ends\n"
	     "  --version            print the version\n"
	     "  --help               print this");
}

static enum hearth_exit generate_key(const char *user)
{
	char line[2 * HEARTH_SECRET_BYTES + HEARTH_USER_MAX + 2];

	if (hearth_keys_generate(user, line, sizeof(line))) {
		fprintf(stderr, "hearthd: %s: a name has letters, digits, \".\", \"_\" and \"-\"\n",
			user);
		return HEARTH_EXIT_USAGE;
	}
	puts(line);
	return HEARTH_EXIT_OK;
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
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	if (argc == 2 && !strncmp(argv[1], "--generate-key=", 15))
		return generate_key(argv[1] + 15);
	if (argc == 2 && !strncmp(argv[1], "--config=", 9))
		return hearth_daemon(argv[1] + 9);
	if (argc != 2 || strcmp(argv[1], "--server")) {
		fputs("hearthd: give --server, --config=FILE or --generate-key=NAME; see --help\n",
		      stderr);
		return HEARTH_EXIT_USAGE;
	}
	if (isatty(STDIN_FILENO)) {
		fputs("hearthd: --server talks to hearthcp, not to a terminal\n", stderr);
		return HEARTH_EXIT_USAGE;
	}
	return hearth_serve(STDIN_FILENO, STDOUT_FILENO, NULL);
}
