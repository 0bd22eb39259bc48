/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams: one network channel that carries blocks one way.
 *
 * The engine knows streams by these five calls only. `send` takes the block
 * whatever happens; `recv` hands one over. A transport that moves bytes gets
 * and puts blocks of the pool; one that moves memory passes the block itself.
 */
#ifndef HEARTH_TRANSPORT_H
#define HEARTH_TRANSPORT_H

#include <stdatomic.h>
#include <stdint.h>

#include <hearth/mover.h>

#include "pool.h"

struct hearth_stream;

/*
 * What a transport knows of the path of a stream, counted since it began. Zero where it does not
 * know.
 */
struct hearth_stream_path {
	uint64_t min_rtt_ns;
	uint64_t delivered; /* bytes that the peer's transport has */
	uint64_t lost; /* packets sent again */
	uint64_t busy_ns; /* time with something under way; of it */
	uint64_t peer_limited_ns; /* the peer's buffer let no more go out, */
	uint64_t own_limited_ns; /* or this end's could hold no more */
	uint64_t peer_window; /* bytes that the peer's buffer has room for now */
	uint32_t nr_ways; /* queue pairs that all streams share; 0: each is a way of its own */
};

struct hearth_stream_ops {
	const char *name;

	/* Sends a sealed block. 0 or -errno. */
	int (*send)(struct hearth_stream *s, struct hearth_block *b);

	/*
	 * Receives a block, parsed but not verified. -ENODATA: the peer has finished; -EPROTO: that
	 * was no block.
	 */
	int (*recv)(struct hearth_stream *s, struct hearth_pool *pool, struct hearth_block **ret);

	/* No block follows from here. */
	void (*finish)(struct hearth_stream *s);

	/* Makes blocked calls of other threads return, for good. */
	void (*cancel)(struct hearth_stream *s);

	void (*free)(struct hearth_stream *s);

	/* What is known of the path of a stream that is in use; any thread. NULL: nothing ever. */
	void (*look)(struct hearth_stream *s, struct hearth_stream_path *ret);
};

/* While nothing comes in recv(), a transport that can calls on_quiet() about this often. */
#define HEARTH_STREAM_QUIET_MS 2000

struct hearth_stream {
	const struct hearth_stream_ops *ops;
	uint64_t session;
	uint32_t number; /* what both ends call it; set by lanes.c, like the next two */
	atomic_bool is_lost; /* it is not to be used any more */
	atomic_bool is_parked; /* the sender leaves it alone for now */
	uint8_t compress_level; /* set by the end that sends; 0: none */
	atomic_uint_least64_t wire_bytes; /* that went over it, either way */
	void (*on_quiet)(struct hearth_stream *s, void *ctx); /* set by lanes.c, or NULL */
	void *on_quiet_ctx;
};

/*
 * A stream over a connected socket, or over a pair of pipes; owns the descriptors. NULL: no memory.
 *
 */
struct hearth_stream *hearth_tcp_stream(int in_fd, int out_fd, uint64_t session);

/*
 * Protects what goes over a stream of hearth_tcp_stream() from here on, by the key that proving the
 * stream gave.
 */
void hearth_tcp_protect(struct hearth_stream *s, enum hearth_seal_mode mode, const uint8_t *key,
			bool is_server);

/* The socket that a stream sends on; -1: it has none. */
int hearth_tcp_socket(const struct hearth_stream *s);

/* Whether what a block only has in its payload_fd goes out over the stream as it is. */
bool hearth_tcp_takes_files(const struct hearth_stream *s);

/* A stream inside this process; @ret_peer is its other end. 0 or -ENOMEM. */
int hearth_memory_streams(uint64_t session, struct hearth_stream **ret_near,
			  struct hearth_stream **ret_far);

#endif
