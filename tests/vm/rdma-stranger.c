// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Strangers at the RDMA port: starts a hearthd, agrees on a job and on RDMA with it, and
 * connects without a proof, with garbage, with the wrong key, for another session and
 * as another version. Nobody may get in but who knows the key, and he only once; and
 * what he says may be anything.
 *
 * Usage: rdma-stranger HEARTHD DESTINATION
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "../../userspace/common/io.h"
#include "rdma-client.h"

static struct client client;

static void is_turned_away(const char *who, const void *request, size_t len)
{
	int ret = client_knock(&client, request, len, 1);

	fprintf(stderr, "%s\n", who);
	if (ret != -ECONNREFUSED) {
		fprintf(stderr, "%s: %s\n", who, ret ? strerror(-ret) : "got in");
		exit(1);
	}
	rdma_destroy_qp(client.id);
	ibv_dereg_mr(client.mr);
	rdma_destroy_id(client.id);
}

static void say_garbage(void)
{
	uint8_t *junk = client.memory[HEARTH_RDMA_RECVS];
	struct rdma_cm_event *e;

	CHECK(!hearth_random_bytes(junk, HEARTH_RDMA_MSG_BYTES));
	junk[0] = HEARTH_RDMA_OFFER;
	CHECK(client_say_bytes(&client, HEARTH_RDMA_MSG_BYTES) == IBV_WC_SUCCESS);
	/* The far end hangs up. */
	CHECK(!rdma_get_cm_event(client.id->channel, &e) &&
	      e->event == RDMA_CM_EVENT_DISCONNECTED);
	rdma_ack_cm_event(e);
}

static void knock_about(void)
{
	struct hearth_rdma_proof proof = { .version = HEARTH_RDMA_VERSION,
					   .session = client.ticket.session };
	uint8_t request[HEARTH_RDMA_REQUEST_BYTES], junk[HEARTH_RDMA_REQUEST_BYTES];
	struct hearth_ticket *ticket = &client.ticket, other = *ticket;
	uint8_t *nonce = client.nonce;
	struct rdma_cm_id *mine;
	struct ibv_mr *mr;

	CHECK(!hearth_random_bytes(junk, sizeof(junk)));
	is_turned_away("nobody", NULL, 0);
	is_turned_away("garbage", junk, sizeof(junk));
	other.key[7] ^= 1;
	hearth_rdma_put_request(request, &proof, &other, nonce);
	is_turned_away("the wrong key", request, sizeof(request));
	proof.session++;
	hearth_rdma_put_request(request, &proof, ticket, nonce);
	is_turned_away("another session", request, sizeof(request));
	proof.session--;
	proof.version++;
	hearth_rdma_put_request(request, &proof, ticket, nonce);
	is_turned_away("another version", request, sizeof(request));
	proof.version--;
	nonce[0] ^= 1;
	hearth_rdma_put_request(request, &proof, ticket, nonce);
	is_turned_away("an old proof", request, sizeof(request));
	nonce[0] ^= 1;
	hearth_rdma_put_request(request, &proof, ticket, nonce);
	CHECK(!client_knock(&client, request, sizeof(request), 1));
	mine = client.id;
	mr = client.mr;
	is_turned_away("a proof that was used", request, sizeof(request));
	client.id = mine;
	client.mr = mr;
	say_garbage();
}

int main(int argc, char **argv)
{
	CHECK(argc == 3);
	signal(SIGPIPE, SIG_IGN);
	client_start(&client, argv[1], argv[2], HEARTH_SERVER_RECEIVES);
	CHECK(!*client_ask(&client, HEARTH_RDMA_VERSION, HEARTH_RDMA_MODE_READ));
	knock_about();
	client_end(&client);
	puts("turned away");
	return 0;
}
