// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Strangers at the RDMA port: starts a hearthd, agrees on a job and on RDMA with it, and
 * connects without a proof, with garbage, with the wrong key, for another session and
 * as another version. Nobody may get in but who knows the key, and he only once; and
 * what he says may be anything.
 *
 * Usage: rdma-stranger HEARTHD DESTINATION
 */
#include <arpa/inet.h>
#include <errno.h>
#include <rdma/rdma_verbs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/common/bytes.h"
#include "../../userspace/common/io.h"
#include "rdma_impl.h"

#define CHECK(what)                                                                        \
	do {                                                                               \
		if (!(what)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
			exit(1);                                                           \
		}                                                                          \
	} while (0)

static struct hearth_ticket ticket;
static uint8_t nonce[HEARTH_RDMA_NONCE_BYTES];
static struct sockaddr_in far_end = { .sin_family = AF_INET };

static int start(const char *program)
{
	int pair[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	if (!fork()) {
		dup2(pair[1], 0);
		dup2(pair[1], 1);
		execl(program, program, "--server", (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	return pair[0];
}

static void ask(struct hearth_control *c)
{
	static const uint8_t words[] = { 1, HEARTH_RDMA_VERSION, 0, HEARTH_RDMA_MODE_READ, 1, 0 };
	struct hearth_reader r;
	struct hearth_frame f;
	size_t len;

	CHECK(!hearth_control_send(c, HEARTH_FRAME_RAILS, words, sizeof(words)));
	CHECK(!hearth_control_recv(c, &f) && f.type == HEARTH_FRAME_RAILED);
	r = hearth_reader_of(f.body, f.len);
	CHECK(hearth_get_u8(&r) == 2);
	hearth_get_string(&r, 511, &len);
	CHECK(!len);
	far_end.sin_port = htons(hearth_get_u16(&r));
	hearth_get_copy(&r, nonce, sizeof(nonce));
	CHECK(hearth_get_u8(&r) >= 1 && hearth_get_u8(&r) == 4);
	hearth_get_copy(&r, &far_end.sin_addr, sizeof(far_end.sin_addr));
	CHECK(!r.is_bad);
}

/* Connects with this in the request. 0 or -errno. */
static int knock(const void *request, size_t len, struct rdma_cm_id **ret)
{
	struct ibv_qp_init_attr attr = { .qp_type = IBV_QPT_RC,
					 .sq_sig_all = 1,
					 .cap = { 4, 4, 1, 1, 0 } };
	struct rdma_conn_param param = { .private_data = request,
					 .private_data_len = (uint8_t)len,
					 .responder_resources = 1,
					 .initiator_depth = 1,
					 .retry_count = 3,
					 .rnr_retry_count = 3 };

	CHECK(!rdma_create_id(NULL, ret, NULL, RDMA_PS_TCP));
	CHECK(!rdma_resolve_addr(*ret, NULL, (struct sockaddr *)&far_end, 2000));
	CHECK(!rdma_resolve_route(*ret, 2000));
	CHECK(!rdma_create_qp(*ret, NULL, &attr));
	if (!rdma_connect(*ret, &param))
		return 0;
	return -errno;
}

static void is_turned_away(const char *who, const void *request, size_t len)
{
	struct rdma_cm_id *id;
	int ret = knock(request, len, &id);

	fprintf(stderr, "%s\n", who);

	if (ret != -ECONNREFUSED) {
		fprintf(stderr, "%s: %s\n", who, ret ? strerror(-ret) : "got in");
		exit(1);
	}
	rdma_destroy_qp(id);
	rdma_destroy_id(id);
}

static void say_garbage(struct rdma_cm_id *id)
{
	static uint8_t junk[HEARTH_RDMA_MSG_BYTES];
	struct ibv_mr *mr = rdma_reg_msgs(id, junk, sizeof(junk));
	struct rdma_cm_event *e;
	struct ibv_wc wc;

	CHECK(mr && !hearth_random_bytes(junk, sizeof(junk)));
	junk[0] = HEARTH_RDMA_OFFER;
	CHECK(!rdma_post_send(id, NULL, junk, sizeof(junk), mr, 0));
	CHECK(rdma_get_send_comp(id, &wc) == 1);
	/* The far end hangs up. */
	CHECK(!rdma_get_cm_event(id->channel, &e) && e->event == RDMA_CM_EVENT_DISCONNECTED);
	rdma_ack_cm_event(e);
}

static void knock_about(void)
{
	struct hearth_rdma_proof proof = { .version = HEARTH_RDMA_VERSION,
					   .session = ticket.session };
	uint8_t request[HEARTH_RDMA_REQUEST_BYTES], junk[HEARTH_RDMA_REQUEST_BYTES];
	struct hearth_ticket other = ticket;
	struct rdma_cm_id *id;

	CHECK(!hearth_random_bytes(junk, sizeof(junk)));
	is_turned_away("nobody", NULL, 0);
	is_turned_away("garbage", junk, sizeof(junk));
	other.key[7] ^= 1;
	hearth_rdma_put_request(request, &proof, &other, nonce);
	is_turned_away("the wrong key", request, sizeof(request));
	proof.session++;
	hearth_rdma_put_request(request, &proof, &ticket, nonce);
	is_turned_away("another session", request, sizeof(request));
	proof.session--;
	proof.version++;
	hearth_rdma_put_request(request, &proof, &ticket, nonce);
	is_turned_away("another version", request, sizeof(request));
	proof.version--;
	nonce[0] ^= 1;
	hearth_rdma_put_request(request, &proof, &ticket, nonce);
	is_turned_away("an old proof", request, sizeof(request));
	nonce[0] ^= 1;
	hearth_rdma_put_request(request, &proof, &ticket, nonce);
	CHECK(!knock(request, sizeof(request), &id));
	is_turned_away("a proof that was used", request, sizeof(request));
	say_garbage(id);
}

int main(int argc, char **argv)
{
	struct hearth_hello h = { .protocol = HEARTH_PROTOCOL,
				  .direction = HEARTH_SERVER_RECEIVES,
				  .nr_streams = 1 };
	struct hearth_control c;
	struct hearth_frame f;
	int status;

	CHECK(argc == 3);
	signal(SIGPIPE, SIG_IGN);
	CHECK(!hearth_control_init(&c, start(argv[1]), -1));
	c.out_fd = c.in_fd;
	hearth_options_init(&h.opt);
	h.nr_paths = 1;
	h.paths = &argv[2];
	CHECK(!hearth_random_bytes(&ticket, sizeof(ticket)));
	ticket.seal = HEARTH_SEAL_NONE;
	h.session = ticket.session;
	memcpy(h.key, ticket.key, sizeof(h.key));
	CHECK(!hearth_send_hello(&c, &h));
	CHECK(!hearth_control_recv(&c, &f) && f.type == HEARTH_FRAME_WELCOME);
	ask(&c);
	knock_about();
	close(c.in_fd);
	CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status));
	puts("turned away");
	return 0;
}
