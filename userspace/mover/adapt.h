/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How an end follows its path: pure functions from what was measured to what is
 * wanted. They know no clock, no socket and no thread.
 *
 * Bytes under way: an end begins with 32 MiB. Where twice what was delivered in a
 * round trip is more than that, it gets more, up to a limit; where a quarter would
 * have done for a while, it gets less. As long as the bytes under way are what
 * holds the rate down, rate times round trip is just these, and so they double.
 *
 * Streams: on a path shorter than a millisecond it is the CPUs that count, and
 * their number stays. On a longer one twice as many are tried, as long as that
 * brings more than 5 %, and then fewer, as long as that costs no more; the number
 * so found is held. When the rate changes by itself, it is looked for anew, and what
 * seemed too few while the path was new is tried once more. Attempts that brought
 * nothing become rarer.
 */
#ifndef HEARTH_ADAPT_H
#define HEARTH_ADAPT_H

#include <stdbool.h>
#include <stdint.h>

#define HEARTH_ADAPT_LEAST_CAP (256u << 20)
#define HEARTH_ADAPT_FAR_NS 1000000
#define HEARTH_ADAPT_MAX_STREAMS 32

/* What was measured; the counters only grow. */
struct hearth_sample {
	uint64_t now_ns;
	uint64_t delivered; /* bytes */
	uint64_t min_rtt_ns; /* 0: not known yet */
	uint64_t sending_ns; /* that threads spent waiting for streams to take blocks */
	uint32_t nr_streams; /* that there are for use: fewer than wanted while they are made */
};

/**
 * hearth_adapt_cap - the most memory that an end's blocks may take
 * @memory_bytes: --memory, or 0
 * @node_bytes: memory of the node that the blocks lie on
 * @product: rate times round trip, in bytes
 */
uint64_t hearth_adapt_cap(uint64_t memory_bytes, uint64_t node_bytes, uint64_t product);

/* The bytes that may be under way; private but for @bytes, @product and @is_capped. */
struct hearth_adapt_pool {
	uint64_t memory_bytes;
	uint64_t node_bytes;
	uint64_t bytes;
	uint64_t product; /* the largest seen lately */
	uint64_t least;
	bool is_capped; /* it would be more but for the limit */
	uint64_t since_ns; /* when the rate began to be measured, */
	uint64_t delivered; /* and from where */
	uint64_t large_ns; /* when so much was last of use */
};

void hearth_adapt_pool_init(struct hearth_adapt_pool *p, uint64_t memory_bytes,
			    uint64_t node_bytes);

/* True if @p->bytes has changed. */
bool hearth_adapt_pool(struct hearth_adapt_pool *p, const struct hearth_sample *s);

enum hearth_adapt_goal {
	HEARTH_ADAPT_HOLD,
	HEARTH_ADAPT_UP, /* twice as many are tried */
	HEARTH_ADAPT_DOWN, /* fewer are tried */
};

/* The number of streams; private but for @wanted. */
struct hearth_adapt_streams {
	uint32_t wanted;
	uint32_t most;
	enum hearth_adapt_goal goal;
	uint32_t few; /* so many are known to be too few */
	uint32_t enough; /* and so many to be enough, */
	double best; /* with this rate */
	double held; /* rate while they are held */
	uint32_t patience; /* measurements until the next attempt */
	uint32_t rest; /* how many it will be after the next attempt in vain */
	struct hearth_sample from; /* the measurement under way */
	uint64_t settled_ns; /* from when on it counts; 0: it has begun */
};

void hearth_adapt_streams_init(struct hearth_adapt_streams *a, uint32_t nr, uint32_t most);

/* Updates @a->wanted. */
void hearth_adapt_streams(struct hearth_adapt_streams *a, const struct hearth_sample *s);

#endif
