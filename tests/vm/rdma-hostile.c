// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clients of hearthd that know their session's key and mean ill, or do not keep to the
 * protocol: what they say ends their own session, and what they know of another's
 * opens nothing.
 *
 * Usage: rdma-hostile HEARTHD DESTINATION
 */
#include <signal.h>
#include <string.h>
#include <time.h>

#include "../../userspace/common/io.h"
#include "rdma-client.h"

/* A peer that gives nothing back is given up within this. */
#define LONGEST_NS 20000000000ull

static const char *program;
static char *path;
static struct client one, other;
static uint8_t head[HEARTH_BLOCK_HEADER_BYTES];

static void begin(struct client *c, uint32_t nr_recvs, enum hearth_rdma_mode mode,
		  enum hearth_direction direction)
{
	client_start(c, program, path, direction);
	client_join(c, nr_recvs, mode);
}

static void ask_for_what_there_is_not(void)
{
	static const struct {
		const char *what;
		uint8_t mode;
		uint32_t block_bytes;
		uint64_t memory_bytes;
	} bad[] = {
		{ "a mode that there is not", HEARTH_NR_RDMA_MODES, CLIENT_BLOCK_BYTES, 0 },
		{ "a mode left open", HEARTH_RDMA_MODE_AUTO, CLIENT_BLOCK_BYTES, 0 },
		{ "all memory", HEARTH_RDMA_MODE_READ, CLIENT_BLOCK_BYTES, UINT64_MAX },
		{ "no blocks", HEARTH_RDMA_MODE_READ, 0, HEARTH_POOL_START_BYTES },
		{ "shorter blocks", HEARTH_RDMA_MODE_READ, CLIENT_BLOCK_BYTES / 2,
		  HEARTH_POOL_START_BYTES },
		{ "blocks that are no pages", HEARTH_RDMA_MODE_READ, CLIENT_BLOCK_BYTES + 1,
		  HEARTH_POOL_START_BYTES },
		{ "blocks three times as long", HEARTH_RDMA_MODE_READ, 3 * CLIENT_BLOCK_BYTES,
		  HEARTH_POOL_START_BYTES },
		{ "blocks of which two fit", HEARTH_RDMA_MODE_WRITE, 16u << 20,
		  HEARTH_POOL_START_BYTES },
		{ "blocks that are too long", HEARTH_RDMA_MODE_WRITE, 32u << 20, 128u << 20 },
	};
	struct hearth_frame f;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		fprintf(stderr, "%s\n", bad[i].what);
		client_start(&one, program, path, HEARTH_SERVER_RECEIVES);
		client_connect(&one, HEARTH_RDMA_RECVS, HEARTH_RDMA_MODE_AUTO);
		client_go(&one, bad[i].mode, bad[i].block_bytes, bad[i].memory_bytes);
		while (!hearth_control_recv(&one.control, &f))
			CHECK(f.type != HEARTH_FRAME_RAILED);
		client_end(&one);
	}
	puts("who asks for blocks or memory that no client asks for gets none");
}

static void replay_keys(void)
{
	struct hearth_rdma_msg slot;

	begin(&one, HEARTH_RDMA_RECVS, HEARTH_RDMA_MODE_WRITE, HEARTH_SERVER_RECEIVES);
	client_hear(&one, HEARTH_RDMA_SLOT, &slot);
	CHECK(client_write(&one, slot.addr, slot.key) == IBV_WC_SUCCESS);
	begin(&other, HEARTH_RDMA_RECVS, HEARTH_RDMA_MODE_WRITE, HEARTH_SERVER_RECEIVES);
	CHECK(client_write(&other, slot.addr, slot.key) == IBV_WC_REM_ACCESS_ERR);
	client_end(&other);
	puts("the key of a session that lives opens nothing in another");
	CHECK(client_write(&one, slot.addr, slot.key) == IBV_WC_SUCCESS);
	client_end(&one);
	begin(&other, HEARTH_RDMA_RECVS, HEARTH_RDMA_MODE_WRITE, HEARTH_SERVER_RECEIVES);
	CHECK(client_write(&other, slot.addr, slot.key) == IBV_WC_REM_ACCESS_ERR);
	client_end(&other);
	puts("nor does that of one that is over");
}

static void have_no_receives(void)
{
	uint64_t start;

	begin(&one, 2, HEARTH_RDMA_MODE_WRITE, HEARTH_SERVER_RECEIVES);
	start = hearth_now_ns();
	CHECK(client_is_told(&one, "RNR retry counter exceeded"));
	CHECK(hearth_now_ns() - start < LONGEST_NS);
	client_end(&one);
	puts("who posts no receives is asked again a few times only");
}

static struct hearth_rdma_msg block(enum hearth_rdma_type type)
{
	return (struct hearth_rdma_msg){ .type = type,
					 .len = 4096,
					 .head_len = sizeof(head),
					 .head = head };
}

static void offer_nothing(void)
{
	struct hearth_rdma_msg m = block(HEARTH_RDMA_OFFER);

	m.addr = (uintptr_t)one.memory;
	m.key = 0x12345678;
	begin(&one, HEARTH_RDMA_RECVS, HEARTH_RDMA_MODE_READ, HEARTH_SERVER_RECEIVES);
	client_say(&one, &m); /* the answer may end the connection before it is acknowledged */
	CHECK(client_is_told(&one, "remote access error"));
	client_end(&one);
	puts("a key that opens nothing ends the session of him who gave it");
}

static void say(const char *what, const struct hearth_rdma_msg *m, enum hearth_rdma_mode mode,
		enum hearth_direction direction)
{
	fprintf(stderr, "%s\n", what);
	begin(&one, HEARTH_RDMA_RECVS, mode, direction);
	client_say(&one, m);
	CHECK(client_is_told(&one, "broke the protocol"));
	client_end(&one);
}

static void break_the_protocol(void)
{
	struct hearth_rdma_msg m = block(HEARTH_RDMA_OFFER);

	m.len = HEARTH_BLOCK_MAX_PAYLOAD;
	say("a block that is too long", &m, HEARTH_RDMA_MODE_READ, HEARTH_SERVER_RECEIVES);
	m.len = 4096;
	say("an offer where blocks are written", &m, HEARTH_RDMA_MODE_WRITE,
	    HEARTH_SERVER_RECEIVES);
	m = block(HEARTH_RDMA_FILLED);
	m.key = HEARTH_RDMA_MAX_DEPTH - 1;
	say("a slot that there is not", &m, HEARTH_RDMA_MODE_WRITE, HEARTH_SERVER_RECEIVES);
	m = (struct hearth_rdma_msg){ .type = HEARTH_RDMA_CREDIT,
				      .credits = HEARTH_RDMA_RECVS + 1 };
	say("credits for more than there is", &m, HEARTH_RDMA_MODE_READ,
	    HEARTH_SERVER_RECEIVES);
	m = (struct hearth_rdma_msg){ .type = HEARTH_RDMA_RELEASE, .nr_ids = 1 };
	say("a release of nothing", &m, HEARTH_RDMA_MODE_READ, HEARTH_SERVER_SENDS);
	m = (struct hearth_rdma_msg){ .type = HEARTH_RDMA_SLOT, .len = 4096 };
	say("a slot where blocks are read", &m, HEARTH_RDMA_MODE_READ, HEARTH_SERVER_SENDS);
	puts("what breaks the protocol ends the session");
}

static void be_of_another_version(void)
{
	const char *refusal;

	client_start(&one, program, path, HEARTH_SERVER_RECEIVES);
	refusal = client_ask(&one, HEARTH_RDMA_VERSION + 1, HEARTH_RDMA_MODE_READ);
	fprintf(stderr, "  it says: %s\n", refusal);
	CHECK(strstr(refusal, "install the same version at both ends"));
	client_end(&one);
	puts("another version is told of it");
}

int main(int argc, char **argv)
{
	CHECK(argc == 3);
	signal(SIGPIPE, SIG_IGN);
	program = argv[1];
	path = argv[2];
	be_of_another_version();
	ask_for_what_there_is_not();
	replay_keys();
	have_no_receives();
	offer_nothing();
	break_the_protocol();
	return 0;
}
