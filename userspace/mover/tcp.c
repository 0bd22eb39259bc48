// SPDX-License-Identifier: GPL-2.0-or-later
/* Streams over TCP, or over the pipes of a helper program. */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <zstd.h>

#include "../common/io.h"
#include "seal.h"
#include "transport.h"

/* Shorter payloads are not worth it. */
#define MIN_PACKED_BYTES 128

struct tcp_stream {
	struct hearth_stream stream;
	int in_fd;
	int out_fd;
	ZSTD_CCtx *packer;
	ZSTD_DCtx *unpacker;
	struct hearth_seal seal;
	uint8_t *packed; /* a payload on its way in or out */
};

static struct tcp_stream *tcp_of(struct hearth_stream *s)
{
	return (struct tcp_stream *)s;
}

/* Room for a packed payload; NULL: no memory. */
static uint8_t *packing_room(struct tcp_stream *t, const struct hearth_block *b)
{
	if (!t->packed)
		t->packed = malloc(b->data_bytes);
	return t->packed;
}

/* Packs the payload if that makes it shorter. */
static void pack(struct tcp_stream *t, struct hearth_block *b)
{
	size_t len;

	if (!t->stream.compress_level || b->len < MIN_PACKED_BYTES || !packing_room(t, b))
		return;
	if (!t->packer)
		t->packer = ZSTD_createCCtx();
	if (!t->packer)
		return;
	len = ZSTD_compressCCtx(t->packer, t->packed, b->len - 1, b->data, b->len,
				t->stream.compress_level);
	if (!ZSTD_isError(len))
		hearth_block_mark_packed(b, (uint32_t)len);
}

/* What cannot be unpacked was damaged on the way, and is asked for again like every such block. */
static int unpack(struct tcp_stream *t, struct hearth_block *b)
{
	size_t len;

	if (!t->unpacker)
		t->unpacker = ZSTD_createDCtx();
	if (!t->unpacker)
		return -ENOMEM;
	len = ZSTD_decompressDCtx(t->unpacker, b->data, b->len, t->packed, b->packed);
	b->is_damaged = ZSTD_isError(len) || len != b->len;
	hearth_block_mark_packed(b, 0);
	return 0;
}

/* The pieces of a block as they travel: head, payload, trailer. */
static void lay_out(struct tcp_stream *t, struct hearth_block *b, struct iovec iov[3])
{
	iov[0] = (struct iovec){ b->head, hearth_block_head_bytes(b) };
	iov[1] = b->packed ? (struct iovec){ t->packed, b->packed }
			   : (struct iovec){ b->data, b->len };
	iov[2] = (struct iovec){ b->trailer, sizeof(b->trailer) };
}

static void count_wire(struct tcp_stream *t, const struct iovec *iov, int nr)
{
	for (int i = 0; i < nr; i++)
		t->stream.wire_bytes += iov[i].iov_len;
}

/*
 * The rest of a payload that cannot be spliced: it is read. What the file does not have any more
 * makes the block void, and it is asked for again.
 */
static int send_read(int out_fd, struct hearth_block *b, off_t at, size_t len)
{
	struct iovec iov = { b->data, len };

	if (hearth_pread_full(b->payload_fd, b->data, len, (uint64_t)at) != (ssize_t)len) {
		memset(b->data, 0, len);
		hearth_block_make_void(b);
	}
	return hearth_writev_all(out_fd, &iov, 1);
}

/* The payload goes from the page cache to the socket; the kernel copies nothing. */
static int send_payload(int out_fd, struct hearth_block *b)
{
	off_t at = (off_t)b->payload_offset;
	size_t left = b->len;

	while (left) {
		ssize_t done = sendfile(out_fd, b->payload_fd, &at, left);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return send_read(out_fd, b, at, left);
		left -= (size_t)done;
	}
	return 0;
}

/* Corked, no packet is as short as the head or the trailer. */
static int send_spliced(struct tcp_stream *t, struct hearth_block *b, struct iovec iov[3])
{
	int is_corked = 1, ret;

	setsockopt(t->out_fd, IPPROTO_TCP, TCP_CORK, &is_corked, sizeof(is_corked));
	ret = hearth_writev_all(t->out_fd, iov, 1);
	if (!ret)
		ret = send_payload(t->out_fd, b);
	if (!ret)
		ret = hearth_writev_all(t->out_fd, iov + 2, 1);
	is_corked = 0;
	setsockopt(t->out_fd, IPPROTO_TCP, TCP_CORK, &is_corked, sizeof(is_corked));
	return ret;
}

static int tcp_send(struct hearth_stream *s, struct hearth_block *b)
{
	struct tcp_stream *t = tcp_of(s);
	uint8_t tag[HEARTH_SEAL_TAG_BYTES];
	struct iovec iov[4];
	int nr = 3, ret = 0;

	pack(t, b);
	lay_out(t, b, iov);
	if (t->seal.mode != HEARTH_SEAL_NONE) {
		ret = hearth_seal_close(&t->seal, iov, 3, tag);
		iov[nr++] = (struct iovec){ tag, sizeof(tag) };
	}
	count_wire(t, iov, nr);
	if (!ret && b->payload_fd >= 0 && nr == 3 && !b->packed)
		ret = send_spliced(t, b, iov);
	else if (!ret)
		ret = hearth_writev_all(t->out_fd, iov, nr);
	hearth_close(&b->payload_fd);
	hearth_pool_put(b);
	return ret;
}

static void tell_quiet(void *arg)
{
	struct hearth_stream *s = arg;

	if (s->on_quiet)
		s->on_quiet(s, s->on_quiet_ctx);
}

static int read_pieces(struct tcp_stream *t, struct iovec *iov, int nr)
{
	return hearth_readv_patiently(t->in_fd, iov, nr, tell_quiet, &t->stream);
}

/* Header and table are there; the rest of the block follows. */
static int recv_rest(struct tcp_stream *t, struct hearth_block *b)
{
	uint8_t tag[HEARTH_SEAL_TAG_BYTES];
	struct iovec iov[4], parts[3];
	int nr = 3, ret;

	lay_out(t, b, parts);
	memcpy(iov, parts, sizeof(parts));
	iov[0].iov_base = b->head + HEARTH_BLOCK_HEADER_BYTES;
	iov[0].iov_len -= HEARTH_BLOCK_HEADER_BYTES;
	if (t->seal.mode != HEARTH_SEAL_NONE)
		iov[nr++] = (struct iovec){ tag, sizeof(tag) };
	count_wire(t, iov, nr);
	ret = read_pieces(t, iov, nr);
	if (!ret && t->seal.mode != HEARTH_SEAL_NONE)
		ret = hearth_seal_open(&t->seal, parts, 3, tag);
	if (!ret && b->packed)
		ret = unpack(t, b);
	return ret;
}

static int recv_block(struct tcp_stream *t, struct hearth_block *b)
{
	struct iovec header = { b->head, HEARTH_BLOCK_HEADER_BYTES };
	int ret = read_pieces(t, &header, 1);

	if (ret)
		return ret;
	ret = hearth_block_parse_header(b, t->stream.session);
	if (ret)
		return ret;
	if (b->packed && !packing_room(t, b))
		return -ENOMEM;
	t->stream.wire_bytes += HEARTH_BLOCK_HEADER_BYTES;
	ret = recv_rest(t, b);
	if (ret)
		return ret == -ENODATA ? -ECONNRESET : ret;
	return hearth_block_parse_table(b);
}

static int tcp_recv(struct hearth_stream *s, struct hearth_pool *pool, struct hearth_block **ret)
{
	struct hearth_block *b = hearth_pool_get(pool);
	int err;

	if (!b)
		return -ECANCELED;
	err = recv_block(tcp_of(s), b);
	if (err) {
		hearth_pool_put(b);
		return err;
	}
	*ret = b;
	return 0;
}

static void tcp_finish(struct hearth_stream *s)
{
	struct tcp_stream *t = tcp_of(s);

	if (shutdown(t->out_fd, SHUT_WR) && t->out_fd != t->in_fd)
		hearth_close(&t->out_fd);
}

static void tcp_cancel(struct hearth_stream *s)
{
	shutdown(tcp_of(s)->in_fd, SHUT_RDWR);
	shutdown(tcp_of(s)->out_fd, SHUT_RDWR);
}

static void tcp_free(struct hearth_stream *s)
{
	struct tcp_stream *t = tcp_of(s);

	if (t->out_fd != t->in_fd)
		hearth_close(&t->out_fd);
	hearth_close(&t->in_fd);
	ZSTD_freeCCtx(t->packer);
	ZSTD_freeDCtx(t->unpacker);
	free(t->packed);
	hearth_seal_exit(&t->seal);
	free(t);
}

/* Nothing is known of a pipe. */
static void tcp_look(struct hearth_stream *s, struct hearth_stream_path *ret)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	memset(ret, 0, sizeof(*ret));
	if (getsockopt(tcp_of(s)->out_fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return;
	ret->min_rtt_ns = info.tcpi_min_rtt == UINT32_MAX ? 0 : info.tcpi_min_rtt * 1000ull;
	ret->delivered = info.tcpi_bytes_acked;
	ret->lost = info.tcpi_total_retrans;
	ret->busy_ns = info.tcpi_busy_time * 1000;
	ret->peer_limited_ns = info.tcpi_rwnd_limited * 1000;
	ret->own_limited_ns = info.tcpi_sndbuf_limited * 1000;
	ret->peer_window = info.tcpi_snd_wnd;
}

static const struct hearth_stream_ops tcp_ops = {
	.name = "tcp",
	.send = tcp_send,
	.recv = tcp_recv,
	.finish = tcp_finish,
	.cancel = tcp_cancel,
	.free = tcp_free,
	.look = tcp_look,
};

struct hearth_stream *hearth_tcp_stream(int in_fd, int out_fd, uint64_t session)
{
	const struct timeval quiet = { .tv_sec = HEARTH_STREAM_QUIET_MS / 1000,
				       .tv_usec = HEARTH_STREAM_QUIET_MS % 1000 * 1000 };
	struct tcp_stream *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	setsockopt(in_fd, SOL_SOCKET, SO_RCVTIMEO, &quiet, sizeof(quiet));
	t->stream.ops = &tcp_ops;
	t->stream.session = session;
	t->in_fd = in_fd;
	t->out_fd = out_fd;
	return &t->stream;
}

int hearth_tcp_socket(const struct hearth_stream *s)
{
	return s->ops == &tcp_ops ? ((const struct tcp_stream *)s)->out_fd : -1;
}

bool hearth_tcp_takes_files(const struct hearth_stream *s)
{
	return s->ops == &tcp_ops && !s->compress_level &&
	       ((const struct tcp_stream *)s)->seal.mode == HEARTH_SEAL_NONE;
}

void hearth_tcp_protect(struct hearth_stream *s, enum hearth_seal_mode mode, const uint8_t *key,
			bool is_server)
{
	hearth_seal_init(&tcp_of(s)->seal, mode, key, is_server);
}
