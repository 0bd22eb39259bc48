// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long a small read of a LUN takes, as ib_read_lat measures it for memory: one at a time, into
 * a buffer that the device knows, until the bytes are there.
 */
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common.h"

#define LETTERS ATTACH_LETTERS "s:n:r:ch"
#define WARM_UP 16

struct plan {
	size_t bytes;
	size_t count;
	uint64_t range; /* 0: all of the LUN */
	bool is_cold;
};

static void help(FILE *to)
{
	fputs("Usage: hearth-read-lat [OPTION]... PLACE\n"
	      "Reads at random places of a LUN, one after the other, and says how long that takes.\n"
	      "\n"
	      "  -s BYTES                of each read; 4096\n"
	      "  -n COUNT                of reads; 1000\n"
	      "  -c                      cold: the first read of each window, which is leased for it\n"
	      "  -r BYTES                of the LUN, from its beginning; all of it\n" ATTACH_HELP
	      "  -h                      print this\n",
	      to);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t read_at(struct hearth_session *s, const struct plan *p, uint8_t *buf,
			uint64_t offset)
{
	uint64_t start = now_ns();

	if (hearth_read(s, buf, p->bytes, offset) != (ssize_t)p->bytes)
		errx(1, "%s", hearth_error(s));
	return now_ns() - start;
}

/* Reads one, at a multiple of its size. */
static uint64_t read_one(struct hearth_session *s, const struct plan *p, uint8_t *buf,
			 uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return read_at(s, p, buf, (*seed >> 16) % (p->range / p->bytes) * p->bytes);
}

/* One read in each window, as far as the range and the count go. */
static size_t read_cold(struct hearth_session *s, const struct plan *p, uint8_t *buf,
			uint64_t window_bytes, uint64_t *took)
{
	size_t n = 0;

	for (uint64_t at = 0; n < p->count && at + p->bytes <= p->range; at += window_bytes)
		took[n++] = read_at(s, p, buf, at);
	return n;
}

static void read_warm(struct hearth_session *s, const struct plan *p, uint8_t *buf, uint64_t *took)
{
	uint64_t seed = 1;

	/* Windows are there before, as ib_read_lat has its memory registered. */
	for (uint64_t at = 0; at + p->bytes <= p->range; at += 65536)
		read_at(s, p, buf, at);
	for (int i = 0; i < WARM_UP; i++)
		read_one(s, p, buf, &seed);
	for (size_t i = 0; i < p->count; i++)
		took[i] = read_one(s, p, buf, &seed);
}

static void measure(struct hearth_session *s, const struct plan *p, uint64_t window_bytes)
{
	uint64_t *took = calloc(p->count, sizeof(*took));
	uint8_t *buf = aligned_alloc(4096, (p->bytes + 4095) / 4096 * 4096);
	struct hearth_statistics st;
	size_t n = p->count;

	if (!took || !buf)
		errx(1, "out of memory");
	if (hearth_register(s, buf, p->bytes))
		errx(1, "%s", hearth_error(s));
	if (p->is_cold)
		n = read_cold(s, p, buf, window_bytes, took);
	else
		read_warm(s, p, buf, took);
	qsort(took, n, sizeof(*took), compare);
	hearth_statistics(s, &st);
	printf("transport %s, %zu reads of %zu bytes, ", hearth_transport(s), n, p->bytes);
	printf("us: min %.2f, median %.2f, 99%% %.2f, max %.2f; ", (double)took[0] / 1e3,
	       (double)took[n / 2] / 1e3, (double)took[n * 99 / 100] / 1e3,
	       (double)took[n - 1] / 1e3);
	printf("leases %llu, as messages %llu bytes\n", (unsigned long long)st.leases,
	       (unsigned long long)st.message_bytes);
	hearth_unregister(s, buf);
	free(buf);
	free(took);
}

int main(int argc, char **argv)
{
	struct hearth_attach_options options = { .flags = 0 };
	struct plan plan = { .bytes = 4096, .count = 1000 };
	struct hearth_description lun;
	struct hearth_session *s;
	int letter;

	while ((letter = getopt_long(argc, argv, LETTERS, attach_long, NULL)) >= 0) {
		if (attach_option(&options, letter, optarg))
			continue;
		if (letter == 's')
			plan.bytes = (size_t)parse_number(optarg);
		else if (letter == 'n')
			plan.count = (size_t)parse_number(optarg);
		else if (letter == 'r')
			plan.range = parse_number(optarg);
		else if (letter == 'c')
			plan.is_cold = true;
		else
			help(letter == 'h' ? stdout : stderr);
		if (letter == 'h' || letter == '?')
			return letter == '?';
	}
	if (optind != argc - 1) {
		help(stderr);
		return 1;
	}
	s = attach(argv[optind], &options);
	if (hearth_describe(s, &lun))
		errx(1, "%s", hearth_error(s));
	if (!plan.range || plan.range > lun.size_bytes)
		plan.range = lun.size_bytes;
	if (!plan.bytes || !plan.count || plan.bytes > plan.range)
		errx(1, "%zu reads of %zu bytes from %llu cannot be done", plan.count, plan.bytes,
		     (unsigned long long)plan.range);
	if (*hearth_transport_why(s))
		warnx("%s", hearth_transport_why(s));
	measure(s, &plan, lun.window_bytes);
	hearth_detach(s);
	return 0;
}
