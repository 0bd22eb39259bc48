// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libhearth, as its header has it, from a shell.
 *
 *     reader [-w] [-f] [-t] [-r] [-e RSH] [-d HEARTHD] [-k KEYS] [-T SECONDS] [-x WHAT] PLACE DO...
 *
 * DO: read OFFSET LEN (to standard output), write OFFSET LEN (from standard input), flush, size,
 * wait (for a line of standard input), transport. The first thing that fails ends it: its errno's
 * name and hearth_error() go to standard error, and the exit status is 1. -x gives an option that
 * cannot be.
 */
#include <err.h>
#include <errno.h>
#include <hearth/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(const struct hearth_session *s, long ret)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "%s: %s (%s)\n", strerrorname_np((int)-ret), hearth_error(s),
		hearth_strerror((int)ret));
	if (!s)
		exit(1);
	hearth_detach((struct hearth_session *)s);
	exit(1);
}

static void misuse(struct hearth_attach_options *o, const char *what)
{
	if (!strcmp(what, "flags"))
		o->flags = 1u << 31;
	else if (!strcmp(what, "reserved"))
		o->reserved = 1;
	else if (!strcmp(what, "both"))
		o->flags = HEARTH_ATTACH_RDMA | HEARTH_ATTACH_TCP;
	else if (!strcmp(what, "window"))
		o->window_bytes = 4096;
	else if (!strcmp(what, "windows"))
		o->max_windows = 1u << 20;
	else if (!strcmp(what, "timeout"))
		o->timeout_s = UINT32_MAX;
	else if (!strcmp(what, "cert"))
		o->cert = "x";
	else
		errx(2, "%s: not known", what);
}

static void move(struct hearth_session *s, int writes, uint64_t offset, size_t len)
{
	char *buf = malloc(len + 1);
	ssize_t n;

	if (!buf || (writes && fread(buf, 1, len, stdin) != len))
		errx(2, "standard input is too short");
	n = writes ? hearth_write(s, buf, len, offset) : hearth_read(s, buf, len, offset);
	if (!writes && n > 0)
		fwrite(buf, 1, (size_t)n, stdout);
	free(buf);
	check(s, n);
}

static int act(struct hearth_session *s, char **word)
{
	struct hearth_description d;
	char line[16];

	if (!strcmp(word[0], "flush")) {
		check(s, hearth_flush(s));
	} else if (!strcmp(word[0], "size")) {
		check(s, hearth_describe(s, &d));
		printf("%llu %u\n", (unsigned long long)d.size_bytes, d.block_bytes);
	} else if (!strcmp(word[0], "transport")) {
		printf("%s: %s\n", hearth_transport(s), hearth_transport_why(s));
	} else if (!strcmp(word[0], "wait")) {
		puts("waiting");
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			errx(2, "nobody said anything");
	} else if (!word[1] || !word[2]) {
		errx(2, "%s: not known", word[0]);
	} else {
		move(s, !strcmp(word[0], "write"), strtoull(word[1], NULL, 0),
		     strtoull(word[2], NULL, 0));
		return 3;
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct hearth_attach_options o = { .flags = 0 };
	struct hearth_session *s;
	int letter;

	while ((letter = getopt(argc, argv, "wftre:d:k:T:x:")) >= 0) {
		o.flags |= letter == 'w'   ? HEARTH_ATTACH_WRITE
			   : letter == 'f' ? HEARTH_ATTACH_FORCE
			   : letter == 't' ? HEARTH_ATTACH_TCP
			   : letter == 'r' ? HEARTH_ATTACH_RDMA
					   : 0;
		if (letter == 'e')
			o.rsh = optarg;
		if (letter == 'd')
			o.hearthd_path = optarg;
		if (letter == 'k')
			o.key_file = optarg;
		if (letter == 'T')
			o.timeout_s = (uint32_t)atoi(optarg);
		if (letter == 'x')
			misuse(&o, optarg);
	}
	if (optind >= argc)
		errx(2, "give PLACE DO...");
	check(NULL, hearth_attach(argv[optind], &o, &s));
	for (char **word = argv + optind + 1; *word;)
		word += act(s, word);
	hearth_detach(s);
	return 0;
}
