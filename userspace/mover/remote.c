// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A job with a far end, which ssh starts.
 *
 * The streams go straight to a port of the far end. Where a firewall forbids
 * that, each goes through an ssh of its own; --data decides, and the user hears
 * what was chosen and why.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/io.h"
#include "client.h"
#include "names.h"
#include "session.h"
#include "ssh.h"

#define CONNECT_SECONDS 10

struct remote {
	const struct hearth_command *cmd;
	struct hearth_job *job;
	struct hearth_report *report;
	const char *host; /* with user, as ssh takes it */
	struct hearth_ssh ssh;
	struct hearth_ssh forwards[HEARTH_MAX_STREAMS];
	struct hearth_control control;
	struct hearth_ticket ticket;
	struct hearth_welcome welcome;
	struct hearth_stream *streams[HEARTH_MAX_STREAMS];
};

static int say_hello(struct remote *r)
{
	const struct hearth_command *cmd = r->cmd;
	bool pushes = cmd->destination.host;
	struct hearth_hello h = {
		.protocol = HEARTH_PROTOCOL,
		.direction = pushes ? HEARTH_SERVER_RECEIVES : HEARTH_SERVER_SENDS,
		.nr_streams = (uint8_t)cmd->nr_streams,
		.port_low = cmd->port_low,
		.port_high = cmd->port_high,
		.opt = cmd->opt,
		.nr_paths = pushes ? 1 : cmd->nr_sources,
		.filter = cmd->filter,
		.paths = pushes ? (char **)&cmd->destination.path : cmd->sources,
	};
	int ret = hearth_random_bytes(&r->ticket, sizeof(r->ticket));

	if (ret)
		return ret;
	h.session = r->ticket.session;
	memcpy(h.key, r->ticket.key, sizeof(h.key));
	if (!pushes)
		h.nr_names = cmd->names.nr;
	ret = hearth_send_hello(&r->control, &h);
	return ret || pushes ? ret : hearth_names_send(&r->control, &cmd->names);
}

static int hear_welcome(struct remote *r)
{
	struct hearth_frame f;
	int ret = hearth_control_recv(&r->control, &f);

	if (ret)
		return ret;
	if (f.type == HEARTH_FRAME_FAIL) {
		hearth_control_handle_common(r->job, &f);
		return -ECANCELED;
	}
	return f.type == HEARTH_FRAME_WELCOME ? hearth_parse_welcome(&f, &r->welcome) : -EPROTO;
}

static void fail_start(struct remote *r, int err)
{
	int status;

	if (err == -ECANCELED)
		return;
	if (err == -EPROTO) {
		hearth_job_fail(
			r->job, HEARTH_EXIT_PROTOCOL,
			"%s: what came back is not Hearth's protocol; see that \"%s %s true\" prints nothing and that both ends have the same version",
			r->host, r->cmd->rsh, r->host);
		return;
	}
	status = hearth_ssh_stop(&r->ssh);
	if (status == 127)
		hearth_job_fail(r->job, HEARTH_EXIT_CONNECT,
				"%s: there is no %s; install hearth there or give --hearthd-path",
				r->host, r->cmd->hearthd_path);
	else
		hearth_job_fail(r->job, HEARTH_EXIT_CONNECT,
				"%s: the far end did not start: \"%s\" ended with status %d",
				r->host, r->cmd->rsh, status);
}

/*
 * The host's bare name, as a last resort where ssh did not say under which address it was reached.
 *
 */
static const char *bare_host(const char *host, char *buf, size_t size)
{
	const char *at = strrchr(host, '@');
	size_t len;

	snprintf(buf, size, "%s", at ? at + 1 : host);
	len = strlen(buf);
	if (buf[0] == '[' && len > 2 && buf[len - 1] == ']') {
		memmove(buf, buf + 1, len - 2);
		buf[len - 2] = '\0';
	}
	return buf;
}

static int add_stream(struct remote *r, uint32_t i, int fd)
{
	int ret = hearth_prove_as_client(fd, fd, &r->ticket, i);

	if (!ret) {
		r->streams[i] = hearth_tcp_stream(fd, fd, r->ticket.session);
		ret = r->streams[i] ? 0 : -ENOMEM;
	}
	if (ret)
		hearth_close(&fd);
	return ret;
}

static int connect_direct(struct remote *r, uint32_t i)
{
	char buf[256];
	const char *host = r->welcome.address;
	int fd;

	if (!*host)
		host = bare_host(r->host, buf, sizeof(buf));
	fd = hearth_connect(host, r->welcome.port, CONNECT_SECONDS);
	return fd < 0 ? fd : add_stream(r, i, fd);
}

static int connect_inside_ssh(struct remote *r, uint32_t i)
{
	int ret = hearth_ssh_forward(&r->forwards[i], r->cmd->rsh, r->host, r->welcome.port);
	int fd = ret ? ret : r->forwards[i].fd;

	r->forwards[i].fd = -1; /* the stream's from here on */
	return fd < 0 ? fd : add_stream(r, i, fd);
}

static int connect_streams(struct remote *r)
{
	bool is_inside = r->cmd->data_path == HEARTH_DATA_SSH;
	char text[256];
	int ret = 0;

	for (uint32_t i = 0; i < r->cmd->nr_streams && !ret; i++) {
		ret = is_inside ? connect_inside_ssh(r, i) : connect_direct(r, i);
		if (ret && !i && !is_inside && r->cmd->data_path == HEARTH_DATA_AUTO) {
			snprintf(
				text, sizeof(text),
				"port %u of the far end cannot be reached (%s): data goes inside ssh, which is slower; "
				"open a port and name it with --port",
				r->welcome.port, strerror(-ret));
			hearth_report_remark(r->report, text);
			is_inside = true;
			ret = connect_inside_ssh(r, i);
		}
	}
	if (ret)
		hearth_job_fail(r->job, HEARTH_EXIT_CONNECT, "%s: no data connection %s: %s",
				r->host,
				is_inside ? "inside ssh (is AllowTcpForwarding on?)"
					  : "to its port (try --data=ssh)",
				strerror(-ret));
	return ret;
}

/* The first component of each path; once, if several in a row have it. */
static uint32_t list_first(char *const *paths, uint32_t nr, char **names)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < nr; i++) {
		const char *cut = strstr(paths[i], "/./"), *path = cut ? cut + 3 : paths[i];

		while (*path == '/' || !strncmp(path, "./", 2))
			path += *path == '/' ? 1 : 2;
		names[found] = strndup(path, strcspn(path, "/"));
		if (!names[found] || (found && !strcmp(names[found], names[found - 1])))
			free(names[found]);
		else
			found++;
	}
	return found;
}

static uint32_t list_last(const struct hearth_command *cmd, char **names)
{
	for (uint32_t i = 0; i < cmd->nr_sources; i++) {
		const char *slash = strrchr(cmd->sources[i], '/');

		names[i] = strdup(slash ? slash + 1 : cmd->sources[i]);
		if (!names[i] || !*names[i] || !strcmp(names[i], ".") || !strcmp(names[i], "..")) {
			while (i < UINT32_MAX)
				free(names[i--]);
			return 0;
		}
	}
	return cmd->nr_sources;
}

/*
 * Names that a pull may bring at the top: those of the sources or of the list, or any if the
 * content of a directory is meant.
 */
static uint32_t list_expected(const struct hearth_command *cmd, char **names)
{
	if (cmd->names.nr)
		return list_first(cmd->names.v, cmd->names.nr, names);
	if (cmd->opt.flags & HEARTH_RELATIVE)
		return list_first(cmd->sources, cmd->nr_sources, names);
	return list_last(cmd, names);
}

static enum hearth_exit run_job(struct remote *r)
{
	const struct hearth_command *cmd = r->cmd;
	struct hearth_wires wires = { .control = &r->control,
				      .streams = r->streams,
				      .nr_streams = cmd->nr_streams };
	uint32_t nr = cmd->names.nr > cmd->nr_sources ? cmd->names.nr : cmd->nr_sources;
	enum hearth_exit code;
	char **names;

	if (cmd->destination.host)
		return hearth_send(r->job, &wires, cmd->sources, cmd->nr_sources);
	names = calloc(nr, sizeof(*names));
	if (!names) {
		hearth_job_fail(r->job, HEARTH_EXIT_SYSTEM, "out of memory");
		return HEARTH_EXIT_SYSTEM;
	}
	nr = list_expected(cmd, names);
	code = hearth_receive(r->job, &wires, cmd->destination.path, names, nr);
	while (nr)
		free(names[--nr]);
	free(names);
	return code;
}

static void run(struct remote *r)
{
	int ret = say_hello(r);

	/* If it is gone already, what it had to say may still be there. */
	if (!ret || ret == -EPIPE || ret == -ECONNRESET)
		ret = hear_welcome(r);
	if (ret)
		fail_start(r, ret);
	else if (!connect_streams(r))
		run_job(r);
	for (uint32_t i = 0; i < r->cmd->nr_streams; i++) {
		if (r->streams[i])
			r->streams[i]->ops->free(r->streams[i]);
		hearth_ssh_stop(&r->forwards[i]);
	}
}

enum hearth_exit hearth_run_remote(const struct hearth_command *cmd, struct hearth_job *job,
				   struct hearth_report *report)
{
	struct remote *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return HEARTH_EXIT_SYSTEM;
	r->cmd = cmd;
	r->job = job;
	r->report = report;
	r->host = cmd->destination.host ? cmd->destination.host : cmd->source_host;
	for (uint32_t i = 0; i < HEARTH_MAX_STREAMS; i++)
		r->forwards[i].fd = -1;
	ret = hearth_ssh_start(&r->ssh, cmd->rsh, r->host, cmd->hearthd_path);
	if (ret) {
		hearth_job_fail(job, HEARTH_EXIT_CONNECT,
				"\"%s\" cannot be started for host \"%s\": %s", cmd->rsh, r->host,
				strerror(-ret));
	} else if (hearth_control_init(&r->control, r->ssh.fd, r->ssh.fd)) {
		hearth_job_fail(job, HEARTH_EXIT_SYSTEM, "out of memory");
		hearth_ssh_stop(&r->ssh);
	} else {
		run(r);
		hearth_ssh_stop(&r->ssh);
		hearth_control_exit(&r->control);
	}
	free(r);
	return hearth_job_result(job);
}
