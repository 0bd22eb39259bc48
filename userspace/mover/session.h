/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How two ends that ssh joined agree on a job and build its streams.
 *
 * The client starts `hearthd --server` over ssh and says HELLO on its standard
 * input: the versions, the options, the paths, and a key made for this session
 * only. The server listens on a port of its own and tells it in WELCOME. Every
 * data connection then proves to the other side that it knows the key:
 *
 *   server -> client  u32 magic, nonce S
 *   client -> server  u64 session, u32 stream, nonce C, HMAC(key, "client" session stream S C)
 *   server -> client  HMAC(key, "server" session stream S C)
 *
 * The key that seals the blocks of a stream is HMAC(key, "sealed" session stream S C).
 * HMAC is HMAC-SHA-256. Nonces are 32 random bytes; the key never leaves the
 * ssh connection. Whatever else connects to the port is closed.
 *
 * Between two servers the client makes the key, and it is good for one copy alone:
 * what both use is HMAC(key, what is read, what is written, how long it is good
 * for), where each takes its own part from what it was told to do. A key that is
 * used for other paths, in the other direction or too late opens nothing.
 */
#ifndef HEARTH_SESSION_H
#define HEARTH_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "control.h"
#include "engine.h"
#include "filter.h"

#define HEARTH_KEY_BYTES 32
#define HEARTH_NONCE_BYTES 32
#define HEARTH_MAC_BYTES 32
#define HEARTH_DIGEST_BYTES 32
#define HEARTH_MAX_PATHS 4096

enum hearth_direction {
	HEARTH_SERVER_SENDS = 1,
	HEARTH_SERVER_RECEIVES = 2,
};

struct hearth_hello {
	uint32_t protocol;
	uint8_t direction;
	uint8_t nr_streams;
	uint16_t port_low; /* 0: any port */
	uint16_t port_high;
	uint64_t session;
	uint8_t key[HEARTH_KEY_BYTES];
	bool is_third_party; /* the streams join two servers; the key comes from @key in any case */
	uint32_t lifetime_s; /* of such a key, from the hello on */
	uint8_t peer_digest[HEARTH_DIGEST_BYTES]; /* what the other server is told to do */
	uint16_t peer_port; /* and this one connects to the other, */
	char *peer_host; /* or opens a port: NULL */
	bool peer_is_shared; /* share.h */
	struct hearth_options opt;
	uint32_t nr_paths;
	char **paths;
	struct hearth_filter filter;
	uint32_t nr_names; /* of --files-from; they follow in frames of their own */
	struct hearth_names names; /* filled in by the server */
};

struct hearth_welcome {
	uint16_t port;
	bool is_shared; /* the daemon's own; see share.h */
	char address[64]; /* as the client's ssh reached the server; may be empty */
};

int hearth_send_hello(struct hearth_control *c, const struct hearth_hello *h);

/*
 * 0, -EPROTO, -ENOMEM, or -EPROTONOSUPPORT with only @ret->protocol set. Free with
 * hearth_hello_exit().
 */
int hearth_parse_hello(const struct hearth_frame *f, struct hearth_hello *ret);
void hearth_hello_exit(struct hearth_hello *h);

int hearth_send_welcome(struct hearth_control *c, const struct hearth_welcome *w);
int hearth_parse_welcome(const struct hearth_frame *f, struct hearth_welcome *ret);

/* What a data connection is told apart and authenticated by. */
struct hearth_ticket {
	uint64_t session;
	uint8_t key[HEARTH_KEY_BYTES];
	enum hearth_seal_mode seal;
	const char *congestion; /* as struct hearth_options has it */
	uint32_t patience_s; /* with the other side; 0: it may only just have been started */
};

/* A new session with a new key. 0 or -errno. */
int hearth_ticket_init(struct hearth_ticket *t, uint8_t seal);

/* What one end of a copy is told to read or to write, in short. */
void hearth_digest_paths(char *const *paths, uint32_t nr, const struct hearth_names *names,
			 uint8_t ret[HEARTH_DIGEST_BYTES]);

/* Makes the key one for this copy: from what is read to what is written. */
void hearth_ticket_bind(struct hearth_ticket *t, const uint8_t from[HEARTH_DIGEST_BYTES],
			const uint8_t to[HEARTH_DIGEST_BYTES], uint32_t lifetime_s);

/*
 * Both return 0, -EACCES if the peer does not know the key, or -errno; and the key that seals this
 * stream.
 */
int hearth_prove_as_client(int in_fd, int out_fd, const struct hearth_ticket *t, uint32_t stream,
			   uint8_t ret_seal_key[HEARTH_MAC_BYTES]);
int hearth_prove_as_server(int fd, const struct hearth_ticket *t, uint32_t nr_streams,
			   uint32_t *ret_stream, uint8_t ret_seal_key[HEARTH_MAC_BYTES]);

/* A listening socket on a free port of the range, IPv6 and IPv4. The descriptor or -errno. */
int hearth_listen(uint16_t port_low, uint16_t port_high, uint16_t *ret_port);

/* Whether this end has what --congestion names. 0, or -errno with what it has in @text. */
int hearth_check_congestion(const char *name, char *text, size_t size);

#define HEARTH_CONNECT_SECONDS 10

/* Proves a connection to be stream @i of the session and makes it one; takes over @fd. */
int hearth_join_stream(int fd, const struct hearth_ticket *t, uint32_t i,
		       struct hearth_stream **ret);

/* Connects within @timeout_s. The descriptor or -errno. */
int hearth_connect(const char *host, uint16_t port, int timeout_s);

/*
 * What to do if the peer says something on the control channel meanwhile; called once. 0: wait on;
 * HEARTH_WORD_MORE: and call again; 1: the streams are there by other means; or -errno.
 */
#define HEARTH_WORD_MORE 2

struct hearth_word {
	int (*hear)(void *ctx);
	void *ctx;
};

/*
 * Waits up to @timeout_s for every stream to come in, while @client_fd, the control channel, is
 * open; @word may be NULL. 0, -ETIMEDOUT, -ECONNRESET or -errno.
 */
int hearth_accept_streams(int listen_fd, int client_fd, const struct hearth_ticket *t,
			  uint32_t nr_streams, uint32_t timeout_s, const struct hearth_word *word,
			  struct hearth_stream **streams);

/* The port at which a session's streams come in, while its job runs; for struct hearth_supply. */
struct hearth_door {
	int listen_fd;
	const struct hearth_ticket *ticket;
	uint64_t until_ns; /* when the key expires; 0: never */
};

void hearth_door_attend(void *ctx, int wake_fd,
			bool (*take)(void *arg, uint32_t number, struct hearth_stream *s),
			void *arg);

/* Seconds for one more stream while a job runs, to connect and to be proved. */
#define HEARTH_MORE_SECONDS 5

#endif
