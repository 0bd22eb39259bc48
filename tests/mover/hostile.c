// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A far end that breaks the rules, to be started in place of hearthd.
 *
 * The environment's HOSTILE says how: as a sender it offers names that lead out
 * of the destination or sends blocks that lie; as a receiver it asks for what
 * it was not offered. Whatever it does, the near end must refuse, and must not
 * touch anything outside.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../userspace/common/bytes.h"
#include "../../userspace/common/io.h"
#include "index.h"
#include "session.h"
#include "transport.h"

static struct hearth_control c;
static struct hearth_stream *streams[HEARTH_MAX_STREAMS];
static struct hearth_hello hello;
static const char *trick;

static bool is(const char *name)
{
	return !strcmp(trick, name);
}

/* In a copy between two servers. */
static void join_peer(const struct hearth_ticket *ticket)
{
	for (uint32_t i = 0; i < hello.nr_streams; i++) {
		int fd = hearth_connect(hello.peer_host, hello.peer_port, 10);

		if (fd < 0 || hearth_join_stream(fd, ticket, i, &streams[i]))
			exit(1);
	}
}

/* The key is one for these paths alone: another end, or another path, makes another one. */
static void bind_ticket(struct hearth_ticket *t)
{
	uint8_t own[HEARTH_DIGEST_BYTES];

	if (is("otherpaths"))
		hello.paths[0][0] ^= 1;
	hearth_digest_paths(hello.paths, hello.nr_paths, &hello.names, own);
	hearth_ticket_bind(t, own, hello.peer_digest, hello.lifetime_s);
}

static void open_session(void)
{
	struct hearth_welcome welcome = { 0 };
	struct hearth_ticket ticket = { 0 };
	struct hearth_frame f;
	int fd;

	hearth_control_init(&c, 0, 1);
	if (hearth_control_recv(&c, &f) || hearth_parse_hello(&f, &hello))
		exit(1);
	ticket.session = hello.session;
	memcpy(ticket.key, hello.key, sizeof(ticket.key));
	ticket.seal = HEARTH_SEAL_NONE;
	if (hello.is_third_party)
		bind_ticket(&ticket);
	if (hello.peer_host) {
		join_peer(&ticket);
		hearth_send_welcome(&c, &welcome);
		return;
	}
	fd = hearth_listen(0, 0, &welcome.port);
	if (is("welcome")) {
		hearth_control_send(&c, HEARTH_FRAME_WELCOME, "nonsense", 8);
		exit(0);
	}
	hearth_send_welcome(&c, &welcome);
	if (hearth_accept_streams(fd, 0, &ticket, hello.nr_streams, 10, NULL, streams))
		exit(1);
}

static void add(struct hearth_batch *b, enum hearth_entry_kind kind, uint32_t mode, uint64_t size,
		const char *name, const char *target)
{
	struct hearth_entry e = { .kind = (uint8_t)kind, .mode = mode, .size = size };

	if (hearth_batch_add(b, &e, name, target, ""))
		exit(1);
}

static void send_index(struct hearth_batch *b)
{
	static uint8_t buf[HEARTH_INDEX_MAX_BYTES];
	size_t len = hearth_batch_encode(b, buf);
	uint8_t end[9] = { 1 };

	if (is("truncated"))
		len /= 2;
	hearth_control_send(&c, HEARTH_FRAME_INDEX, buf, len);
	hearth_control_send(&c, HEARTH_FRAME_INDEX_END, end, sizeof(end));
}

/* A block whose segment, and so its file, is what the trick says. */
static void send_block(uint64_t voff, uint64_t len, uint64_t claimed)
{
	struct hearth_pool pool;
	struct hearth_block *b;

	if (hearth_pool_init(&pool, 65536, 1 << 20, -1))
		exit(1);
	b = hearth_pool_get(&pool);
	memset(b->data, 'x', len);
	b->len = (uint32_t)len;
	b->session = hello.session;
	hearth_block_add(b, HEARTH_SEGMENT_DATA, voff, claimed);
	hearth_block_seal(b, true);
	if (is("packed")) {
		hearth_block_mark_packed(b, b->len);
		b->packed = 0; /* or it would really be sent packed */
	}
	streams[0]->ops->send(streams[0], b);
	hearth_pool_exit(&pool);
}

static void be_sender(void)
{
	struct hearth_batch *b = hearth_batch_alloc(0, 0, 0);

	hearth_control_send_u8(&c, HEARTH_FRAME_START, 0);
	add(b, HEARTH_ENTRY_ROOT, S_IFDIR, 0, "", "");
	if (is("dotdot")) {
		add(b, HEARTH_ENTRY_FILE, S_IFREG | 0644, 4, "../escaped", "");
	} else if (is("absolute")) {
		add(b, HEARTH_ENTRY_FILE, S_IFREG | 0644, 4, getenv("OUTSIDE"), "");
	} else if (is("dotdotdir")) {
		add(b, HEARTH_ENTRY_DIR, S_IFDIR | 0755, 0, "..", "");
	} else if (is("symlink")) {
		/* A link out, then a directory of the same name, then a file in it. */
		struct hearth_entry e = {
			.kind = HEARTH_ENTRY_FILE, .mode = S_IFREG | 0644, .size = 4, .parent = 1
		};

		add(b, HEARTH_ENTRY_SYMLINK, S_IFLNK | 0777, 0, "src", getenv("OUTSIDE"));
		add(b, HEARTH_ENTRY_DIR, S_IFDIR | 0755, 0, "src", "");
		hearth_batch_add(b, &e, "escaped", "", "");
	} else if (is("linkup") || is("linkunasked")) {
		add(b, HEARTH_ENTRY_LINK, S_IFREG | 0644, 0, "src", is("linkup") ? "../x" : "x");
	} else if (is("unasked")) {
		add(b, HEARTH_ENTRY_FILE, S_IFREG | 0644, 4, ".bashrc", "");
	} else if (is("huge")) {
		add(b, HEARTH_ENTRY_FILE, S_IFREG | 0644, HEARTH_FILE_MAX_BYTES, "src", "");
	} else {
		add(b, HEARTH_ENTRY_FILE, S_IFREG | 0644, 4, "src", "");
	}
	send_index(b);
	if (is("session"))
		hello.session++;
	if (is("symlink") || is("session"))
		send_block(0, 4, 4);
	else if (is("beyond"))
		send_block(1000, 4, 4);
	else if (is("packed"))
		send_block(0, 4, 4);
	else if (is("longer"))
		send_block(0, 4, 400);
	else if (is("wrap"))
		send_block(UINT64_MAX - 2, 4, 4);
	hearth_batch_free(b);
}

static void be_receiver(void)
{
	struct hearth_ranges far_off = { 0 };
	struct hearth_frame f = { 0 };
	uint64_t seq = 12345;

	hearth_control_send_u8(&c, HEARTH_FRAME_READY, is("eager-ack") || is("volume-eager"));
	/* What is wanted must have been offered before. */
	while (!strncmp(trick, "want", 4) && f.type != HEARTH_FRAME_INDEX &&
	       !hearth_control_recv(&c, &f))
		;
	if (is("want-beyond")) {
		hearth_ranges_add(&far_off, 1ull << 40, (1ull << 40) + 100);
		hearth_control_send_want(&c, HEARTH_FRAME_WANT, 0, &far_off);
		hearth_ranges_exit(&far_off);
	} else if (is("want-unknown")) {
		hearth_control_send_want(&c, HEARTH_FRAME_WANT, 77, &far_off);
	} else if (is("want-twice")) {
		hearth_control_send_want(&c, HEARTH_FRAME_WANT, 0, &far_off);
		hearth_control_send_want(&c, HEARTH_FRAME_WANT, 0, &far_off);
	} else if (is("ack-unsent") || is("eager-ack")) {
		hearth_control_send_seqs(&c, HEARTH_FRAME_ACK, &seq, 1);
	} else if (is("keep-unasked")) {
		hearth_control_send_keep(&c, 0, 0);
	} else if (is("volume-eager") || is("volume-unknown")) {
		hearth_control_send_volume(&c, is("volume-eager") ? 0 : 77, 1);
	} else if (is("volume-huge")) {
		hearth_control_send_volume(&c, 0, 200);
	} else if (is("unknown")) {
		hearth_control_send(&c, 99, "?", 1);
	}
}

int main(void)
{
	struct hearth_frame f;

	signal(SIGPIPE, SIG_IGN);
	trick = getenv("HOSTILE");
	open_session();
	if (hello.direction == HEARTH_SERVER_SENDS)
		be_sender();
	else
		be_receiver();
	while (!hearth_control_recv(&c, &f) && f.type != HEARTH_FRAME_FAIL &&
	       f.type != HEARTH_FRAME_DONE)
		;
	hearth_control_send(&c, HEARTH_FRAME_BYE, NULL, 0);
	return 0;
}
