/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hit ratios of replacement policies over traces of block numbers.
 */
#ifndef BENCH_SIM_H
#define BENCH_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* References to blocks 0 ... nr_blocks - 1. */
struct trace {
	uint32_t *refs;
	uint64_t len;
	uint32_t nr_blocks;
};

/* Each returns the number of hits in a cache of @size blocks. */
uint64_t sim_s3fifo(const struct trace *t, uint32_t size);
uint64_t sim_lru(const struct trace *t, uint32_t size);
uint64_t sim_clock(const struct trace *t, uint32_t size);
uint64_t sim_arc(const struct trace *t, uint32_t size);
uint64_t sim_optimum(const struct trace *t, uint32_t size);

#endif /* BENCH_SIM_H */
