// SPDX-License-Identifier: GPL-2.0-or-later
/* hearthcp: copies files, here or between hosts. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client.h"

/* Directories, partial files and streams each hold a descriptor. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static enum hearth_exit run(const struct hearth_command *cmd)
{
	struct hearth_report report;
	struct hearth_job job;
	enum hearth_exit code;

	hearth_job_init(&job, &cmd->opt);
	job.filter = &cmd->filter;
	job.only = cmd->names.nr ? &cmd->names : NULL;
	/* Within one process this is the receiver; the sender has a job of its own. */
	if (cmd->writes_stdout)
		job.stream_fd = STDOUT_FILENO;
	else if (cmd->reads_stdin && cmd->destination.host)
		job.stream_fd = STDIN_FILENO;
	if (hearth_report_start(&report, cmd, &job)) {
		fputs("hearthcp: no thread could be started\n", stderr);
		return HEARTH_EXIT_SYSTEM;
	}
	if (cmd->opt.flags & HEARTH_UNHASHED)
		hearth_report_remark(&report,
				     "--integrity=link: blocks carry no checksum, the network is trusted");
	if (cmd->source_host && cmd->destination.host)
		code = hearth_run_third(cmd, &job, &report);
	else if (cmd->source_host || cmd->destination.host)
		code = hearth_run_remote(cmd, &job, &report);
	else
		code = hearth_run_local(cmd, &job);
	hearth_report_stop(&report, code);
	hearth_job_exit(&job);
	return code;
}

int main(int argc, char **argv)
{
	struct hearth_command cmd;
	enum hearth_exit code;

	signal(SIGPIPE, SIG_IGN);
	hearth_report_block_signals();
	raise_descriptor_limit();
	if (hearth_command_parse(&cmd, argc, (const char **)argv, &code))
		code = cmd.is_bench ? hearth_run_bench(&cmd) : run(&cmd);
	hearth_command_exit(&cmd);
	return code;
}
