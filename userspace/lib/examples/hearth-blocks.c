// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Blocks that describe themselves, in a LUN: standard input goes into one, or comes out of one.
 *
 *     hearth-blocks put PLACE OFFSET [TAG] <content
 *     hearth-blocks get PLACE OFFSET >content
 */
#include <stdint.h>

#include "common.h"

#define MAX_BYTES (64u << 20)

static void help(FILE *to)
{
	fputs("Usage: hearth-blocks [OPTION]... put PLACE OFFSET [TAG] <CONTENT\n"
	      "       hearth-blocks [OPTION]... get PLACE OFFSET >CONTENT\n"
	      "A block with its checksum, at an offset of a LUN. put makes it durable and says where the\n"
	      "next one may be; get says the tag on standard error.\n"
	      "\n" ATTACH_HELP "  -h                      print this\n",
	      to);
}

static void put(struct hearth_session *s, uint64_t offset, uint64_t tag, uint8_t *buf)
{
	size_t len = fread(buf, 1, MAX_BYTES, stdin);
	ssize_t took = hearth_put(s, tag, buf, len, offset);

	if (took < 0 || hearth_flush(s))
		errx(1, "%s", hearth_error(s));
	printf("%llu\n", (unsigned long long)(offset + (uint64_t)took));
}

static void get(struct hearth_session *s, uint64_t offset, uint8_t *buf)
{
	uint64_t tag;
	ssize_t len = hearth_get(s, &tag, buf, MAX_BYTES, offset);

	if (len < 0)
		errx(1, "%s", hearth_error(s));
	fprintf(stderr, "tag %llu\n", (unsigned long long)tag);
	if (fwrite(buf, 1, (size_t)len, stdout) != (size_t)len || fflush(stdout))
		err(1, "standard output");
}

int main(int argc, char **argv)
{
	struct hearth_attach_options options = { .flags = 0 };
	struct hearth_session *s;
	uint8_t *buf = malloc(MAX_BYTES);
	int letter, puts_it;

	while ((letter = getopt_long(argc, argv, ATTACH_LETTERS "h", attach_long, NULL)) >= 0) {
		if (attach_option(&options, letter, optarg))
			continue;
		help(letter == 'h' ? stdout : stderr);
		return letter != 'h';
	}
	argc -= optind;
	argv += optind;
	puts_it = argc >= 3 && argc <= 4 && !strcmp(argv[0], "put");
	if (!puts_it && (argc != 3 || strcmp(argv[0], "get"))) {
		help(stderr);
		return 1;
	}
	if (!buf)
		errx(1, "out of memory");
	if (puts_it)
		options.flags |= HEARTH_ATTACH_WRITE;
	s = attach(argv[1], &options);
	if (puts_it)
		put(s, parse_number(argv[2]), argc == 4 ? parse_number(argv[3]) : 0, buf);
	else
		get(s, parse_number(argv[2]), buf);
	hearth_detach(s);
	free(buf);
	return 0;
}
