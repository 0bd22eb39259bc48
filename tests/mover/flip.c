// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A damaging proxy: joins standard input and output with a TCP port of this
 * host and inverts one byte of what goes in, every EVERY bytes, COUNT times.
 *
 * Usage: flip PORT EVERY COUNT
 */
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../userspace/common/io.h"

static uint64_t every, passed;
static long left;

static void damage(uint8_t *buf, size_t len)
{
	for (; left && passed / every != (passed + len) / every; left--) {
		buf[every - passed % every - 1] ^= 0xff;
		break;
	}
	passed += len;
}

/* Moves what is there; false at the end. */
static int pump(int from, int to, int is_damaged)
{
	static uint8_t buf[65536];
	ssize_t len = read(from, buf, sizeof(buf));

	if (len <= 0)
		return 0;
	if (is_damaged)
		damage(buf, (size_t)len);
	return !hearth_write_all(to, buf, (size_t)len);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
				 { .fd = fd, .events = POLLIN } };

	if (argc != 4)
		return 1;
	a.sin_port = htons((uint16_t)atoi(argv[1]));
	every = strtoull(argv[2], NULL, 10);
	left = atol(argv[3]);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		return 1;
	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		poll(fds, 2, -1);
		if (fds[0].revents && !pump(STDIN_FILENO, fd, 1)) {
			shutdown(fd, SHUT_WR);
			fds[0].fd = -1;
		}
		if (fds[1].revents && !pump(fd, STDOUT_FILENO, 0))
			break;
	}
	return 0;
}
