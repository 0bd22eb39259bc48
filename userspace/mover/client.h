/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs what a command line asks for: a job inside this process, or with a far end. */
#ifndef HEARTH_CLIENT_H
#define HEARTH_CLIENT_H

#include "report.h"

enum hearth_exit hearth_run_local(const struct hearth_command *cmd, struct hearth_job *job);
enum hearth_exit hearth_run_remote(const struct hearth_command *cmd, struct hearth_job *job,
				   struct hearth_report *report);

/* hearthcp bench: measures, and prints a table. */
enum hearth_exit hearth_run_bench(struct hearth_command *cmd);

enum hearth_exit hearth_run_third(const struct hearth_command *cmd, struct hearth_job *job,
				  struct hearth_report *report);

#endif
