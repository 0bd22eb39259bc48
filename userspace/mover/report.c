// SPDX-License-Identifier: GPL-2.0-or-later
/* What hearthcp tells people and machines. */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../common/io.h"
#include "../common/units.h"
#include "control.h"
#include "report.h"

#define PROGRESS_MS 500

static const char *const severities[] = {
	[HEARTH_NOTE_WARNING] = "warning",
	[HEARTH_NOTE_VANISHED] = "vanished",
	[HEARTH_NOTE_ERROR] = "error",
	[HEARTH_NOTE_KEPT] = "kept",
	[HEARTH_NOTE_ITEM] = "item",
};

static void signal_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

void hearth_report_block_signals(void)
{
	sigset_t set;

	signal_set(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void print_event(json_t *event)
{
	char *line = event ? json_dumps(event, JSON_COMPACT) : NULL;

	if (line) {
		puts(line);
		fflush(stdout);
	}
	free(line);
	json_decref(event);
}

/* Text goes out on a line of its own, not after a progress line. */
static void print_line(struct hearth_report *r, const char *line)
{
	fprintf(stderr, "%s%s\n", r->is_line_open ? "\r\033[K" : "", line);
	r->is_line_open = false;
}

/* What is done goes to standard output: with -i in rsync's letters, with -v just the name. */
static void print_item(struct hearth_report *r, const char *name, const char *code)
{
	bool is_deleted = *code == '*', pushes = r->cmd->destination.host;

	if (r->is_line_open)
		fputs("\r\033[K", stderr);
	r->is_line_open = false;
	if (r->cmd->shows_items)
		printf("%c%s %s\n", pushes && *code == '>' ? '<' : *code, code + 1, name);
	else
		printf("%s%s\n", is_deleted ? "deleting " : "", name);
}

static void note(void *ctx, enum hearth_severity severity, const char *path, const char *text)
{
	struct hearth_report *r = ctx;
	char name[4 * HEARTH_PATH_MAX], line[4 * HEARTH_PATH_MAX + 1100];

	hearth_format_name(name, sizeof(name), path);
	pthread_mutex_lock(&r->lock);
	if (severity == HEARTH_NOTE_ITEM && !r->cmd->is_json) {
		print_item(r, name, text);
	} else if (r->cmd->is_json) {
		print_event(json_pack("{s:s, s:s, s:s}", "event", severities[severity], "path",
				      name, "text", text));
	} else if (!r->cmd->is_quiet || severity >= HEARTH_NOTE_VANISHED) {
		snprintf(line, sizeof(line), "hearthcp: %s%s%s", name, *name ? ": " : "", text);
		print_line(r, line);
	}
	pthread_mutex_unlock(&r->lock);
}

void hearth_report_remark(struct hearth_report *r, const char *text)
{
	note(r, HEARTH_NOTE_WARNING, "", text);
}

struct figures {
	uint64_t done;
	uint64_t total;
	uint64_t files;
	double seconds;
	double rate;
	uint64_t left_s;
	bool is_total_known;
};

static struct figures get_figures(const struct hearth_report *r)
{
	const struct hearth_counters *c = &r->job->count;
	struct figures f = {
		.done = c->bytes_stored + c->bytes_skipped +
			(r->cmd->destination.host ? 0 : c->bytes_resumed),
		.total = c->bytes_total,
		.files = c->files_total,
		.seconds = (double)(hearth_now_ns() - r->start_ns) / 1e9,
		.is_total_known = c->is_index_complete,
	};

	f.rate = f.seconds > 0 ? (double)c->bytes_stored / f.seconds : 0;
	if (f.rate > 0 && f.total > f.done)
		f.left_s = (uint64_t)((double)(f.total - f.done) / f.rate);
	return f;
}

static void format_status(const struct figures *f, char *line, size_t size)
{
	char done[32], total[32], rate[32], left[32];

	hearth_format_size(done, sizeof(done), f->done);
	hearth_format_size(total, sizeof(total), f->total);
	hearth_format_size(rate, sizeof(rate), (uint64_t)f->rate);
	hearth_format_duration(left, sizeof(left), f->left_s);
	if (f->is_total_known)
		snprintf(line, size, "%s of %s (%.0f%%), %s/s, %s left, %llu files", done, total,
			 f->total ? 100.0 * (double)f->done / (double)f->total : 100.0, rate, left,
			 (unsigned long long)f->files);
	else
		snprintf(line, size, "%s of %s found so far, %s/s, %llu files", done, total, rate,
			 (unsigned long long)f->files);
}

static void print_progress(struct hearth_report *r)
{
	struct figures f = get_figures(r);
	char line[160];

	pthread_mutex_lock(&r->lock);
	if (r->cmd->is_json) {
		print_event(json_pack("{s:s, s:I, s:I, s:I, s:f, s:I, s:b}", "event", "progress",
				      "bytes", (json_int_t)f.done, "bytes_total",
				      (json_int_t)f.total, "files", (json_int_t)f.files,
				      "bytes_per_s", f.rate, "seconds_left", (json_int_t)f.left_s,
				      "total_known", f.is_total_known));
	} else {
		format_status(&f, line, sizeof(line));
		fprintf(stderr, "\r\033[K%s", line);
		fflush(stderr);
		r->is_line_open = true;
	}
	pthread_mutex_unlock(&r->lock);
}

static void print_status(struct hearth_report *r)
{
	struct figures f = get_figures(r);
	char line[160];

	format_status(&f, line, sizeof(line));
	pthread_mutex_lock(&r->lock);
	print_line(r, line);
	pthread_mutex_unlock(&r->lock);
}

static void take_signal(struct hearth_report *r)
{
	struct signalfd_siginfo info;

	if (read(r->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1)
		print_status(r);
	else
		hearth_job_fail(r->job, HEARTH_EXIT_INTERRUPTED,
				"stopped by signal %u; the same command continues", info.ssi_signo);
}

static void *follow(void *arg)
{
	struct hearth_report *r = arg;
	struct pollfd fds[] = { { .fd = r->stop_fd, .events = POLLIN },
				{ .fd = r->signal_fd, .events = POLLIN } };

	while (!fds[0].revents) {
		int nr = poll(fds, 2, r->shows_progress ? PROGRESS_MS : -1);

		if (!nr)
			print_progress(r);
		if (nr > 0 && fds[1].revents)
			take_signal(r);
	}
	return NULL;
}

int hearth_report_start(struct hearth_report *r, const struct hearth_command *cmd,
			struct hearth_job *job)
{
	sigset_t set;

	memset(r, 0, sizeof(*r));
	r->cmd = cmd;
	r->job = job;
	r->shows_progress = cmd->is_json ? cmd->progress != HEARTH_PROGRESS_OFF
					 : cmd->progress == HEARTH_PROGRESS_ON ||
						   (cmd->progress == HEARTH_PROGRESS_AUTO &&
						    isatty(STDERR_FILENO) && !cmd->is_quiet);
	r->start_ns = hearth_now_ns();
	if (!r->cmd->is_json)
		setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	pthread_mutex_init(&r->lock, NULL);
	signal_set(&set);
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	r->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (r->signal_fd < 0 || r->stop_fd < 0)
		return -errno;
	job->note = note;
	job->note_ctx = r;
	return -pthread_create(&r->thread, NULL, follow, r);
}

static json_t *limits_json(const struct hearth_path *path)
{
	json_t *list = json_array();

	for (uint32_t i = 0; list && i < path->nr_limits; i++) {
		const struct hearth_limit *l = &path->limits[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:f}", "name", l->name,
						      "end", l->end, "value", (json_int_t)l->value,
						      "bytes_per_s", (json_int_t)l->bytes_per_s,
						      "part_of_time", l->permille / 1000.0));
	}
	return list;
}

static json_t *path_json(const struct hearth_path *path)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "streams",
			 (json_int_t)path->streams, "streams_most", (json_int_t)path->streams_most,
			 "streams_lost", (json_int_t)path->streams_lost, "pool_bytes",
			 (json_int_t)path->pool_bytes, "message_bytes",
			 (json_int_t)path->message_bytes, "rtt_us", (json_int_t)path->rtt_us,
			 "limits", limits_json(path));
}

static void add_rails(json_t *event, const struct hearth_route *route)
{
	json_t *rails = json_array();

	for (uint32_t i = 0; i < route->nr_rails; i++)
		json_array_append_new(rails, json_pack("{s:s, s:I, s:b}", "device",
						       route->rails[i].device, "bytes",
						       (json_int_t)route->rails[i].bytes, "failed",
						       (int)route->rails[i].has_failed));
	json_object_set_new(event, "rails", rails);
	json_object_set_new(event, "rdma_mode", json_string(route->mode));
	json_object_set_new(event, "rdma_keys", json_string(route->keys));
	json_object_set_new(event, "rdma_depth", json_integer(route->depth));
	json_object_set_new(event, "queue_pairs", json_integer(route->nr_queues));
	json_object_set_new(event, "rtt_us", json_real((double)route->rtt_ns / 1e3));
}

static void add_route(json_t *event, const struct hearth_route *route)
{
	if (!event || !route->transport)
		return;
	json_object_set_new(event, "transport", json_string(route->transport));
	if (*route->why)
		json_object_set_new(event, "transport_why", json_string(route->why));
	if (route->nr_rails)
		add_rails(event, route);
}

static void print_summary_json(struct hearth_report *r, enum hearth_exit code)
{
	const struct hearth_counters *c = &r->job->count;
	struct figures f = get_figures(r);
	const struct {
		const char *key;
		uint64_t value;
	} counts[] = {
		{ "files_total", c->files_total },
		{ "bytes_total", c->bytes_total },
		{ "bytes_stored", c->bytes_stored },
		{ "bytes_moved", c->bytes_moved },
		{ "bytes_wire", c->bytes_wire },
		{ "bytes_landed", c->bytes_landed },
		{ "bytes_resumed", c->bytes_resumed },
		{ "bytes_skipped", c->bytes_skipped },
		{ "blocks_resent", c->blocks_resent },
		{ "blocks_rerouted", c->blocks_rerouted },
		{ "files_deleted", c->files_deleted },
		{ "errors", c->errors },
		{ "vanished", c->vanished },
	};
	json_t *event = json_pack("{s:s, s:i, s:f}", "event", "summary", "exit", (int)code,
				  "seconds", f.seconds);

	for (size_t i = 0; event && i < sizeof(counts) / sizeof(*counts); i++)
		json_object_set_new(event, counts[i].key,
				    json_integer((json_int_t)counts[i].value));
	if (event)
		json_object_set_new(event, "path", path_json(&r->job->path));
	add_route(event, &r->route);
	if (event && r->job->is_failed)
		json_object_set_new(event, "failure", json_string(r->job->failure));
	print_event(event);
}

static void print_stats(struct hearth_report *r)
{
	const struct hearth_counters *c = &r->job->count;
	struct figures f = get_figures(r);
	char moved[32], total[32], rate[32], skipped[32];

	fprintf(stderr,
		"%llu files, %s; sent %s in %.2f s (%s/s), %s there already, %llu blocks sent again\n",
		(unsigned long long)c->files_total,
		hearth_format_size(total, sizeof(total), c->bytes_total),
		hearth_format_size(moved, sizeof(moved), c->bytes_moved), f.seconds,
		hearth_format_size(rate, sizeof(rate), (uint64_t)f.rate),
		hearth_format_size(skipped, sizeof(skipped), c->bytes_skipped),
		(unsigned long long)c->blocks_resent);
}

/* A way out is named with each: what holds a rate down is mostly a matter of settings. */
static void print_limits(struct hearth_report *r)
{
	const struct hearth_path *path = &r->job->path;
	char value[32], rate[32], line[320];

	for (uint32_t i = 0; i < path->nr_limits; i++) {
		const struct hearth_limit *l = &path->limits[i];
		bool is_sysctl = *l->name == 't';

		hearth_format_size(value, sizeof(value), l->value);
		hearth_format_size(rate, sizeof(rate), l->bytes_per_s);
		snprintf(line, sizeof(line),
			 "hearthcp: %s (%s at the %s) held %s to %s/s for %u%% of the time, at %.1f ms a round trip; %s",
			 l->name, value, l->end, is_sysctl ? "each data connection" : "the rate",
			 rate, l->permille / 10, (double)path->rtt_us / 1000,
			 is_sysctl ? "raise it there with sysctl" : "give more");
		print_line(r, line);
	}
}

static void print_path(const struct hearth_path *path)
{
	char pool[32];

	if (!path->streams)
		return;
	fprintf(stderr,
		"%u data connections (%u at most, %u lost), up to %s under way, %.1f ms a round trip\n",
		path->streams, path->streams_most, path->streams_lost,
		hearth_format_size(pool, sizeof(pool), path->pool_bytes),
		(double)path->rtt_us / 1000);
}

/* Which way data went, and how much over each device. */
static void print_route(const struct hearth_route *route)
{
	char bytes[32];

	if (!route->transport)
		return;
	if (!route->nr_rails) {
		fprintf(stderr, "over TCP, not RDMA: %s\n", route->why);
		return;
	}
	fprintf(stderr,
		"over RDMA: %s, %u queue pairs, %u %s of each at once, %.3f ms there and back:",
		route->mode, route->nr_queues, route->depth,
		*route->mode == 'w' ? "slots" : "reads", (double)route->rtt_ns / 1e6);
	for (uint32_t i = 0; i < route->nr_rails; i++)
		fprintf(stderr, "%s %s %s%s", i ? "," : "", route->rails[i].device,
			hearth_format_size(bytes, sizeof(bytes), route->rails[i].bytes),
			route->rails[i].has_failed ? " (failed)" : "");
	fputc('\n', stderr);
}

/* What --stats has beside the counts. */
static void print_details(const struct hearth_report *r)
{
	char landed[32];

	print_path(&r->job->path);
	print_route(&r->route);
	if (r->job->opt.lun & HEARTH_LUN_IS_DESTINATION && r->route.nr_rails)
		fprintf(stderr, "straight into the LUN: %s\n",
			hearth_format_size(landed, sizeof(landed), r->job->count.bytes_landed));
}

void hearth_report_stop(struct hearth_report *r, enum hearth_exit code)
{
	uint64_t one = 1;
	char line[600];

	if (write(r->stop_fd, &one, sizeof(one)) < 0)
		perror("hearthcp");
	pthread_join(r->thread, NULL);
	if (r->shows_progress && !r->cmd->is_json) {
		print_progress(r);
		fputc('\n', stderr);
		r->is_line_open = false;
	}
	if (r->cmd->is_json)
		print_summary_json(r, code);
	else if (r->cmd->shows_stats)
		print_stats(r);
	if (!r->cmd->is_json && r->cmd->shows_stats)
		print_details(r);
	if (!r->cmd->is_json && !r->cmd->is_quiet)
		print_limits(r);
	if (r->job->is_failed) {
		snprintf(line, sizeof(line), "hearthcp: %s", r->job->failure);
		print_line(r, line);
	} else if (code && code != HEARTH_EXIT_UNDELETED && !r->cmd->is_json) {
		snprintf(line, sizeof(line),
			 "hearthcp: %llu errors, %llu files vanished; everything else was copied",
			 (unsigned long long)r->job->count.errors,
			 (unsigned long long)r->job->count.vanished);
		print_line(r, line);
	}
	hearth_close(&r->signal_fd);
	hearth_close(&r->stop_fd);
	pthread_mutex_destroy(&r->lock);
}
