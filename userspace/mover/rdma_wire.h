/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What two ends say to each other over a queue pair.
 *
 *   every message   u8 type, u8 zero, u16 credits: as many more may come back
 *   OFFER           u32 id, where the payload of a block lies: u64 address, u32 key, u32 length;
 *                   where its head lies: u64 address, u32 length; trailer, tag; the head itself
 *                   if there is room
 *   RELEASE         u32 ids of blocks that were read, and may be used again
 *   SLOT            u32 id, where a block may be written to: u64 address, u32 key, u32 length,
 *                   u64 address of its head
 *   FILLED          like OFFER, where the key is the id of the slot that was written to
 *   CREDIT          nothing else
 *   FIN             no block follows
 *   PING, PONG      u64 that comes back
 *
 * A connection proves itself in the private data of the connection manager, as
 * TCP's do (session.h); the nonce of the listening end came on the control channel:
 *
 *   request  u16 version, u16 number of the queue pair, u64 session, nonce C,
 *            HMAC(key, "rdma client" session number S C), both 16 bytes of it
 *   answer   u16 version, HMAC(key, "rdma server" session number S C)
 */
#ifndef HEARTH_RDMA_WIRE_H
#define HEARTH_RDMA_WIRE_H

#include <netinet/in.h>

#include "../common/bytes.h"
#include "block.h"
#include "route.h"
#include "seal.h"
#include "session.h"

#define HEARTH_RDMA_VERSION 2
#define HEARTH_RDMA_MSG_BYTES 1024
#define HEARTH_RDMA_MAX_IDS 64
#define HEARTH_RDMA_INLINE_HEAD 928u /* longer heads are read, or written, like the payload */
#define HEARTH_RDMA_NONCE_BYTES 16
#define HEARTH_RDMA_MAC_BYTES 16
#define HEARTH_RDMA_REQUEST_BYTES (2 + 2 + 8 + HEARTH_RDMA_NONCE_BYTES + HEARTH_RDMA_MAC_BYTES)
#define HEARTH_RDMA_ANSWER_BYTES (2 + HEARTH_RDMA_MAC_BYTES)

enum hearth_rdma_type {
	HEARTH_RDMA_OFFER = 1,
	HEARTH_RDMA_RELEASE,
	HEARTH_RDMA_SLOT,
	HEARTH_RDMA_FILLED,
	HEARTH_RDMA_CREDIT,
	HEARTH_RDMA_FIN,
	HEARTH_RDMA_PING,
	HEARTH_RDMA_PONG,
	HEARTH_RDMA_NR_TYPES,
};

struct hearth_rdma_msg {
	enum hearth_rdma_type type;
	uint16_t credits;
	uint32_t id;
	uint64_t addr;
	uint32_t key;
	uint32_t len;
	uint64_t head_addr;
	uint32_t head_len;
	const uint8_t *head; /* NULL: it lies where @head_addr says; points into the message */
	uint8_t trailer[HEARTH_BLOCK_TRAILER_BYTES];
	uint8_t tag[HEARTH_SEAL_TAG_BYTES];
	uint64_t echo;
	uint32_t nr_ids;
	uint32_t ids[HEARTH_RDMA_MAX_IDS];
};

/* Writes a message; its length. */
size_t hearth_rdma_encode(uint8_t buf[HEARTH_RDMA_MSG_BYTES], const struct hearth_rdma_msg *m);

/* 0 or -EPROTO. */
int hearth_rdma_decode(const uint8_t *buf, size_t len, struct hearth_rdma_msg *ret);

/* What a connection is proved by. */
struct hearth_rdma_proof {
	uint16_t version;
	uint16_t number;
	uint64_t session;
	uint8_t client_nonce[HEARTH_RDMA_NONCE_BYTES];
};

void hearth_rdma_put_request(uint8_t buf[HEARTH_RDMA_REQUEST_BYTES],
			     const struct hearth_rdma_proof *p, const struct hearth_ticket *t,
			     const uint8_t *server_nonce);

/* 0, -EPROTO, -EPROTONOSUPPORT with only the version set, or -EACCES. */
int hearth_rdma_check_request(const void *buf, size_t len, const struct hearth_ticket *t,
			      const uint8_t *server_nonce, struct hearth_rdma_proof *ret);

void hearth_rdma_put_answer(uint8_t buf[HEARTH_RDMA_ANSWER_BYTES],
			    const struct hearth_rdma_proof *p, const struct hearth_ticket *t,
			    const uint8_t *server_nonce);

/* 0, -EPROTO or -EACCES. */
int hearth_rdma_check_answer(const void *buf, size_t len, const struct hearth_rdma_proof *p,
			     const struct hearth_ticket *t, const uint8_t *server_nonce);

/* What seals the blocks of a session, however many queue pairs they go over. */
void hearth_rdma_seal_key(const struct hearth_ticket *t, const uint8_t *server_nonce,
			  uint8_t ret[HEARTH_SEAL_KEY_BYTES]);

/* An address that the connection manager can be given: u8 4 or 6, 16 bytes. */
#define HEARTH_RDMA_ADDRESS_BYTES 17

void hearth_rdma_put_address(struct hearth_writer *w, const struct sockaddr_storage *a);
void hearth_rdma_get_address(struct hearth_reader *r, uint16_t port, struct sockaddr_storage *ret);

/*
 * How blocks go over a path that has room for @on_the_way bytes: reads cannot fill one that has
 * more than the @at_once of all of them together. On a long way what answers them comes in bursts,
 * and what is lost of these is asked for a round trip later; what is written comes as it is
 * acknowledged.
 */
enum hearth_rdma_mode hearth_rdma_mode_for(enum hearth_rdma_mode asked, uint64_t rtt_ns,
					   uint64_t on_the_way, uint64_t at_once);

#endif
