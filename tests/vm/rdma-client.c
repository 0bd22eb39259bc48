// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/common/bytes.h"
#include "../../userspace/common/io.h"
#include "rdma-client.h"

/* Of rails.c */
#define STEP_ASK 1
#define STEP_OFFER 2
#define STEP_GO 3
#define STEP_SET 4

static int start(const char *program, pid_t *ret_pid)
{
	int pair[2];

	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	*ret_pid = fork();
	if (!*ret_pid) {
		dup2(pair[1], 0);
		dup2(pair[1], 1);
		execl(program, program, "--server", (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	return pair[0];
}

void client_start(struct client *c, const char *program, char *path,
		  enum hearth_direction direction)
{
	struct hearth_hello h = { .protocol = HEARTH_PROTOCOL,
				  .direction = direction,
				  .nr_streams = 1,
				  .nr_paths = 1,
				  .paths = &path };
	struct hearth_frame f;

	memset(c, 0, sizeof(*c));
	CHECK(!hearth_control_init(&c->control, start(program, &c->pid), -1));
	c->control.out_fd = c->control.in_fd;
	c->control.timeout_s = 60;
	hearth_options_init(&h.opt);
	CHECK(!hearth_random_bytes(&c->ticket, sizeof(c->ticket)));
	c->ticket.seal = HEARTH_SEAL_NONE;
	h.session = c->ticket.session;
	memcpy(h.key, c->ticket.key, sizeof(h.key));
	CHECK(!hearth_send_hello(&c->control, &h));
	CHECK(!hearth_control_recv(&c->control, &f) && f.type == HEARTH_FRAME_WELCOME);
}

/* What is refused, in words. */
static const char *hear_step(struct client *c, uint8_t step, struct hearth_reader *ret)
{
	static char text[HEARTH_RDMA_WHY_BYTES];
	struct hearth_frame f;
	const char *words;
	size_t len;

	CHECK(!hearth_control_recv(&c->control, &f) && f.type == HEARTH_FRAME_RAILED);
	*ret = hearth_reader_of(f.body, f.len);
	CHECK(hearth_get_u8(ret) == step);
	words = hearth_get_string(ret, sizeof(text) - 1, &len);
	CHECK(!ret->is_bad);
	snprintf(text, sizeof(text), "%.*s", (int)len, words);
	return text;
}

const char *client_ask(struct client *c, uint16_t version, enum hearth_rdma_mode mode)
{
	/* One queue pair, and nothing instead of it. */
	const uint8_t words[] = { STEP_ASK, (uint8_t)version, version >> 8, mode, 1, 1 };
	struct hearth_reader r;
	const char *refusal;

	CHECK(!hearth_control_send(&c->control, HEARTH_FRAME_RAILS, words, sizeof(words)));
	refusal = hear_step(c, STEP_OFFER, &r);
	if (*refusal)
		return refusal;
	c->far_end.sin_family = AF_INET;
	c->far_end.sin_port = htons(hearth_get_u16(&r));
	CHECK(hearth_get_u64(&r) >= HEARTH_POOL_START_BYTES);
	hearth_get_copy(&r, c->nonce, sizeof(c->nonce));
	CHECK(hearth_get_u8(&r) >= 1 && hearth_get_u8(&r) == 4);
	hearth_get_copy(&r, &c->far_end.sin_addr, sizeof(c->far_end.sin_addr));
	CHECK(!r.is_bad);
	return refusal;
}

int client_knock(struct client *c, const void *request, size_t len, uint32_t nr_recvs)
{
	struct ibv_qp_init_attr attr = { .qp_type = IBV_QPT_RC,
					 .sq_sig_all = 1,
					 .cap = { 4, HEARTH_RDMA_RECVS, 1, 1, 0 } };
	struct rdma_conn_param param = { .private_data = request,
					 .private_data_len = (uint8_t)len,
					 .responder_resources = 1,
					 .initiator_depth = 1,
					 .retry_count = 3,
					 .rnr_retry_count = 3 };

	CHECK(!rdma_create_id(NULL, &c->id, NULL, RDMA_PS_TCP));
	CHECK(!rdma_resolve_addr(c->id, NULL, (struct sockaddr *)&c->far_end, 2000));
	CHECK(!rdma_resolve_route(c->id, 2000));
	CHECK(!rdma_create_qp(c->id, NULL, &attr));
	c->mr = rdma_reg_msgs(c->id, c->memory, sizeof(c->memory));
	CHECK(c->mr);
	for (uint32_t i = 0; i < nr_recvs; i++)
		CHECK(!rdma_post_recv(c->id, c->memory[i], c->memory[i], sizeof(c->memory[i]),
				      c->mr));
	return rdma_connect(c->id, &param) ? -errno : 0;
}

void client_connect(struct client *c, uint32_t nr_recvs, enum hearth_rdma_mode mode)
{
	struct hearth_rdma_proof proof = { .version = HEARTH_RDMA_VERSION,
					   .session = c->ticket.session };
	uint8_t request[HEARTH_RDMA_REQUEST_BYTES];

	CHECK(!*client_ask(c, HEARTH_RDMA_VERSION, mode));
	hearth_rdma_put_request(request, &proof, &c->ticket, c->nonce);
	CHECK(!client_knock(c, request, sizeof(request), nr_recvs));
}

void client_go(struct client *c, uint8_t mode, uint32_t block_bytes, uint64_t memory_bytes)
{
	uint8_t go[16];
	struct hearth_writer w = hearth_writer_of(go, sizeof(go));

	hearth_put_u8(&w, STEP_GO);
	hearth_put_u8(&w, 1);
	hearth_put_u8(&w, mode);
	hearth_put_u32(&w, block_bytes);
	hearth_put_u64(&w, memory_bytes);
	CHECK(!hearth_control_send(&c->control, HEARTH_FRAME_RAILS, go, w.len));
}

void client_join(struct client *c, uint32_t nr_recvs, enum hearth_rdma_mode mode)
{
	struct hearth_reader r;

	client_connect(c, nr_recvs, mode);
	client_go(c, (uint8_t)mode, CLIENT_BLOCK_BYTES, 0);
	CHECK(!*hear_step(c, STEP_SET, &r));
}

static enum ibv_wc_status completion(struct client *c)
{
	struct ibv_wc wc;

	CHECK(rdma_get_send_comp(c->id, &wc) == 1);
	return wc.status;
}

enum ibv_wc_status client_say_bytes(struct client *c, size_t len)
{
	CHECK(!rdma_post_send(c->id, NULL, c->memory[HEARTH_RDMA_RECVS], len, c->mr, 0));
	return completion(c);
}

enum ibv_wc_status client_say(struct client *c, const struct hearth_rdma_msg *m)
{
	return client_say_bytes(c, hearth_rdma_encode(c->memory[HEARTH_RDMA_RECVS], m));
}

void client_hear(struct client *c, enum hearth_rdma_type type, struct hearth_rdma_msg *ret)
{
	struct ibv_wc wc;

	do {
		CHECK(rdma_get_recv_comp(c->id, &wc) == 1 && wc.status == IBV_WC_SUCCESS);
		CHECK(!hearth_rdma_decode((uint8_t *)(uintptr_t)wc.wr_id, wc.byte_len, ret));
	} while (ret->type != type);
}

enum ibv_wc_status client_write(struct client *c, uint64_t addr, uint32_t key)
{
	CHECK(!rdma_post_write(c->id, NULL, c->memory[HEARTH_RDMA_RECVS], 16, c->mr, 0, addr,
			       key));
	return completion(c);
}

bool client_is_told(struct client *c, const char *text)
{
	struct hearth_note *note = calloc(1, sizeof(*note));
	struct hearth_frame f;
	bool is_told = false;

	CHECK(note);
	do {
		enum hearth_exit code;

		CHECK(!hearth_control_recv(&c->control, &f));
		if (f.type == HEARTH_FRAME_NOTE)
			CHECK(!hearth_parse_note(&f, note));
		if (f.type == HEARTH_FRAME_FAIL)
			CHECK(!hearth_parse_fail(&f, &code, note->text, sizeof(note->text)));
		if (*note->text)
			fprintf(stderr, "  it says: %s\n", note->text);
		is_told |= !!strstr(note->text, text);
		*note->text = '\0';
	} while (f.type != HEARTH_FRAME_FAIL);
	free(note);
	return is_told;
}

void client_end(struct client *c)
{
	int status;

	close(c->control.in_fd);
	hearth_control_exit(&c->control);
	if (c->id) {
		rdma_destroy_qp(c->id);
		ibv_dereg_mr(c->mr);
		rdma_destroy_id(c->id);
	}
	CHECK(waitpid(c->pid, &status, 0) == c->pid && WIFEXITED(status) && WEXITSTATUS(status));
}
