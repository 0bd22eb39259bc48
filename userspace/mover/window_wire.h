/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What who reads a LUN from afar and its server say to each other, on the control channel.
 *
 * The client asks with ASK frames, one of which stands in the place of HELLO; the server
 * answers with TOLD frames, in order. Every message has the same form:
 *
 *   u8 verb, u8 flags, u32 status (an errno, 0: done), u32 id, u32 key, u64 offset, u64 len,
 *   text, data (what is left)
 *
 *   verb     asked                             told
 *   ATTACH   id: version; flags; offset: the   offset: bytes of the LUN, key: of a block, flags;
 *            session; text: the LUN's name;    len: bytes of a window; id: windows that this
 *            len: wanted bytes of a window;    session may have
 *            data: the key, or nothing if TLS
 *            has one
 *   CONNECT  data: nothing                     id: port; data: nonce, number of addresses, each
 *                                              u8 4 or 6, 16 bytes
 *   LEASE    offset; flags: for writing; data: id, offset, len; key: the remote key; the remote
 *            u32 ids of windows that were      address is the byte of the LUN
 *            used since the last one, in order
 *   RELEASE  id                                nothing
 *   READ     offset, len                       data
 *   WRITE    offset; data                      nothing else
 *   FLUSH                                      nothing else
 *   INFO                                       as ATTACH
 *
 * Unasked comes
 *
 *   REVOKED  id: of a window whose key is void
 *   GONE     status, text: nothing more can be done with the LUN
 *
 * A status that is not 0 has its reason in the text.
 */
#ifndef HEARTH_WINDOW_WIRE_H
#define HEARTH_WINDOW_WIRE_H

#include <netinet/in.h>

#include "control.h"
#include "rdma_wire.h"

#define HEARTH_WINDOW_VERSION 1
#define HEARTH_WINDOW_MIN_BYTES (64u << 10)
#define HEARTH_WINDOW_MAX_BYTES (1u << 30)
#define HEARTH_WINDOW_MAX 4096u /* of one session */
#define HEARTH_WINDOW_MAX_DATA (256u << 10) /* of one READ or WRITE */
#define HEARTH_WINDOW_TEXT_BYTES 640
#define HEARTH_WINDOW_MAX_ADDRESSES 16

enum hearth_window_verb {
	HEARTH_WINDOW_ATTACH = 1,
	HEARTH_WINDOW_CONNECT,
	HEARTH_WINDOW_LEASE,
	HEARTH_WINDOW_RELEASE,
	HEARTH_WINDOW_READ,
	HEARTH_WINDOW_WRITE,
	HEARTH_WINDOW_FLUSH,
	HEARTH_WINDOW_INFO,
	HEARTH_WINDOW_REVOKED,
	HEARTH_WINDOW_GONE,
	HEARTH_WINDOW_NR_VERBS,
};

enum hearth_window_flag {
	HEARTH_WINDOW_WRITES = 1u << 0, /* asked: for writing; told: the LUN can be written to */
	HEARTH_WINDOW_NEVER = 1u << 1, /* told: windows of this LUN cannot be had at all */
	HEARTH_WINDOW_ANYWAY = 1u << 2, /* asked: though initiators may write to it, too */
	HEARTH_WINDOW_ALL_FLAGS = 7u,
};

struct hearth_window_msg {
	enum hearth_window_verb verb;
	uint8_t flags;
	int status; /* 0 or -errno */
	uint32_t id;
	uint32_t key;
	uint64_t offset;
	uint64_t len;
	char text[HEARTH_WINDOW_TEXT_BYTES];
	const uint8_t *data; /* in the frame that was received */
	size_t data_len;
};

/* 0 or -errno; any thread. */
int hearth_window_send(struct hearth_control *c, enum hearth_frame_type type,
		       const struct hearth_window_msg *m);

/* 0 or -EPROTO. */
int hearth_window_parse(const struct hearth_frame *f, enum hearth_frame_type type,
			struct hearth_window_msg *ret);

/* Where a session's queue pair is taken in. */
struct hearth_window_port {
	uint16_t port;
	uint8_t nonce[HEARTH_RDMA_NONCE_BYTES];
	uint32_t nr;
	struct sockaddr_storage addresses[HEARTH_WINDOW_MAX_ADDRESSES];
};

size_t hearth_window_put_port(uint8_t *buf, size_t size, const struct hearth_window_port *p);
int hearth_window_parse_port(const struct hearth_window_msg *m, struct hearth_window_port *ret);

#endif
