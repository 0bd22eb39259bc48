// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hit-ratio: S3-FIFO against LRU, CLOCK, ARC and the offline optimum.
 *
 * Prints results as JSON entries, one per line: trace, cache size and policy.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"

#define NR_BLOCKS	100000
#define NR_REFS		2000000
#define NR_SIZES	4

static const double sizes[NR_SIZES] = { 0.01, 0.05, 0.10, 0.25 };

static uint64_t rng_state = 0x9e3779b97f4a7c15;

/* xorshift64*: fast, and the same everywhere. */
static double uniform(void)
{
	rng_state ^= rng_state >> 12;
	rng_state ^= rng_state << 25;
	rng_state ^= rng_state >> 27;
	return (double)((rng_state * 0x2545f4914f6cdd1dULL) >> 11) / (1ULL << 53);
}

/* Block numbers by Zipf's law; rank and address have nothing in common. */
struct zipf {
	double *cdf;
	uint32_t *block;
	uint32_t nr;
};

static struct zipf zipf_make(uint32_t nr, double skew)
{
	struct zipf z = { malloc(nr * sizeof(double)),
			  malloc(nr * sizeof(uint32_t)), nr };
	double sum = 0;

	for (uint32_t i = 0; i < nr; i++) {
		uint32_t j = uniform() * (i + 1);

		sum += pow(i + 1, -skew);
		z.cdf[i] = sum;
		z.block[i] = z.block[j];
		z.block[j] = i;
	}
	for (uint32_t i = 0; i < nr; i++)
		z.cdf[i] /= sum;
	return z;
}

static uint32_t zipf_draw(const struct zipf *z)
{
	double u = uniform();
	uint32_t low = 0, high = z->nr - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (z->cdf[middle] < u)
			low = middle + 1;
		else
			high = middle;
	}
	return z->block[low];
}

static void zipf_free(struct zipf *z)
{
	free(z->cdf);
	free(z->block);
}

static void fill_zipf(struct trace *t, double skew)
{
	struct zipf z = zipf_make(NR_BLOCKS, skew);

	for (uint64_t i = 0; i < t->len; i++)
		t->refs[i] = zipf_draw(&z);
	zipf_free(&z);
}

/* Every so often somebody reads a long stretch of other blocks once. */
static void fill_scans(struct trace *t, double skew)
{
	struct zipf z = zipf_make(NR_BLOCKS / 2, skew);
	uint32_t at = 0, left = 0;

	for (uint64_t i = 0; i < t->len; i++) {
		if (!left && uniform() < 1.0 / 40000)
			left = 20000;
		if (left) {
			left--;
			t->refs[i] = NR_BLOCKS / 2 + at;
			at = (at + 1) % (NR_BLOCKS / 2);
		} else {
			t->refs[i] = zipf_draw(&z);
		}
	}
	zipf_free(&z);
}

/* The same stretch over and over, longer than most of the caches. */
static void fill_loop(struct trace *t)
{
	for (uint64_t i = 0; i < t->len; i++)
		t->refs[i] = i % (NR_BLOCKS / 5);
}

/* What is popular changes ten times. */
static void fill_moving(struct trace *t, double skew)
{
	struct zipf z = zipf_make(NR_BLOCKS, skew);

	for (uint64_t i = 0; i < t->len; i++)
		t->refs[i] = (zipf_draw(&z) + i / (t->len / 10) * 9973) %
			     NR_BLOCKS;
	zipf_free(&z);
}

static void fill(struct trace *t, int which)
{
	switch (which) {
	case 0:
		fill_zipf(t, 0.8);
		break;
	case 1:
		fill_zipf(t, 1.0);
		break;
	case 2:
		fill_zipf(t, 1.2);
		break;
	case 3:
		fill_scans(t, 1.0);
		break;
	case 4:
		fill_loop(t);
		break;
	default:
		fill_moving(t, 1.0);
	}
}

static const char * const trace_names[] = {
	"zipf0.8", "zipf1.0", "zipf1.2", "zipf1.0-scan", "loop", "moving",
};

static const struct {
	const char *name;
	uint64_t (*run)(const struct trace *t, uint32_t size);
} policies[] = {
	{ "s3-fifo", sim_s3fifo }, { "lru", sim_lru }, { "clock", sim_clock },
	{ "arc", sim_arc }, { "optimum", sim_optimum },
};

#define NR_TRACES	ARRAY_SIZE(trace_names)
#define NR_POLICIES	ARRAY_SIZE(policies)

static void print_ratio(const char *trace, double size, const char *policy,
			double ratio)
{
	printf("{\"case\":\"%s/%g%%\",\"subject\":\"%s\",", trace, 100 * size,
	       policy);
	printf("\"metric\":\"hit_ratio\",\"unit\":\"1\",\"median\":%.4f,", ratio);
	printf("\"runs\":[%.4f]}\n", ratio);
}

int main(void)
{
	struct trace t = { malloc(NR_REFS * sizeof(*t.refs)), NR_REFS,
			   NR_BLOCKS };

	if (!t.refs)
		abort();
	for (size_t trace = 0; trace < NR_TRACES; trace++) {
		fill(&t, trace);
		for (size_t size = 0; size < NR_SIZES; size++) {
			for (size_t p = 0; p < NR_POLICIES; p++) {
				double ratio = (double)policies[p].run(&t,
					sizes[size] * NR_BLOCKS) / t.len;

				print_ratio(trace_names[trace], sizes[size],
					    policies[p].name, ratio);
			}
		}
	}
	free(t.refs);
	return 0;
}
