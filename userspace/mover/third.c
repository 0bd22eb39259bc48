// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A copy between two far ends.
 *
 * This end starts both and makes them a key for this one copy, between these paths,
 * in this direction and for a time (session.h). One of them opens a port, the
 * other connects to it; if that fails it is tried the other way round.
 * Data goes between them; what they say to each other on their control channels
 * goes through here, where it is looked at: what the source offers must have been
 * asked for. Neither gets any credentials of the other, and both stop when this
 * end does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "far.h"
#include "index.h"
#include "names.h"

struct third {
	const struct hearth_command *cmd;
	struct hearth_job *job;
	struct hearth_far from;
	struct hearth_far to;
	struct hearth_ticket ticket;
	uint8_t from_digest[HEARTH_DIGEST_BYTES];
	uint8_t to_digest[HEARTH_DIGEST_BYTES];
	struct hearth_names expected;
	/* how far the index is that came by */
	uint64_t nr_batches;
	uint64_t voff;
	uint32_t nr_dirs;
	bool *is_root; /* by directory number */
};

static void cancel(void *ctx)
{
	struct third *t = ctx;

	hearth_control_cancel(&t->from.control);
	hearth_control_cancel(&t->to.control);
}

/* The end that opens the port has no peer; the other is told where that is. */
static int greet(struct third *t, struct hearth_far *f, const struct hearth_far *opener)
{
	static const struct hearth_names no_names;
	const struct hearth_command *cmd = t->cmd;
	bool sends = f == &t->from;
	char buf[256];
	struct hearth_hello h = {
		.protocol = HEARTH_PROTOCOL,
		.direction = sends ? HEARTH_SERVER_SENDS : HEARTH_SERVER_RECEIVES,
		.nr_streams = (uint8_t)cmd->nr_streams,
		.port_low = cmd->port_low,
		.port_high = cmd->port_high,
		.opt = cmd->opt,
		.nr_paths = sends ? cmd->nr_sources : 1,
		.filter = cmd->filter,
		.paths = sends ? cmd->sources : (char **)&cmd->destination.path,
		.session = t->ticket.session,
		.is_third_party = true,
		.lifetime_s = cmd->opt.timeout_s,
	};

	memcpy(h.peer_digest, sends ? t->to_digest : t->from_digest, sizeof(h.peer_digest));
	memcpy(h.key, t->ticket.key, sizeof(h.key));
	if (opener) {
		h.peer_host = (char *)hearth_far_data_host(opener, buf, sizeof(buf));
		h.peer_port = opener->welcome.port;
		h.peer_is_shared = opener->welcome.is_shared;
	}
	return hearth_far_greet(f, &h, sends ? &cmd->names : &no_names);
}

static bool is_expected(const struct third *t, const char *name)
{
	for (uint32_t i = 0; i < t->expected.nr; i++)
		if (!strcmp(t->expected.v[i], name))
			return true;
	return !t->expected.nr;
}

/* 1 if everything in the batch may come by, 0 if not, or -ENOMEM. */
static int look_at_batch(struct third *t, const struct hearth_batch *b)
{
	bool *grown = realloc(t->is_root, t->nr_dirs + b->nr_dirs + 1);

	if (!grown)
		return -ENOMEM;
	t->is_root = grown;
	for (uint32_t i = 0; i < b->nr_entries; i++) {
		const struct hearth_entry *e = &b->entries[i];

		if (e->kind == HEARTH_ENTRY_FILE) {
			t->job->count.files_total++;
			t->job->count.bytes_total += e->size;
		}
		if (e->kind == HEARTH_ENTRY_ROOT || e->kind == HEARTH_ENTRY_DIR)
			t->is_root[e->dir_no] = e->kind == HEARTH_ENTRY_ROOT;
		if (e->kind != HEARTH_ENTRY_ROOT && t->is_root[e->parent] &&
		    !is_expected(t, hearth_entry_name(b, e)))
			return 0;
	}
	return 1;
}

static int look_at_index(struct third *t, const struct hearth_frame *f)
{
	struct hearth_batch *b;
	int ret = hearth_batch_decode(f->body, f->len, t->nr_batches, t->voff, t->nr_dirs, &b);

	if (ret)
		return ret;
	ret = look_at_batch(t, b);
	t->nr_batches++;
	t->voff = b->end;
	t->nr_dirs += b->nr_dirs;
	hearth_batch_free(b);
	if (ret)
		return ret > 0 ? 0 : ret;
	hearth_job_fail(t->job, HEARTH_EXIT_PROTOCOL,
			"the sender offers a file that was not asked for");
	return -ECANCELED;
}

/* What one end says to the other; 0, or -errno if it is not to be passed on. */
static int look_at(struct third *t, const struct hearth_frame *f)
{
	struct hearth_counters *count = &t->job->count;

	switch (f->type) {
	case HEARTH_FRAME_INDEX:
		return look_at_index(t, f);
	case HEARTH_FRAME_INDEX_END:
		count->is_index_complete = true;
		return 0;
	case HEARTH_FRAME_PATH:
		return hearth_parse_path(f, &t->job->path);
	case HEARTH_FRAME_DONE:
		count->bytes_stored = (uint64_t)count->bytes_total;
		return 0;
	default:
		hearth_control_handle_common(t->job, f);
		return 0;
	}
}

/* Passes on what @from says until it has said its last; 0 or -errno. */
static int pass_on(struct third *t, struct hearth_far *from, struct hearth_far *to)
{
	struct hearth_frame f;
	int ret;

	do {
		ret = hearth_control_recv(&from->control, &f);
		if (!ret)
			ret = look_at(t, &f);
		if (!ret)
			ret = hearth_control_send(&to->control, f.type, f.body, f.len);
	} while (!ret && f.type != HEARTH_FRAME_BYE && f.type != HEARTH_FRAME_DONE);
	return ret;
}

static void fail(struct third *t, int err)
{
	if (err)
		hearth_engine_fail_control(t->job, err, t->job->opt.timeout_s);
}

/* From the receiver to the sender. */
static void *pass_back(void *ctx)
{
	struct third *t = ctx;

	fail(t, pass_on(t, &t->to, &t->from));
	return NULL;
}

static void run(struct third *t)
{
	pthread_t back;

	t->from.control.timeout_s = t->job->opt.timeout_s;
	t->to.control.timeout_s = t->job->opt.timeout_s;
	if (pthread_create(&back, NULL, pass_back, t)) {
		hearth_job_fail(t->job, HEARTH_EXIT_SYSTEM, "no thread could be started");
		return;
	}
	fail(t, pass_on(t, &t->from, &t->to));
	pthread_join(back, NULL);
	if (!t->job->is_failed)
		return;
	hearth_control_send_fail(&t->from.control, t->job->exit_code, t->job->failure);
	hearth_control_send_fail(&t->to.control, t->job->exit_code, t->job->failure);
}

/* Who opens the port, and who connects to it. 0 or -errno, the job having failed. */
static int join_ends(struct third *t, struct hearth_far *opener, struct hearth_far *other)
{
	int ret = hearth_ticket_init(&t->ticket, t->cmd->opt.seal);

	if (!ret)
		ret = greet(t, opener, NULL);
	return ret ? ret : greet(t, other, opener);
}

/* True if it is worth trying the other way round. */
static bool attempt(struct third *t, bool is_reversed)
{
	const struct hearth_command *cmd = t->cmd;
	bool is_unreachable = false;

	memset(&t->from, 0, sizeof(t->from));
	memset(&t->to, 0, sizeof(t->to));
	if (hearth_far_open(&t->to, cmd, t->job, cmd->destination.host))
		return false;
	if (!hearth_far_open(&t->from, cmd, t->job, cmd->source_host)) {
		hearth_engine_attach(t->job, NULL, cancel, t);
		if (is_reversed ? join_ends(t, &t->from, &t->to) : join_ends(t, &t->to, &t->from))
			is_unreachable = t->job->exit_code == HEARTH_EXIT_CONNECT;
		else
			run(t);
		hearth_engine_attach(t->job, NULL, NULL, NULL);
		hearth_far_close(&t->from);
	}
	hearth_far_close(&t->to);
	return is_unreachable;
}

enum hearth_exit hearth_run_third(const struct hearth_command *cmd, struct hearth_job *job,
				  struct hearth_report *report)
{
	struct third *t = calloc(1, sizeof(*t));
	char text[600];

	if (!t)
		return HEARTH_EXIT_SYSTEM;
	t->cmd = cmd;
	t->job = job;
	hearth_digest_paths(cmd->sources, cmd->nr_sources, &cmd->names, t->from_digest);
	hearth_digest_paths((char **)&cmd->destination.path, 1, &(struct hearth_names){ 0 },
			    t->to_digest);
	if (hearth_command_expect(cmd, &t->expected)) {
		hearth_job_fail(job, HEARTH_EXIT_SYSTEM, "out of memory");
	} else if (attempt(t, false)) {
		snprintf(text, sizeof(text), "%s; trying the other way round", job->failure);
		hearth_report_remark(report, text);
		hearth_job_forgive(job);
		attempt(t, true);
	}
	hearth_names_exit(&t->expected);
	free(t->is_root);
	free(t);
	return hearth_job_result(job);
}
