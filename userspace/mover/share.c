// SPDX-License-Identifier: GPL-2.0-or-later
/* Data connections that come to the daemon's own port. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common/bytes.h"
#include "../common/io.h"
#include "share.h"

#define MAGIC 0x4154414448545248ull /* "HRTHDATA"; a TLS connection begins with 0x16 */
#define PREFACE_BYTES 16

/* Room for one descriptor beside a message. */
union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int hearth_share_announce(int fd, uint64_t session)
{
	uint8_t buf[PREFACE_BYTES];
	struct hearth_writer w = hearth_writer_of(buf, sizeof(buf));

	hearth_put_u64(&w, MAGIC);
	hearth_put_u64(&w, session);
	return hearth_write_all(fd, buf, w.len);
}

static socklen_t name_session(struct sockaddr_un *a, uint64_t session)
{
	int len;

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	len = snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "hearthd-%016llx",
		       (unsigned long long)session);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
}

int hearth_share_listen(uint64_t session)
{
	struct sockaddr_un a;
	socklen_t len = name_session(&a, session);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	if (!bind(fd, (struct sockaddr *)&a, len) && !listen(fd, SOMAXCONN))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static void put_descriptor(struct msghdr *msg, union control *control, int fd)
{
	struct cmsghdr *c;

	msg->msg_control = control;
	msg->msg_controllen = sizeof(*control);
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

static int get_descriptor(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int fd;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

int hearth_share_accept(int listen_fd)
{
	union control control;
	struct timeval soon = { .tv_sec = 1 };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int from = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC), fd;

	if (from < 0)
		return -errno;
	setsockopt(from, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	fd = recvmsg(from, &msg, MSG_CMSG_CLOEXEC) == 1 ? get_descriptor(&msg) : -EPROTO;
	close(from);
	/* Somebody who only connected: the next one is waited for. */
	return fd == -EPROTO ? -ECONNABORTED : fd;
}

static int send_to_session(int fd, uint64_t session)
{
	union control control = { 0 };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct sockaddr_un a;
	socklen_t len = name_session(&a, session);
	int to = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ret = 0;

	put_descriptor(&msg, &control, fd);
	if (to < 0 || connect(to, (struct sockaddr *)&a, len) ||
	    sendmsg(to, &msg, MSG_NOSIGNAL) != 1)
		ret = -errno;
	hearth_close(&to);
	return ret;
}

bool hearth_share_pass_on(int fd)
{
	uint8_t buf[PREFACE_BYTES];
	struct hearth_reader r = hearth_reader_of(buf, sizeof(buf));

	if (recv(fd, buf, 1, MSG_PEEK) != 1 || buf[0] != (MAGIC & 0xff))
		return false;
	if (hearth_read_all(fd, buf, sizeof(buf)) || hearth_get_u64(&r) != MAGIC)
		return true; /* nobody that could be served */
	send_to_session(fd, hearth_get_u64(&r));
	return true;
}
