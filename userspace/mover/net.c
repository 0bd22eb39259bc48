// SPDX-License-Identifier: GPL-2.0-or-later
/* Listening, connecting, and taking in the streams of a session. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../common/io.h"
#include "session.h"
#include "share.h"

/* Time for a stranger to prove that he is none. */
#define PROOF_SECONDS 10
#define MAX_STRANGERS 32

/* Time for the other side to be there at all: ssh may only just have been started. */
#define JOIN_SECONDS 60

/* poll() takes days, but not years. */
#define FOREVER_NS (20ull * 86400 * 1000000000)

static int bind_port(int family, uint16_t port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
				    .sin6_port = htons(port),
				    .sin6_addr = in6addr_any };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), off = 0, on = 1, ret;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		ret = bind(fd, (struct sockaddr *)&six, sizeof(six));
	} else {
		ret = bind(fd, (struct sockaddr *)&four, sizeof(four));
	}
	if (ret || listen(fd, HEARTH_MAX_STREAMS)) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &len))
		return 0;
	return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
					     : ((struct sockaddr_in *)&a)->sin_port);
}

int hearth_listen(uint16_t port_low, uint16_t port_high, uint16_t *ret_port)
{
	int fd = -EADDRINUSE;

	for (unsigned int port = port_low; fd < 0 && port <= port_high; port++) {
		fd = bind_port(AF_INET6, (uint16_t)port);
		if (fd == -EAFNOSUPPORT)
			fd = bind_port(AF_INET, (uint16_t)port);
	}
	if (fd >= 0)
		*ret_port = bound_port(fd);
	return fd;
}

static void set_timeout(int fd, int seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static void tune(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static void choose_congestion(int fd, const char *name)
{
	if (name)
		setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
}

int hearth_check_congestion(const char *name, char *text, size_t size)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), ret = 0;
	FILE *f = fopen("/proc/sys/net/ipv4/tcp_available_congestion_control", "re");

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)))
		ret = -errno;
	if (!f || !fgets(text, (int)size, f))
		*text = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (f)
		fclose(f);
	hearth_close(&fd);
	return ret;
}

static int connect_address(const struct addrinfo *a, int timeout_s)
{
	int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);

	if (fd < 0)
		return -errno;
	set_timeout(fd, timeout_s);
	if (connect(fd, a->ai_addr, a->ai_addrlen)) {
		int err = errno == EINPROGRESS ? -ETIMEDOUT : -errno;

		close(fd);
		return err;
	}
	set_timeout(fd, 0);
	tune(fd);
	return fd;
}

int hearth_connect(const char *host, uint16_t port, int timeout_s)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	char service[8];
	int fd = -EHOSTUNREACH;

	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &found))
		return fd;
	for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
		fd = connect_address(a, timeout_s);
	freeaddrinfo(found);
	return fd;
}

int hearth_join_stream(int fd, const struct hearth_ticket *t, uint32_t i,
		       struct hearth_stream **ret)
{
	uint8_t seal_key[HEARTH_MAC_BYTES];
	int err;

	choose_congestion(fd, t->congestion);
	set_timeout(fd, t->patience_s ? (int)t->patience_s : JOIN_SECONDS);
	err = hearth_prove_as_client(fd, fd, t, i, seal_key);
	set_timeout(fd, 0);
	if (!err) {
		*ret = hearth_tcp_stream(fd, fd, t->session);
		err = *ret ? 0 : -ENOMEM;
	}
	if (err)
		hearth_close(&fd);
	else
		hearth_tcp_protect(*ret, t->seal, seal_key, false);
	return err;
}

/*
 * Streams as they come in; each connection is heard by a thread of its own, so that nobody holds up
 * the others.
 */
struct reception {
	const struct hearth_ticket *ticket;
	uint32_t nr_streams;
	bool (*take)(void *arg, uint32_t number, struct hearth_stream *s); /* under the lock */
	void *arg;
	const struct hearth_word *word; /* of the listening thread */
	pthread_mutex_t lock;
	uint32_t nr_arrived;
	bool has_no_memory; /* for one that has proved himself: he will not come again */
	int wake_fd; /* a stranger has been heard */
	struct stranger {
		struct reception *reception;
		int fd; /* -1: a free seat */
		bool was_taken; /* its thread is to be joined */
		pthread_t thread;
	} seats[MAX_STRANGERS];
};

static bool admit(struct reception *rc, int fd, uint32_t number, const uint8_t *seal_key)
{
	struct hearth_stream *s = hearth_tcp_stream(fd, fd, rc->ticket->session);

	if (!s) {
		rc->has_no_memory = true;
		return false;
	}
	hearth_tcp_protect(s, rc->ticket->seal, seal_key, true);
	if (rc->take(rc->arg, number, s))
		rc->nr_arrived++;
	else
		s->ops->free(s);
	return true;
}

static void *hear(void *arg)
{
	struct stranger *s = arg;
	struct reception *rc = s->reception;
	uint8_t seal_key[HEARTH_MAC_BYTES];
	uint64_t one = 1;
	uint32_t stream;
	int err;

	set_timeout(s->fd, PROOF_SECONDS);
	err = hearth_prove_as_server(s->fd, rc->ticket, rc->nr_streams, &stream, seal_key);
	set_timeout(s->fd, 0);
	pthread_mutex_lock(&rc->lock);
	if (err || !admit(rc, s->fd, stream, seal_key))
		close(s->fd);
	s->fd = -1;
	if (write(rc->wake_fd, &one, sizeof(one)) < 0)
		abort(); /* an eventfd takes 2^64 of them */
	pthread_mutex_unlock(&rc->lock);
	return NULL;
}

static void join_former(struct stranger *s)
{
	if (s->was_taken)
		pthread_join(s->thread, NULL);
	s->was_taken = false;
}

/* Seats a connection in front of a thread; who finds no seat is sent away. */
static void invite(struct reception *rc, int fd)
{
	struct stranger *s = rc->seats;

	tune(fd);
	choose_congestion(fd, rc->ticket->congestion);
	pthread_mutex_lock(&rc->lock);
	while (s < rc->seats + MAX_STRANGERS && s->fd >= 0)
		s++;
	pthread_mutex_unlock(&rc->lock);
	if (s == rc->seats + MAX_STRANGERS) {
		close(fd);
		return;
	}
	join_former(s);
	s->reception = rc;
	s->fd = fd;
	s->was_taken = !pthread_create(&s->thread, NULL, hear, s);
	if (!s->was_taken)
		hearth_close(&s->fd);
}

/* 1 if all have arrived, 0 if not yet, or -ENOMEM. */
static int all_arrived(struct reception *rc)
{
	int ret;

	pthread_mutex_lock(&rc->lock);
	ret = rc->has_no_memory ? -ENOMEM : rc->nr_arrived == rc->nr_streams;
	pthread_mutex_unlock(&rc->lock);
	return ret;
}

/*
 * Who has not proved himself by now is interrupted; nobody may come back to a reception that is
 * gone.
 */
static void see_off(struct reception *rc)
{
	pthread_mutex_lock(&rc->lock);
	for (int i = 0; i < MAX_STRANGERS; i++)
		if (rc->seats[i].fd >= 0)
			shutdown(rc->seats[i].fd, SHUT_RDWR);
	pthread_mutex_unlock(&rc->lock);
	for (int i = 0; i < MAX_STRANGERS; i++)
		join_former(&rc->seats[i]);
	pthread_mutex_destroy(&rc->lock);
	hearth_close(&rc->wake_fd);
}

/*
 * Waits for a connection, or for one to be heard out. 0, 1 if the client @has_word, -ETIMEDOUT, or
 * -ECONNRESET if it is gone.
 */
static int await(struct reception *rc, int listen_fd, int client_fd, bool has_word,
		 uint64_t deadline)
{
	struct pollfd fds[] = {
		{ .fd = listen_fd, .events = POLLIN },
		{ .fd = rc->wake_fd, .events = POLLIN },
		{ .fd = client_fd, .events = has_word ? POLLIN : 0 },
	};
	uint64_t now = hearth_now_ns(), count;

	if (now >= deadline)
		return -ETIMEDOUT;
	poll(fds, 3, (int)((deadline - now) / 1000000) + 1);
	if (fds[1].revents && read(rc->wake_fd, &count, sizeof(count)) < 0)
		return -errno;
	if (fds[2].revents & POLLIN)
		return 1;
	return fds[2].revents & (POLLHUP | POLLERR) ? -ECONNRESET : 0;
}

/* 1 once there is nothing more to wait for. */
static int hear_word(struct reception *rc)
{
	const struct hearth_word *word = rc->word;
	int ret = word->hear(word->ctx);

	if (ret != HEARTH_WORD_MORE)
		rc->word = NULL;
	return ret == HEARTH_WORD_MORE ? 0 : ret;
}

/* Of the port, or of the daemon that handed it on. A descriptor or -errno. */
static int next_connection(int listen_fd)
{
	socklen_t len = sizeof(int);
	int domain = 0, fd;

	getsockopt(listen_fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	if (domain == AF_UNIX)
		return hearth_share_accept(listen_fd);
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Until all streams are there, or there is nothing more to wait for. 0, 1 or -errno. */
static int receive_all(struct reception *rc, int listen_fd, int client_fd, uint64_t deadline)
{
	int ret = 0, all = 0;

	for (int i = 0; i < MAX_STRANGERS; i++)
		rc->seats[i].fd = -1;
	rc->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (rc->wake_fd < 0)
		return -errno;
	pthread_mutex_init(&rc->lock, NULL);
	fcntl(listen_fd, F_SETFL, O_NONBLOCK);
	while (!ret && !(all = all_arrived(rc))) {
		int fd = next_connection(listen_fd);

		if (fd >= 0)
			invite(rc, fd);
		else if (fd == -EAGAIN)
			ret = await(rc, listen_fd, client_fd, rc->word, deadline);
		else if (fd != -EINTR && fd != -ECONNABORTED)
			ret = fd;
		if (ret == 1)
			ret = hear_word(rc);
	}
	see_off(rc);
	return ret || all > 0 ? ret : all;
}

static bool take_first(void *arg, uint32_t number, struct hearth_stream *s)
{
	struct hearth_stream **streams = arg;

	if (streams[number])
		return false;
	streams[number] = s;
	return true;
}

int hearth_accept_streams(int listen_fd, int client_fd, const struct hearth_ticket *t,
			  uint32_t nr_streams, uint32_t timeout_s, const struct hearth_word *word,
			  struct hearth_stream **streams)
{
	struct reception rc = { .ticket = t,
				.nr_streams = nr_streams,
				.take = take_first,
				.arg = streams,
				.word = word };
	int ret = receive_all(&rc, listen_fd, client_fd,
			      hearth_now_ns() + timeout_s * 1000000000ull);

	return ret < 0 ? ret : 0;
}

static int close_the_door(void *ctx)
{
	(void)ctx;
	return -ECANCELED;
}

void hearth_door_attend(void *ctx, int wake_fd,
			bool (*take)(void *arg, uint32_t number, struct hearth_stream *s),
			void *arg)
{
	static const struct hearth_word word = { close_the_door, NULL };
	const struct hearth_door *door = ctx;
	struct reception rc = { .ticket = door->ticket,
				.nr_streams = UINT32_MAX,
				.take = take,
				.arg = arg,
				.word = &word };

	receive_all(&rc, door->listen_fd, wake_fd,
		    door->until_ns ? door->until_ns : hearth_now_ns() + FOREVER_NS);
}
