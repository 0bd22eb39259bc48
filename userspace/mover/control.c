// SPDX-License-Identifier: GPL-2.0-or-later
/* The control channel: frames over a pair of descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../common/bytes.h"
#include "../common/io.h"
#include "control.h"

#define BUFFER_BYTES (HEARTH_FRAME_MAX_BYTES + HEARTH_FRAME_HEADER_BYTES)

static void set_nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int hearth_control_init(struct hearth_control *c, int in_fd, int out_fd)
{
	memset(c, 0, sizeof(*c));
	c->in_fd = in_fd;
	c->out_fd = out_fd;
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->wake_fd < 0)
		return -errno;
	c->buf = malloc(BUFFER_BYTES);
	if (!c->buf) {
		hearth_close(&c->wake_fd);
		return -ENOMEM;
	}
	pthread_mutex_init(&c->write_lock, NULL);
	set_nonblocking(in_fd);
	set_nonblocking(out_fd);
	return 0;
}

void hearth_control_exit(struct hearth_control *c)
{
	free(c->buf);
	hearth_close(&c->wake_fd);
	pthread_mutex_destroy(&c->write_lock);
}

void hearth_control_cancel(struct hearth_control *c)
{
	uint64_t one = 1;

	while (write(c->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* Waits until @fd is ready; 0, -ECANCELED, -ETIMEDOUT or -errno. */
static int wait_ready(struct hearth_control *c, int fd, short events)
{
	struct pollfd fds[] = { { .fd = c->wake_fd, .events = POLLIN },
				{ .fd = fd, .events = events } };
	int ret;

	do {
		ret = poll(fds, 2, c->timeout_s ? (int)c->timeout_s * 1000 : -1);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	if (!ret)
		return -ETIMEDOUT;
	return fds[0].revents ? -ECANCELED : 0;
}

/* No signal, which a program that uses the library may not expect; a pipe is no socket. */
static ssize_t write_some(int fd, struct iovec *iov, int nr)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = (size_t)nr };
	ssize_t done = sendmsg(fd, &msg, MSG_NOSIGNAL);

	return done < 0 && errno == ENOTSOCK ? writev(fd, iov, nr) : done;
}

static int write_frame(struct hearth_control *c, struct iovec *iov, int nr)
{
	while (nr) {
		ssize_t done = write_some(c->out_fd, iov, nr);

		if (done < 0) {
			int err = errno == EAGAIN ? wait_ready(c, c->out_fd, POLLOUT) : -errno;

			if (err && err != -EINTR)
				return err;
			continue;
		}
		for (; nr && (size_t)done >= iov->iov_len; iov++, nr--)
			done -= (ssize_t)iov->iov_len;
		if (nr) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

int hearth_control_send(struct hearth_control *c, enum hearth_frame_type type, const void *body,
			size_t len)
{
	uint8_t head[HEARTH_FRAME_HEADER_BYTES];
	struct hearth_writer w = hearth_writer_of(head, sizeof(head));
	struct iovec iov[] = { { head, sizeof(head) }, { (void *)body, len } };
	int ret;

	hearth_put_u32(&w, (uint32_t)len);
	hearth_put_u8(&w, (uint8_t)type);
	pthread_mutex_lock(&c->write_lock);
	ret = write_frame(c, iov, len ? 2 : 1);
	pthread_mutex_unlock(&c->write_lock);
	return ret;
}

/* Reads until @len unread bytes are buffered. */
static int fill(struct hearth_control *c, size_t len)
{
	if (BUFFER_BYTES - c->taken < len) {
		memmove(c->buf, c->buf + c->taken, c->filled - c->taken);
		c->filled -= c->taken;
		c->taken = 0;
	}
	while (c->filled - c->taken < len) {
		ssize_t got = read(c->in_fd, c->buf + c->filled, BUFFER_BYTES - c->filled);

		if (!got)
			return -ENODATA;
		if (got < 0) {
			int err = errno == EAGAIN ? wait_ready(c, c->in_fd, POLLIN) : -errno;

			if (err && err != -EINTR)
				return err;
			continue;
		}
		c->filled += (size_t)got;
	}
	return 0;
}

int hearth_control_recv(struct hearth_control *c, struct hearth_frame *ret)
{
	struct hearth_reader r;
	int err;

	if (c->taken == c->filled) {
		c->taken = 0;
		c->filled = 0;
	}
	err = fill(c, HEARTH_FRAME_HEADER_BYTES);
	if (err)
		return err;
	r = hearth_reader_of(c->buf + c->taken, HEARTH_FRAME_HEADER_BYTES);
	ret->len = hearth_get_u32(&r);
	ret->type = hearth_get_u8(&r);
	if (ret->len > HEARTH_FRAME_MAX_BYTES)
		return -EPROTO;
	err = fill(c, HEARTH_FRAME_HEADER_BYTES + ret->len);
	if (err)
		return err == -ENODATA ? -ECONNRESET : err;
	ret->body = c->buf + c->taken + HEARTH_FRAME_HEADER_BYTES;
	c->taken += HEARTH_FRAME_HEADER_BYTES + ret->len;
	return 0;
}

void hearth_control_unrecv(struct hearth_control *c, const struct hearth_frame *f)
{
	c->taken -= HEARTH_FRAME_HEADER_BYTES + f->len;
}
