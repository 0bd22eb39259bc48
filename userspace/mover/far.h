/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A far end: a hearthd that ssh starts, or a daemon. */
#ifndef HEARTH_FAR_H
#define HEARTH_FAR_H

#include "client.h"
#include "session.h"
#include "ssh.h"
#include "tls.h"

struct hearth_far {
	const struct hearth_command *cmd;
	struct hearth_job *job;
	const char *host; /* with user, as ssh takes it, or a URL up to the module */
	char data_host[256]; /* of a daemon; else empty */
	struct hearth_tls tls;
	struct hearth_ssh ssh;
	struct hearth_control control;
	struct hearth_welcome welcome;
};

static inline bool hearth_far_is_daemon(const struct hearth_far *f)
{
	return *f->data_host;
}

/* Starts or reaches it. 0, or -errno, the job having failed. Close only what was opened. */
int hearth_far_open(struct hearth_far *f, const struct hearth_command *cmd, struct hearth_job *job,
		    const char *host);
void hearth_far_close(struct hearth_far *f);

/* Says hello and hears the welcome; lists of names follow the hello. As above. */
int hearth_far_greet(struct hearth_far *f, struct hearth_hello *h,
		     const struct hearth_names *names);

/* The job fails: it is not there, or not what it should be; @err is what hearing it failed with. */
void hearth_far_fail_start(struct hearth_far *f, int err);

/* Where its port for data connections is. */
const char *hearth_far_data_host(const struct hearth_far *f, char *buf, size_t size);

#endif
