/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What hearthcp tells people (on standard error) and machines (--json, on standard output). */
#ifndef HEARTH_REPORT_H
#define HEARTH_REPORT_H

#include "options.h"
#include "route.h"

struct hearth_report {
	const struct hearth_command *cmd;
	struct hearth_job *job;
	bool shows_progress;
	struct hearth_route route;
	bool is_line_open; /* a progress line waits to be overwritten */
	uint64_t start_ns;
	pthread_mutex_t lock;
	pthread_t thread;
	int stop_fd;
	int signal_fd;
};

/* Blocks the signals that the report's thread takes; call before any thread is started. */
void hearth_report_block_signals(void);

/*
 * Follows a job: its notes, its progress, SIGUSR1 (status), SIGINT and SIGTERM (stop). 0 or -errno.
 *
 */
int hearth_report_start(struct hearth_report *r, const struct hearth_command *cmd,
			struct hearth_job *job);

/* Stops following, and prints the summary. */
void hearth_report_stop(struct hearth_report *r, enum hearth_exit code);

/* A remark about the job as a whole, like which way data goes. */
void hearth_report_remark(struct hearth_report *r, const char *text);

#endif
