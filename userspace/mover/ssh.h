/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting the far end, and carrying data connections inside ssh. */
#ifndef HEARTH_SSH_H
#define HEARTH_SSH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct hearth_ssh {
	pid_t pid;
	int fd; /* its standard input and output */
};

/*
 * Runs @rsh (a command with its options, split at spaces) to start @hearthd_path --server on @host.
 * 0 or -errno.
 */
int hearth_ssh_start(struct hearth_ssh *s, const char *rsh, const char *host,
		     const char *hearthd_path);

/* Runs @rsh to join @fd with @port on the far end's own loopback. 0 or -errno. */
int hearth_ssh_forward(struct hearth_ssh *s, const char *rsh, const char *host, uint16_t port);

/*
 * Closes its input and returns its exit status, as a shell would. It ends when its far end does;
 * with @is_lost, when that cannot be expected, it is helped after a while.
 */
int hearth_ssh_stop(struct hearth_ssh *s, bool is_lost);

#endif
