// SPDX-License-Identifier: GPL-2.0-or-later
/* Who is connected to a daemon. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "guests.h"

static void *share(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int hearth_guests_init(struct hearth_guests *g, const struct hearth_config *c)
{
	g->cap = c->max_connections;
	g->v = share(g->cap * sizeof(*g->v));
	g->nr_of_module = share(c->nr_modules * sizeof(*g->nr_of_module));
	if (g->v && g->nr_of_module)
		return 0;
	hearth_guests_exit(g, c);
	return -ENOMEM;
}

void hearth_guests_exit(struct hearth_guests *g, const struct hearth_config *c)
{
	if (g->v)
		munmap(g->v, g->cap * sizeof(*g->v));
	if (g->nr_of_module)
		munmap((void *)g->nr_of_module, c->nr_modules * sizeof(*g->nr_of_module));
	memset(g, 0, sizeof(*g));
}

struct hearth_guest *hearth_guests_seat(struct hearth_guests *g, const struct hearth_config *c,
					const struct in6_addr *address, const char **ret_why)
{
	struct hearth_guest *seat = NULL;
	uint32_t nr_from_there = 0;

	for (uint32_t i = 0; i < g->cap; i++) {
		struct hearth_guest *at = &g->v[i];

		if (!at->pid)
			seat = seat ? seat : at;
		else
			nr_from_there += !memcmp(&at->address, address, sizeof(*address));
	}
	if (!seat) {
		*ret_why = "max-connections is reached";
		return NULL;
	}
	if (nr_from_there >= c->max_per_peer) {
		*ret_why = "max-per-peer is reached";
		return NULL;
	}
	seat->address = *address;
	seat->module = 0;
	return seat;
}

void hearth_guests_left(struct hearth_guests *g, pid_t pid)
{
	for (uint32_t i = 0; i < g->cap; i++) {
		struct hearth_guest *at = &g->v[i];

		if (at->pid != pid)
			continue;
		if (at->module)
			g->nr_of_module[at->module - 1]--;
		at->pid = 0;
	}
}

bool hearth_guests_enter(struct hearth_guests *g, struct hearth_guest *guest, uint32_t module,
			 uint32_t max)
{
	uint32_t nr = ++g->nr_of_module[module];

	/* Counted before it is known whether it may: the end of this process takes it back. */
	guest->module = module + 1;
	return !max || nr <= max;
}

int hearth_guest_address(int fd, struct in6_addr *ret)
{
	union {
		struct sockaddr any;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} a;
	socklen_t len = sizeof(a);

	if (getpeername(fd, &a.any, &len))
		return -errno;
	if (a.any.sa_family == AF_INET6) {
		*ret = a.six.sin6_addr;
		return 0;
	}
	memset(ret, 0, sizeof(*ret));
	ret->s6_addr[10] = 0xff;
	ret->s6_addr[11] = 0xff;
	memcpy(&ret->s6_addr[12], &a.four.sin_addr, 4);
	return 0;
}
