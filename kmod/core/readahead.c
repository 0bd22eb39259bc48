// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readahead: who reads in sequence, and what he is going to ask for.
 *
 *      three reads, all missing        window 1          window 2
 *     |. . . . . .|. . . . . .|======|m . . . . . . . |m . . . . . . . . . .|
 *
 *  - A read that misses leaves behind where it ended, in a small table.  One that
 *    misses exactly where another ended goes on with its stream; the second time
 *    that this happens the reader is taken for sequential.  A first window, twice
 *    the size of the read, is filled asynchronously.  Once is chance: among random
 *    reads of a small LUN one in a hundred begins where one of the last hundred
 *    has ended, but hardly any twice in a row.
 *  - The first frame of every window carries a mark (m): log2 of its length.
 *    Whoever hits a marked frame has reached the window; the mark is taken off
 *    and the window behind it is started, twice as long up to the limit.
 *
 * So while a reader is in one window the next is on its way, and the table is not
 * needed any more, unless a window cannot be filled: the stream goes on where it
 * would have begun.  Streams may interleave; one that stops, or jumps, hits no
 * mark, and nothing has to be cancelled.  A hit looks at one more byte of the
 * line that it looks at anyway, and never at the table.
 *
 * The table is changed without a lock: who loses an entry that way begins again.
 *
 * Readahead waits for nobody: it takes frames that nobody claims, is dropped
 * where there is no memory, and its errors are nobody's: the block is read
 * again when it is asked for.  What is under way is bounded by a share of the
 * cache.
 */
#include "index.h"
#include "pool.h"
#include "readahead.h"
#include "slot.h"

#define MIN_ORDER	5	/* 128 KiB */

/* Entries of a set, in the order in which they came. */
#define WAYS	(HEARTH_STREAMS / HEARTH_STREAM_SETS)

/* So often has a sequential reader gone on where he had ended. */
#define SEQUENTIAL	2U
#define RUN_BITS	2

/* An entry: where the stream goes on, and how often it did, or 0 for none. */
static u64 make_stream(u64 frame_nr, unsigned int run)
{
	return frame_nr << RUN_BITS | run;
}

static u64 *set_of(struct hearth_cache *cache, u64 frame_nr)
{
	return &cache->streams[hash_64(frame_nr, ilog2(HEARTH_STREAM_SETS)) *
			       WAYS];
}

/* Takes out the stream that goes on at a frame; returns how often it did, or 0. */
static unsigned int take_stream(struct hearth_cache *cache, u64 frame_nr)
{
	u64 *set = set_of(cache, frame_nr);
	unsigned int i, run;
	u64 stream;

	for (i = 0; i < WAYS; i++) {
		stream = READ_ONCE(set[i]);
		if (!stream || stream >> RUN_BITS != frame_nr)
			continue;
		run = stream & GENMASK(RUN_BITS - 1, 0);
		WRITE_ONCE(set[i], 0);
		return min(run + 1, SEQUENTIAL);
	}
	return 0;
}

/* Puts a stream in, in the place of the oldest of its set. */
static void put_stream(struct hearth_cache *cache, u64 frame_nr,
		       unsigned int run)
{
	u64 *set = set_of(cache, frame_nr);
	unsigned int i = 0;

	while (i < WAYS - 1 && READ_ONCE(set[i]))
		i++;
	for (; i; i--)
		WRITE_ONCE(set[i], READ_ONCE(set[i - 1]));
	WRITE_ONCE(set[0], make_stream(frame_nr, run));
}

/**
 * hearth_cache_set_ahead() - set the largest readahead window
 * @cache: the cache
 * @bytes: the window; less than 128 KiB: no readahead
 *
 * Context: Any.
 */
void hearth_cache_set_ahead(struct hearth_cache *cache, u64 bytes)
{
	u64 nr_frames = bytes >> HEARTH_FRAME_SHIFT;
	u8 order = nr_frames ? ilog2(nr_frames) : 0;

	WRITE_ONCE(cache->max_ahead_order, order < MIN_ORDER ? 0 : order);
}

/**
 * hearth_ahead_note() - a marked frame was hit
 * @ahead: where what is due is noted
 * @frame_nr: the frame
 * @order: its mark
 */
void hearth_ahead_note(struct hearth_ahead *ahead, u64 frame_nr, u8 order)
{
	ahead->frame = frame_nr + (1ULL << order);
	ahead->order = order + 1;
}

/* The first frame that a read has to fill; there is one. */
static u64 first_missing(const struct hearth_io *io)
{
	unsigned long i = 0;

	while (!hearth_slot_is_claimed(&io->slots[i]))
		i++;
	return io->first + i;
}

/**
 * hearth_ahead_miss() - a read has to fill frames: is it sequential?
 * @io: the read; what is due is noted in &hearth_io.ahead
 *
 * Context: Process context.
 */
void hearth_ahead_miss(struct hearth_io *io)
{
	u64 end = io->first + io->nr_slots;
	unsigned int run;

	if (io->ahead.order || !READ_ONCE(io->cache->max_ahead_order))
		return;
	run = take_stream(io->cache, first_missing(io));
	if (run < SEQUENTIAL) {
		put_stream(io->cache, end, run);
		return;
	}
	io->ahead.frame = end;
	io->ahead.order = max(MIN_ORDER, ilog2(io->nr_slots) + 1);
}

/**
 * hearth_ahead_alloc() - make the request that fills the window that is due
 * @cache: the cache
 * @ahead: the window, or nothing
 * @nid: where its frames should live if they have no home by address
 *
 * The caller submits it, if need be when the request that asked for it is over:
 * until then it keeps the cache alive.
 *
 * Context: Process context, no lock held.
 * Return: The request, or NULL: nothing is due, or too much is under way.
 */
struct hearth_io *hearth_ahead_alloc(struct hearth_cache *cache,
				     struct hearth_ahead ahead, int nid)
{
	u8 order = min3(ahead.order, READ_ONCE(cache->max_ahead_order),
			(u8)ilog2(READ_ONCE(cache->max_io_frames)));
	u64 offset = ahead.frame << HEARTH_FRAME_SHIFT;
	u64 lun_bytes = READ_ONCE(cache->size_bytes);
	struct hearth_io *io = NULL;
	long nr_frames;
	u64 len;

	if (!order || offset >= lun_bytes)
		return NULL;
	/* who misses there, since this comes to nothing, goes on with it */
	put_stream(cache, ahead.frame, SEQUENTIAL - 1);
	len = min(1ULL << (order + HEARTH_FRAME_SHIFT),
		  lun_bytes - offset);
	nr_frames = DIV_ROUND_UP_ULL(len, HEARTH_FRAME_BYTES);
	if (atomic_long_add_return(nr_frames, &cache->nr_ahead) <=
	    READ_ONCE(cache->max_io_frames))
		io = cache->ops->alloc(cache, HEARTH_OP_PREFETCH, offset, len,
				       nid);
	if (io)
		io->order = order;
	else
		atomic_long_sub(nr_frames, &cache->nr_ahead);
	return io;
}

/**
 * hearth_ahead_done() - a window is filled, or was given up
 * @io: the request; one that was asked for is not readahead
 *
 * Context: Any.
 */
void hearth_ahead_done(struct hearth_io *io)
{
	if (io->order)
		atomic_long_sub(io->nr_slots, &io->cache->nr_ahead);
}
