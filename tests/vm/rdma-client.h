/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of hearthd that goes by the protocol as far as a test wants it to. */
#ifndef HEARTH_RDMA_CLIENT_H
#define HEARTH_RDMA_CLIENT_H

#include <netinet/in.h>
#include <rdma/rdma_verbs.h>
#include <stdio.h>
#include <stdlib.h>

#include "rdma_impl.h"

#define CHECK(what)                                                                        \
	do {                                                                               \
		if (!(what)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
			exit(1);                                                           \
		}                                                                          \
	} while (0)

struct client {
	pid_t pid; /* of the hearthd */
	struct hearth_control control;
	struct hearth_ticket ticket;
	uint8_t nonce[HEARTH_RDMA_NONCE_BYTES];
	struct sockaddr_in far_end;
	struct rdma_cm_id *id;
	struct ibv_mr *mr; /* of @memory */
	uint8_t memory[HEARTH_RDMA_RECVS + 1][HEARTH_RDMA_MSG_BYTES]; /* receives, and a send */
};

/* Starts a hearthd and has it welcome a job with @path. */
void client_start(struct client *c, const char *program, char *path,
		  enum hearth_direction direction);

/* Asks for RDMA; the text of the refusal, empty if there is an offer. */
const char *client_ask(struct client *c, uint16_t version, enum hearth_rdma_mode mode);

/* Connects with this in the request. 0 or -errno. */
int client_knock(struct client *c, const void *request, size_t len, uint32_t nr_recvs);

/* What blocks have where nobody says how long they are to be. */
#define CLIENT_BLOCK_BYTES (512u << 10)

/* Connects as one that knows the key, with so many receives posted. */
void client_connect(struct client *c, uint32_t nr_recvs, enum hearth_rdma_mode mode);

/* Asks for a mode, blocks of this length, and so much memory for all. */
void client_go(struct client *c, uint8_t mode, uint32_t block_bytes, uint64_t memory_bytes);

/* Both, as an honest client does; all set to begin. */
void client_join(struct client *c, uint32_t nr_recvs, enum hearth_rdma_mode mode);

/* Sends a message, or any bytes; the completion's status. */
enum ibv_wc_status client_say(struct client *c, const struct hearth_rdma_msg *m);
enum ibv_wc_status client_say_bytes(struct client *c, size_t len);

/* The next message of this type. */
void client_hear(struct client *c, enum hearth_rdma_type type, struct hearth_rdma_msg *ret);

/* Writes some bytes to where another says that they may be written. */
enum ibv_wc_status client_write(struct client *c, uint64_t addr, uint32_t key);

/* Whether the job ends, and this was said of it. */
bool client_is_told(struct client *c, const char *text);

/* Hangs up, and waits for the hearthd to end. */
void client_end(struct client *c);

#endif
