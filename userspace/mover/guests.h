/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is connected to a daemon: how many, from where, and to which module.
 *
 * The daemon's process counts connections when they come and when their process
 * ends; the process of a connection counts it for its module, in memory that all
 * share.
 */
#ifndef HEARTH_GUESTS_H
#define HEARTH_GUESTS_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config.h"

struct hearth_guest {
	pid_t pid; /* 0: a free place */
	struct in6_addr address;
	atomic_uint_least32_t module; /* its number plus one; 0: not yet known */
};

struct hearth_guests {
	struct hearth_guest *v; /* shared */
	atomic_uint_least32_t *nr_of_module; /* shared */
	uint32_t cap;
};

/* 0 or -ENOMEM. */
int hearth_guests_init(struct hearth_guests *g, const struct hearth_config *c);
void hearth_guests_exit(struct hearth_guests *g, const struct hearth_config *c);

/* A place for a connection from there, or NULL with the reason. The place is taken by its pid. */
struct hearth_guest *hearth_guests_seat(struct hearth_guests *g, const struct hearth_config *c,
					const struct in6_addr *address, const char **ret_why);
void hearth_guests_left(struct hearth_guests *g, pid_t pid);

/* In the process of the connection: it is for this module. False: that one has enough. */
bool hearth_guests_enter(struct hearth_guests *g, struct hearth_guest *guest, uint32_t module,
			 uint32_t max);

/* The address of who is at the other side; IPv4 in its IPv6 form. 0 or -errno. */
int hearth_guest_address(int fd, struct in6_addr *ret);

#endif
