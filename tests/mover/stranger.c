// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Strangers at the data port: starts a hearthd, agrees on a job with it and
 * then, before its own streams, connects with garbage, with silence and with
 * the wrong key. The job must still succeed, and nobody else may get in.
 *
 * Usage: stranger HEARTHD DESTINATION
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/common/io.h"
#include "session.h"

#define CHECK(what)                                                                        \
	do {                                                                               \
		if (!(what)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
			exit(1);                                                           \
		}                                                                          \
	} while (0)

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

static void send_garbage(uint16_t port)
{
	uint8_t junk[4096], answer[256];
	int fd = hearth_connect("127.0.0.1", port, 5);
	ssize_t len, all = 0;

	CHECK(fd >= 0);
	CHECK(!hearth_random_bytes(junk, sizeof(junk)));
	hearth_write_all(fd, junk, sizeof(junk));
	while ((len = read(fd, answer, sizeof(answer))) > 0)
		all += len;
	CHECK(all <= 36); /* the greeting, and no more */
	close(fd);
}

int main(int argc, char **argv)
{
	struct hearth_hello h = { .protocol = HEARTH_PROTOCOL,
				  .direction = HEARTH_SERVER_RECEIVES,
				  .nr_streams = 2 };
	struct hearth_stream *streams[2];
	struct hearth_ticket ticket, wrong;
	struct hearth_welcome welcome;
	struct hearth_control c;
	struct hearth_frame f;
	struct hearth_job job;
	uint8_t seal_key[HEARTH_MAC_BYTES];
	int status, fd, ret;

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
	CHECK(!hearth_control_recv(&c, &f) && f.type == HEARTH_FRAME_WELCOME &&
	      !hearth_parse_welcome(&f, &welcome));

	CHECK(hearth_connect("127.0.0.1", welcome.port, 5) >= 0); /* stays silent */
	for (int i = 0; i < 20; i++)
		send_garbage(welcome.port);
	wrong = ticket;
	wrong.key[7] ^= 1;
	fd = hearth_connect("127.0.0.1", welcome.port, 5);
	ret = hearth_prove_as_client(fd, fd, &wrong, 0, seal_key);
	CHECK(ret == -ENODATA || ret == -ECONNRESET); /* closed, without a proof of its own */
	for (int i = 0; i < 2; i++) {
		fd = hearth_connect("127.0.0.1", welcome.port, 5);
		CHECK(fd >= 0);
		CHECK(!hearth_prove_as_client(fd, fd, &ticket, (uint32_t)i, seal_key));
		streams[i] = hearth_tcp_stream(fd, fd, ticket.session);
	}
	hearth_job_init(&job, &h.opt);
	CHECK(hearth_send(&job, &(struct hearth_wires){ &c, streams, 2, NULL, NULL }, argv, 1) ==
	      HEARTH_EXIT_OK);
	hearth_job_exit(&job);
	for (int i = 0; i < 2; i++)
		streams[i]->ops->free(streams[i]);
	close(c.in_fd);
	hearth_control_exit(&c);
	CHECK(wait(&status) > 0 && !status);
	return 0;
}
