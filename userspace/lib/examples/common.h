/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the example programs have in common: how to attach, from the command line. */
#ifndef HEARTH_EXAMPLES_COMMON_H
#define HEARTH_EXAMPLES_COMMON_H

#include <err.h>
#include <getopt.h>
#include <hearth/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTACH_HELP                                                  \
	"  -e, --rsh=COMMAND       for HOST:lun:/NAME; \"ssh\"\n"    \
	"  -d, --hearthd-path=P    the program there; \"hearthd\"\n" \
	"  -k, --key-file=FILE     for hearth://HOST/lun:/NAME\n"    \
	"  -t, --transport=T       rdma, tcp or auto\n"              \
	"  -w, --window=BYTES      of a window\n"                    \
	"  -m, --max-windows=N     at a time\n"                      \
	"  -f, --force             though an initiator may write to the LUN, too\n"

#define ATTACH_LETTERS "e:d:k:t:w:m:f"

static const struct option attach_long[] = {
	{ "rsh", required_argument, NULL, 'e' },
	{ "hearthd-path", required_argument, NULL, 'd' },
	{ "key-file", required_argument, NULL, 'k' },
	{ "transport", required_argument, NULL, 't' },
	{ "window", required_argument, NULL, 'w' },
	{ "max-windows", required_argument, NULL, 'm' },
	{ "force", no_argument, NULL, 'f' },
	{ NULL, 0, NULL, 0 },
};

static inline unsigned long long parse_number(const char *text)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 0);

	if (end == text || *end)
		errx(1, "%s: give a number", text);
	return n;
}

/* True if the letter was one of ours. */
static inline int attach_option(struct hearth_attach_options *o, int letter, const char *value)
{
	switch (letter) {
	case 'e':
		o->rsh = value;
		return 1;
	case 'd':
		o->hearthd_path = value;
		return 1;
	case 'k':
		o->key_file = value;
		return 1;
	case 't':
		if (!strcmp(value, "rdma"))
			o->flags |= HEARTH_ATTACH_RDMA;
		else if (!strcmp(value, "tcp"))
			o->flags |= HEARTH_ATTACH_TCP;
		else if (strcmp(value, "auto"))
			errx(1, "%s: give rdma, tcp or auto", value);
		return 1;
	case 'w':
		o->window_bytes = parse_number(value);
		return 1;
	case 'm':
		o->max_windows = (unsigned int)parse_number(value);
		return 1;
	case 'f':
		o->flags |= HEARTH_ATTACH_FORCE;
		return 1;
	default:
		return 0;
	}
}

static inline struct hearth_session *attach(const char *place, struct hearth_attach_options *o)
{
	struct hearth_session *s;

	if (hearth_attach(place, o, &s))
		errx(1, "%s: %s", place, hearth_error(NULL));
	return s;
}

#endif
