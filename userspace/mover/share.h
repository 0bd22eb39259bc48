/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One port for everything: data connections come to the daemon's own port.
 *
 * Such a connection says first which session it is for: u64 magic, u64 session.
 * The process that took it hands it to the session's, by a socket whose abstract
 * name both know. Whoever else connects to that, or names a session that is not
 * his, still has to prove that he knows the key (session.h).
 */
#ifndef HEARTH_SHARE_H
#define HEARTH_SHARE_H

#include <stdbool.h>
#include <stdint.h>

/* The client: what goes first. 0 or -errno. */
int hearth_share_announce(int fd, uint64_t session);

/* The session's process: a listening socket that gives descriptors, or -errno. */
int hearth_share_listen(uint64_t session);

/* A connection from such a socket, or -errno like accept(2). */
int hearth_share_accept(int listen_fd);

/*
 * The process that took a connection: true if it is one for a session, and is dealt with. Waits
 * for its first bytes as long as the socket's timeout is.
 */
bool hearth_share_pass_on(int fd);

#endif
