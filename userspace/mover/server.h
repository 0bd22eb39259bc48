/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The far end of a job, on standard input and output. */
#ifndef HEARTH_SERVER_H
#define HEARTH_SERVER_H

#include <hearth/mover.h>

#include "session.h"

/* What a daemon binds a job to. */
struct hearth_terms {
	int base_fd; /* paths start here; -1: they are what they are */
	uint16_t shared_port; /* where data connections come, see share.h; 0: to their own */
	char client[64]; /* the address that the client has here; empty: as ssh says */
};

/* What who reads or writes a LUN from afar asks for, and is bound to. */
struct hearth_lun_terms {
	const char *name;
	unsigned int how; /* enum hearth_lun_how */
	uint64_t lease_bytes; /* of windows, the most at a time */
	uint8_t key[HEARTH_KEY_BYTES]; /* of the session */
};

/* Both look at a client's first message, and change it. 0, or -errno with the reason in @text. */
struct hearth_admission {
	int (*admit)(void *ctx, struct hearth_hello *h, struct hearth_terms *terms, char *text,
		     size_t size);
	int (*admit_lun)(void *ctx, struct hearth_lun_terms *terms, char *text, size_t size);
	void *ctx;
};

/* Serves one job whose client is at the other side of the descriptors; @a may be NULL. */
enum hearth_exit hearth_serve(int in_fd, int out_fd, const struct hearth_admission *a);

#endif
