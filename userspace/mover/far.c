// SPDX-License-Identifier: GPL-2.0-or-later
/* A far end: a hearthd that ssh starts, or a daemon. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/io.h"
#include "config.h"
#include "far.h"
#include "names.h"

static int hear_welcome(struct hearth_far *f)
{
	struct hearth_frame frame;
	int ret = hearth_control_recv(&f->control, &frame);

	if (ret)
		return ret;
	if (frame.type == HEARTH_FRAME_FAIL) {
		hearth_control_handle_common(f->job, &frame);
		return -ECANCELED;
	}
	return frame.type == HEARTH_FRAME_WELCOME ? hearth_parse_welcome(&frame, &f->welcome)
						  : -EPROTO;
}

void hearth_far_fail_start(struct hearth_far *f, int err)
{
	int status;

	if (err == -ECANCELED)
		return;
	if (*f->data_host) {
		const char *refusal = hearth_tls_refusal(&f->tls);

		if (refusal)
			hearth_job_fail(f->job, HEARTH_EXIT_CONNECT,
					"%s: the daemon does not accept our certificate: %s",
					f->host, refusal);
		else
			hearth_job_fail(f->job, HEARTH_EXIT_CONNECT, "%s: the daemon hung up: %s",
					f->host, strerror(-err));
		return;
	}
	if (err == -EPROTO) {
		hearth_job_fail(f->job, HEARTH_EXIT_PROTOCOL,
				"%s: what came back is not Hearth's protocol; see that \"%s %s true\" prints nothing and that both ends have the same version",
				f->host, f->cmd->rsh, f->host);
		return;
	}
	status = hearth_ssh_stop(&f->ssh, true);
	if (status == 127)
		hearth_job_fail(f->job, HEARTH_EXIT_CONNECT,
				"%s: there is no %s; install hearth there or give --hearthd-path",
				f->host, f->cmd->hearthd_path);
	else
		hearth_job_fail(f->job, HEARTH_EXIT_CONNECT,
				"%s: the far end did not start: \"%s\" ended with status %d",
				f->host, f->cmd->rsh, status);
}

int hearth_far_greet(struct hearth_far *f, struct hearth_hello *h, const struct hearth_names *names)
{
	int ret;

	h->nr_names = names->nr;
	/* ssh may be waiting for somebody to type a password; a daemon has nothing to wait for. */
	if (hearth_far_is_daemon(f))
		f->control.timeout_s = f->cmd->opt.timeout_s;
	ret = hearth_send_hello(&f->control, h);
	if (!ret)
		ret = hearth_names_send(&f->control, names);
	/* If it is gone already, what it had to say may still be there. */
	if (!ret || ret == -EPIPE || ret == -ECONNRESET)
		ret = hear_welcome(f);
	if (ret)
		hearth_far_fail_start(f, ret);
	return ret;
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

const char *hearth_far_data_host(const struct hearth_far *f, char *buf, size_t size)
{
	if (hearth_far_is_daemon(f))
		return f->data_host;
	return *f->welcome.address ? f->welcome.address : bare_host(f->host, buf, size);
}

/* Takes "hearth://user@host:port" apart; the port or 0. */
static uint16_t split_url(struct hearth_far *f, char *user, size_t size)
{
	const char *rest = f->host + strlen(HEARTH_URL), *at = strchr(rest, '@'), *colon;
	unsigned int port = HEARTH_DEFAULT_PORT;
	char tail;

	snprintf(user, size, "%.*s", at ? (int)(at - rest) : 0, rest);
	rest = at ? at + 1 : rest;
	colon = *rest == '[' ? strstr(rest, "]:") : strchr(rest, ':');
	if (colon && *colon == ']')
		colon++;
	if (colon && (sscanf(colon + 1, "%5u%c", &port, &tail) != 1 || !port || port > 65535))
		return 0;
	snprintf(f->data_host, sizeof(f->data_host), "%.*s",
		 colon ? (int)(colon - rest) : (int)strlen(rest), rest);
	if (*f->data_host == '[' && strlen(f->data_host) > 2) {
		f->data_host[strlen(f->data_host) - 1] = '\0';
		memmove(f->data_host, f->data_host + 1, strlen(f->data_host));
	}
	return (uint16_t)port;
}

static int load_keys(struct hearth_far *f, struct hearth_keys *keys)
{
	const char *home = getenv("HOME");
	char path[HEARTH_PATH_MAX], text[HEARTH_PATH_MAX + 128];
	int ret;

	if (f->cmd->key_file)
		snprintf(path, sizeof(path), "%s", f->cmd->key_file);
	else
		snprintf(path, sizeof(path), "%s/.config/hearth/keys", home ? home : "");
	ret = hearth_keys_load(keys, path, text, sizeof(text));
	if (ret)
		hearth_job_fail(f->job, HEARTH_EXIT_CONNECT, "%s", text);
	return ret;
}

static int check_certs(struct hearth_far *f)
{
	char text[512] = "out of memory";
	int ret = hearth_certs_check(&f->cmd->certs, text, sizeof(text));

	if (ret)
		hearth_job_fail(f->job, HEARTH_EXIT_CONNECT, "%s", text);
	return ret;
}

/* The handshake, on a connection that it takes over. 0 or -errno, the job having failed. */
static int shake_hands(struct hearth_far *f, int fd, const struct hearth_secret *secret)
{
	const struct hearth_command *cmd = f->cmd;
	struct hearth_identity id = {
		.secret = secret,
		.certs = secret ? NULL : &cmd->certs,
		.peer_name = cmd->peer_name ? cmd->peer_name : f->data_host,
	};
	char text[512];
	int ret = hearth_tls_connect(&f->tls, fd, &id, HEARTH_CONNECT_SECONDS, text, sizeof(text));

	if (ret == -EACCES && secret)
		hearth_job_fail(f->job, HEARTH_EXIT_CONNECT,
				"%s: %s and the daemon do not have the same key: %s", f->host,
				secret->user, text);
	else if (ret)
		hearth_job_fail(f->job, HEARTH_EXIT_CONNECT, "%s: %s", f->host, text);
	return ret;
}

/* Connects and proves both sides to each other. 0 or -errno, the job having failed. */
static int reach_daemon(struct hearth_far *f)
{
	char user[HEARTH_USER_MAX + 1];
	uint16_t port = split_url(f, user, sizeof(user));
	const struct hearth_secret *secret = NULL;
	struct hearth_keys keys = { 0 };
	int ret = f->cmd->certs.cert ? check_certs(f) : load_keys(f, &keys), fd;

	if (ret)
		return ret;
	if (!f->cmd->certs.cert)
		secret = hearth_keys_find(&keys, user, strlen(user));
	fd = port ? hearth_connect(f->data_host, port, HEARTH_CONNECT_SECONDS) : -EINVAL;
	if (!secret && !f->cmd->certs.cert) {
		hearth_job_fail(f->job, HEARTH_EXIT_CONNECT, "%s: there is no key for \"%s\"",
				f->host, user);
		ret = -ENOKEY;
		hearth_close(&fd);
	} else if (fd < 0) {
		hearth_job_fail(f->job, HEARTH_EXIT_CONNECT, "%s: no daemon can be reached: %s",
				f->host, strerror(-fd));
		ret = fd;
	} else {
		ret = shake_hands(f, fd, secret);
	}
	hearth_keys_exit(&keys);
	return ret;
}

static int start(struct hearth_far *f)
{
	int ret = hearth_ssh_start(&f->ssh, f->cmd->rsh, f->host, f->cmd->hearthd_path);

	if (ret)
		hearth_job_fail(f->job, HEARTH_EXIT_CONNECT,
				"\"%s\" cannot be started for host \"%s\": %s", f->cmd->rsh,
				f->host, strerror(-ret));
	return ret;
}

int hearth_far_open(struct hearth_far *f, const struct hearth_command *cmd, struct hearth_job *job,
		    const char *host)
{
	int ret, fd;

	f->cmd = cmd;
	f->job = job;
	f->host = host;
	ret = hearth_url_is(host) ? reach_daemon(f) : start(f);
	if (ret)
		return ret;
	fd = hearth_far_is_daemon(f) ? f->tls.fd : f->ssh.fd;
	ret = hearth_control_init(&f->control, fd, fd);
	if (!ret)
		return 0;
	hearth_job_fail(job, HEARTH_EXIT_SYSTEM, "out of memory");
	hearth_tls_close(&f->tls);
	hearth_ssh_stop(&f->ssh, true);
	return ret;
}

void hearth_far_close(struct hearth_far *f)
{
	if (hearth_far_is_daemon(f))
		hearth_tls_close(&f->tls);
	else
		hearth_ssh_stop(&f->ssh, f->job->is_failed);
	hearth_control_exit(&f->control);
}
