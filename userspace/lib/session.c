// SPDX-License-Identifier: GPL-2.0-or-later
/* Sessions of libhearth: attach and detach, and errors in words. */
#include <errno.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../common/io.h"
#include "lib.h"

#define LUN "lun:/"
#define DEFAULT_WINDOW_BYTES (4u << 20)
#define DEFAULT_WINDOWS 64
#define DEFAULT_TIMEOUT_S 60
#define MAX_TIMEOUT_S 86400

static _Thread_local char attach_error[HEARTH_LIB_ERROR_BYTES];

int hearth_lib_fail(struct hearth_session *s, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(s->error, sizeof(s->error), format, args);
	va_end(args);
	return err;
}

const char *hearth_error(const struct hearth_session *s)
{
	return s ? s->error : attach_error;
}

const char *hearth_strerror(int err)
{
	switch (err) {
	case 0:
		return "no error";
	case -EBADF:
		return "the session is attached for reading only";
	case -EBADMSG:
		return "the block is damaged";
	case -ENODATA:
		return "there is no block";
	case -ECONNRESET:
	case -ETIMEDOUT:
		return "the target is gone; attach anew";
	default:
		return err < 0 && err > -4096 ? hearth_lun_strerror(err)
					      : "no error of libhearth's";
	}
}

/* Takes "HOST:lun:/NAME" or "hearth://HOST/lun:/NAME" apart; the name, or NULL. */
static const char *split_place(const char *place, char **ret_host)
{
	const char *lun = strstr(place, hearth_url_is(place) ? "/" LUN : ":" LUN);
	struct hearth_lun_name name;

	if (!lun || lun == place || hearth_lun_parse(lun + 1, &name) || strchr(lun, '@'))
		return NULL;
	*ret_host = strndup(place, (size_t)(lun - place));
	return lun + 1 + strlen(LUN);
}

/* The library's command is what hearthcp has from its command line. */
static void take_options(struct hearth_session *s, const struct hearth_attach_options *o)
{
	struct hearth_command *cmd = &s->cmd;

	hearth_options_init(&cmd->opt);
	cmd->opt.timeout_s = o->timeout_s ? o->timeout_s : DEFAULT_TIMEOUT_S;
	cmd->rsh = (char *)(o->rsh ? o->rsh : "ssh");
	cmd->hearthd_path = (char *)(o->hearthd_path ? o->hearthd_path : "hearthd");
	cmd->key_file = (char *)o->key_file;
	cmd->certs = (struct hearth_certs){ .cert = (char *)o->cert,
					    .key = (char *)o->cert_key,
					    .ca = (char *)o->ca,
					    .crl = (char *)o->crl };
	cmd->peer_name = (char *)o->peer_name;
	s->may_write = o->flags & HEARTH_ATTACH_WRITE;
	s->wanted_windows = o->max_windows ? o->max_windows : DEFAULT_WINDOWS;
}

static int check_options(struct hearth_session *s, const struct hearth_attach_options *o)
{
	uint32_t all = HEARTH_ATTACH_WRITE | HEARTH_ATTACH_FORCE | HEARTH_ATTACH_RDMA |
		       HEARTH_ATTACH_TCP;

	if (o->flags & ~all || o->reserved)
		return hearth_lib_fail(s, -EINVAL, "flags 0x%x: 0x%x are known", o->flags, all);
	if (o->flags & HEARTH_ATTACH_RDMA && o->flags & HEARTH_ATTACH_TCP)
		return hearth_lib_fail(s, -EINVAL,
				       "HEARTH_ATTACH_RDMA and HEARTH_ATTACH_TCP: give one");
	if (o->window_bytes && (o->window_bytes < HEARTH_WINDOW_MIN_BYTES ||
				o->window_bytes > HEARTH_WINDOW_MAX_BYTES))
		return hearth_lib_fail(s, -EINVAL, "window_bytes %llu: give %u to %u",
				       (unsigned long long)o->window_bytes, HEARTH_WINDOW_MIN_BYTES,
				       HEARTH_WINDOW_MAX_BYTES);
	if (o->max_windows > HEARTH_WINDOW_MAX)
		return hearth_lib_fail(s, -EINVAL, "max_windows %u: give at most %u",
				       o->max_windows, HEARTH_WINDOW_MAX);
	if (o->timeout_s > MAX_TIMEOUT_S)
		return hearth_lib_fail(s, -EINVAL, "timeout_s %u: give at most %u", o->timeout_s,
				       MAX_TIMEOUT_S);
	if (!o->cert != !o->cert_key || !o->cert != !o->ca)
		return hearth_lib_fail(s, -EINVAL, "cert, cert_key and ca belong together");
	return 0;
}

/* What was said of a job that could not begin. */
static int explain_job(struct hearth_session *s, int err)
{
	switch (s->job.exit_code) {
	case HEARTH_EXIT_PLACE:
		err = -EACCES;
		break;
	case HEARTH_EXIT_PROTOCOL:
		err = -EPROTO;
		break;
	default:
		break;
	}
	return hearth_lib_fail(s, err, "%s", s->job.failure);
}

static int reach(struct hearth_session *s, const char *host)
{
	int ret = hearth_far_open(&s->far, &s->cmd, &s->job, host);

	if (ret)
		return explain_job(s, ret);
	s->has_far = true;
	/* ssh may be waiting for somebody to type a password. */
	if (hearth_far_is_daemon(&s->far))
		s->far.control.timeout_s = s->cmd.opt.timeout_s;
	if (hearth_ticket_init(&s->ticket, HEARTH_SEAL_NONE))
		return hearth_lib_fail(s, -EIO, "no random bytes");
	if (hearth_far_is_daemon(&s->far))
		memcpy(s->ticket.key, s->far.tls.exported, sizeof(s->ticket.key));
	return 0;
}

/* A daemon knows the key from the TLS connection; it is not sent. */
static int ask_for_lun(struct hearth_session *s, const char *name,
		       const struct hearth_attach_options *o)
{
	struct hearth_window_msg told, ask = {
		.verb = HEARTH_WINDOW_ATTACH,
		.id = HEARTH_WINDOW_VERSION,
		.offset = s->ticket.session,
		.len = o->window_bytes ? o->window_bytes : DEFAULT_WINDOW_BYTES,
	};
	int ret;

	snprintf(ask.text, sizeof(ask.text), "%s", name);
	if (o->flags & HEARTH_ATTACH_WRITE)
		ask.flags |= HEARTH_WINDOW_WRITES;
	if (o->flags & HEARTH_ATTACH_FORCE)
		ask.flags |= HEARTH_WINDOW_ANYWAY;
	if (!hearth_far_is_daemon(&s->far)) {
		ask.data = s->ticket.key;
		ask.data_len = sizeof(s->ticket.key);
	}
	ret = hearth_window_send(&s->far.control, HEARTH_FRAME_ASK, &ask);
	/* If it is gone already, what it had to say may still be there. */
	if (!ret || ret == -EPIPE || ret == -ECONNRESET)
		ret = hearth_lib_hear(s, HEARTH_WINDOW_ATTACH, &told);
	if (ret && !*s->error) {
		hearth_far_fail_start(&s->far, ret);
		/* Closed in time, or before it had read all: to the caller it is the same. */
		return explain_job(s, ret == -ENODATA ? -ECONNRESET : ret);
	}
	s->far.control.timeout_s = s->cmd.opt.timeout_s;
	if (!ret && told.status)
		return hearth_lib_fail(s, told.status, "%s", told.text);
	return ret ? ret : hearth_lib_learn(s, &told);
}

static int choose_transport(struct hearth_session *s, uint32_t flags)
{
	int ret = -EOPNOTSUPP;

	if (flags & HEARTH_ATTACH_TCP)
		snprintf(s->why, sizeof(s->why), "HEARTH_ATTACH_TCP");
	else
		ret = hearth_fabric_open(s);
	s->uses_rdma = !ret;
	if (s->lost)
		return s->lost;
	return ret && flags & HEARTH_ATTACH_RDMA
		       ? hearth_lib_fail(s, -ENODEV, "no RDMA: %s", s->why)
		       : 0;
}

static int attach(struct hearth_session *s, const char *place,
		  const struct hearth_attach_options *o)
{
	char *host = NULL;
	const char *name = split_place(place, &host);
	int ret = name && !host ? -ENOMEM : check_options(s, o);

	if (!ret && !name)
		ret = hearth_lib_fail(s, -EINVAL,
				      "%s: give hearth://[USER@]HOST[:PORT]/lun:/NAME or [USER@]HOST:lun:/NAME",
				      place);
	if (!ret)
		ret = reach(s, host);
	if (!ret)
		ret = ask_for_lun(s, name, o);
	if (!ret)
		ret = choose_transport(s, o->flags);
	s->far.host = NULL;
	free(host);
	return ret;
}

/* What breaks shall not end the program: SIGPIPE is for the thread that writes. */
static void hold_sigpipe(sigset_t *ret_before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, ret_before);
}

static void let_sigpipe_go(const sigset_t *before)
{
	static const struct timespec now;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	if (!sigismember(before, SIGPIPE))
		sigtimedwait(&set, NULL, &now);
	pthread_sigmask(SIG_SETMASK, before, NULL);
}

int hearth_attach(const char *place, const struct hearth_attach_options *options,
		  struct hearth_session **ret)
{
	static const struct hearth_attach_options defaults;
	const struct hearth_attach_options *o = options ? options : &defaults;
	struct hearth_session *s = calloc(1, sizeof(*s));
	sigset_t before;
	int err;

	*attach_error = '\0';
	if (!s) {
		snprintf(attach_error, sizeof(attach_error), "out of memory");
		return -ENOMEM;
	}
	take_options(s, o);
	hearth_job_init(&s->job, &s->cmd.opt);
	hold_sigpipe(&before);
	err = attach(s, place, o);
	if (err) {
		memcpy(attach_error, s->error, sizeof(attach_error));
		s->job.is_failed = true; /* nothing of the far end's is waited for */
		hearth_detach(s);
	} else {
		*ret = s;
	}
	let_sigpipe_go(&before);
	return err;
}

void hearth_detach(struct hearth_session *s)
{
	if (!s)
		return;
	hearth_fabric_close(s);
	hearth_lib_drop_windows(s);
	hearth_buffers_free(s);
	if (s->has_far) {
		s->job.is_failed |= s->lost;
		hearth_far_close(&s->far);
	}
	hearth_job_exit(&s->job);
	OPENSSL_cleanse(&s->ticket, sizeof(s->ticket));
	free(s);
}

int hearth_describe(struct hearth_session *s, struct hearth_description *ret)
{
	const struct hearth_window_msg ask = { .verb = HEARTH_WINDOW_INFO };
	struct hearth_window_msg told;
	int err = hearth_lib_ask(s, &ask, &told);

	if (!err)
		err = hearth_lib_learn(s, &told);
	if (!err)
		*ret = s->lun;
	return err;
}

const char *hearth_transport(const struct hearth_session *s)
{
	return s->uses_rdma ? "rdma" : "tcp";
}

const char *hearth_transport_why(const struct hearth_session *s)
{
	return s->why;
}

void hearth_statistics(const struct hearth_session *s, struct hearth_statistics *ret)
{
	*ret = s->count;
	ret->windows = s->windows.nr;
}
