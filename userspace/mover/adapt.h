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
 *
 * Messages: near, the largest are cheapest. Far, they are so short that each way over
 * the path (a stream, a queue pair) has several under way, and begin as short as any.
 *
 * Pieces: what is read over RDMA comes without a pause, however slow some wire on the way is, and
 * what this has no room for is lost. So a block is read in short pieces, until the way is seen to
 * be fast: there these take 1.3 to 1.5 times as long as whole blocks (Soft-RoCE).
 *
 * Depth, the messages that are under way at once over RDMA: twice what the rate makes
 * of the time that one takes when it is alone, and some. What more there is would only
 * stand in the path's queue, where all that comes later has to wait behind it.
 */
#ifndef HEARTH_ADAPT_H
#define HEARTH_ADAPT_H

#include <stdbool.h>
#include <stdint.h>

#define HEARTH_ADAPT_LEAST_CAP (256u << 20)
#define HEARTH_ADAPT_FAR_NS 1000000
#define HEARTH_ADAPT_LONG_WAY_NS 10000000 /* on a shorter one no block is in the way for long */
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

/**
 * hearth_adapt_message - how long messages should be
 * @product: rate times round trip, in bytes; 0: not known yet
 * @rtt_ns: 0: not known yet
 * @nr_ways: streams or queue pairs that share it
 * @most: as long as they may be
 */
uint32_t hearth_adapt_message(uint64_t product, uint64_t rtt_ns, uint32_t nr_ways, uint32_t most);

/**
 * hearth_adapt_registered - memory and messages for a path of this length
 * @product: what the path holds, in bytes
 * @nr_ways: queue pairs that share it
 * @per_way: messages that each may have under way
 * @most: bytes that may be registered
 * @message: in: as long as messages are at least; out: as long as they have to be
 * @memory: in: what there is; out: what there should be
 */
void hearth_adapt_registered(uint64_t product, uint32_t nr_ways, uint32_t per_way, uint64_t most,
			     uint32_t *message, uint64_t *memory);

/* How much of a message is read at once; private but for @bytes. */
struct hearth_adapt_piece {
	uint32_t bytes;
	uint64_t since_ns; /* when bytes began to be counted, */
	uint64_t read_before; /* and how many had come */
	uint64_t fast_ns; /* when the way was last */
};

void hearth_adapt_piece_init(struct hearth_adapt_piece *p);

/* @read_bytes, over all @nr_ways queue pairs, only grows. */
void hearth_adapt_piece(struct hearth_adapt_piece *p, uint64_t now_ns, uint64_t read_bytes,
			uint32_t nr_ways);

/* The depth, of all ways together; private but for @depth. */
struct hearth_adapt_depth {
	uint32_t depth;
	uint32_t least;
	uint32_t most;
	uint64_t since_ns; /* when messages began to be counted, */
	uint64_t nr_before; /* and how many had come */
	uint64_t large_ns; /* when so many were last of use */
};

void hearth_adapt_depth_init(struct hearth_adapt_depth *d, uint32_t first, uint32_t least,
			     uint32_t most);

/* @nr_done only grows; @trip_ns: of a message that was alone. True if @d->depth has changed. */
bool hearth_adapt_depth(struct hearth_adapt_depth *d, uint64_t now_ns, uint64_t nr_done,
			uint64_t trip_ns);

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
