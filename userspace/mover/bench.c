// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hearthcp bench: how fast this end reaches a far one.
 *
 * Each row is a job of its own, with both ends as in any copy, but that the
 * sender reads nothing, or the receiver stores nothing, or both: what is missing
 * from the rate of a copy is then the disk's or the network's. A row names the
 * length of a message (a block) and how many are under way at once, each on a
 * stream of its own.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../common/io.h"
#include "../common/units.h"
#include "client.h"
#include "engine.h"
#include "rdma.h"

#define DEFAULT_BYTES (1ull << 30)
#define MAX_POINTS 32

/* A far end on this host: env takes the place of ssh, and says where it is reached. */
#define HERE_RSH "env"
#define HERE_HOST "SSH_CONNECTION=- - 127.0.0.1 -"

struct row {
	const char *name;
	uint8_t bench;
	enum hearth_transport transport;
	uint64_t size;
	uint64_t depth;
};

struct figures {
	const char *transport;
	uint64_t bytes;
	double gbit_s;
	double near_cpu; /* seconds per GiB */
	double far_cpu;
	double near_rss; /* MiB */
	double far_rss;
};

/* Splits "64K,1M" into numbers of at least @min; how many, or 0 after a complaint. */
static size_t parse_list(const char *option, const char *text, uint64_t min, uint64_t max,
			 uint64_t ret[MAX_POINTS])
{
	char *copy = strdup(text), *save = NULL, *word;
	size_t nr = 0;
	bool is_ok = copy;

	for (word = copy ? strtok_r(copy, ",", &save) : NULL; word && is_ok;
	     word = strtok_r(NULL, ",", &save)) {
		is_ok = nr < MAX_POINTS && !hearth_parse_size(word, &ret[nr]) && ret[nr] >= min &&
			ret[nr] <= max;
		nr++;
	}
	free(copy);
	if (is_ok && nr)
		return nr;
	hearth_complain("--%s=%s: give up to %d numbers from %llu to %llu, separated by commas",
			option, text, MAX_POINTS, (unsigned long long)min, (unsigned long long)max);
	return 0;
}

static bool has_far_file(const struct hearth_command *cmd)
{
	const char *path = cmd->destination.path;

	if (hearth_url_is(cmd->destination.host))
		return strchr(path, '/') && path[strlen(path) - 1] != '/';
	return *path && strcmp(path, ".");
}

static double per_gib(uint64_t ns, uint64_t bytes)
{
	return (double)ns / 1e9 / ((double)bytes / (double)(1u << 30));
}

static const char *name_transport(const struct row *row, const struct hearth_route *route)
{
	if (row->transport == HEARTH_TRANSPORT_RDMA)
		return route->mode && *route->mode == 'w' ? "rdma-write" : "rdma-read";
	return row->bench & HEARTH_BENCH_SPLICE ? "tcp-splice" : "tcp";
}

/* Runs one row; the exit code of its job. */
static enum hearth_exit measure(const struct hearth_command *cmd, const struct row *row,
				struct figures *ret)
{
	struct hearth_command one = *cmd;
	struct hearth_report report;
	struct hearth_job job;
	enum hearth_exit code;
	uint64_t cpu_ns;

	one.opt.bench = row->bench;
	one.transport = row->transport;
	one.opt.block_bytes = (uint32_t)row->size;
	one.nr_streams = (uint32_t)row->depth;
	one.opt.spares_streams = false;
	one.is_json = false;
	one.progress = HEARTH_PROGRESS_OFF;
	hearth_job_init(&job, &one.opt);
	if (hearth_report_start(&report, &one, &job))
		return HEARTH_EXIT_SYSTEM;
	cpu_ns = hearth_cpu_ns();
	code = hearth_run_remote(&one, &job, &report);
	hearth_report_stop(&report, code);
	if (code == HEARTH_EXIT_OK)
		*ret = (struct figures){
			.transport = name_transport(row, &report.route),
			.bytes = job.count.bytes_moved,
			.gbit_s = (double)job.count.bytes_moved * 8 / (double)job.count.run_ns,
			.near_cpu = per_gib(hearth_cpu_ns() - cpu_ns, job.count.bytes_moved),
			.far_cpu = per_gib(job.count.far_cpu_ns, job.count.bytes_moved),
			.near_rss = (double)hearth_peak_kib() / 1024,
			.far_rss = (double)job.count.far_rss_kib / 1024,
		};
	hearth_job_exit(&job);
	return code;
}

static void print_heading(const struct hearth_command *cmd)
{
	char bytes[32];

	if (cmd->is_json)
		return;
	hearth_format_size(bytes, sizeof(bytes), cmd->opt.bench_bytes);
	printf("%s a row, checksums %s; CPU in seconds per GiB\n", bytes,
	       cmd->opt.flags & HEARTH_UNHASHED ? "off" : "on");
	printf("%-16s %-10s %9s %5s %9s %9s %9s\n", "", "transport", "message", "depth", "Gb/s",
	       "CPU here", "CPU there");
}

static void print_row(const struct hearth_command *cmd, const struct row *row,
		      const struct figures *f)
{
	json_t *line;
	char size[32], *text;

	if (!cmd->is_json) {
		printf("%-16s %-10s %9s %5llu %9.2f %9.3f %9.3f\n", row->name, f->transport,
		       hearth_format_size(size, sizeof(size), row->size),
		       (unsigned long long)row->depth, f->gbit_s, f->near_cpu, f->far_cpu);
		fflush(stdout);
		return;
	}
	line = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:b, s:f, s:f, s:f, s:f, s:f}", "event",
			 "bench", "case", row->name, "transport", f->transport, "message_bytes",
			 (json_int_t)row->size, "depth", (json_int_t)row->depth, "bytes",
			 (json_int_t)f->bytes, "hashed",
			 !(cmd->opt.flags & HEARTH_UNHASHED), "gbit_s", f->gbit_s,
			 "cpu_s_per_gib_here", f->near_cpu, "cpu_s_per_gib_there", f->far_cpu,
			 "rss_mib_here", f->near_rss, "rss_mib_there", f->far_rss);
	text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	if (text)
		puts(text);
	fflush(stdout);
	free(text);
	json_decref(line);
}

/* All sizes and depths of one case. */
static enum hearth_exit sweep(const struct hearth_command *cmd, const char *name, uint8_t bench,
			      enum hearth_transport transport)
{
	uint64_t sizes[MAX_POINTS], depths[MAX_POINTS];
	size_t nr_sizes = parse_list("sizes", cmd->bench.sizes, HEARTH_BLOCK_MIN_PAYLOAD,
				     HEARTH_BLOCK_MAX_PAYLOAD, sizes);
	size_t nr_depths = nr_sizes ? parse_list("depths", cmd->bench.depths, 1, HEARTH_MAX_STREAMS,
						 depths)
				    : 0;
	enum hearth_exit code = nr_depths ? HEARTH_EXIT_OK : HEARTH_EXIT_USAGE;

	for (size_t i = 0; i < nr_sizes * nr_depths && code == HEARTH_EXIT_OK; i++) {
		struct row row = { name, bench, transport, sizes[i / nr_depths],
				   depths[i % nr_depths] };
		struct figures f;

		code = measure(cmd, &row, &f);
		if (code == HEARTH_EXIT_OK)
			print_row(cmd, &row, &f);
	}
	return code;
}

static bool set_up(struct hearth_command *cmd)
{
	struct stat st;

	cmd->opt.bench_bytes = cmd->bench.bytes ? cmd->bench.bytes : DEFAULT_BYTES;
	if (!cmd->bench.sizes)
		cmd->bench.sizes = strdup("64K,256K,512K,1M");
	if (!cmd->bench.depths)
		cmd->bench.depths = strdup("1,2,4");
	if (!cmd->destination.host) {
		free(cmd->rsh);
		cmd->rsh = strdup(HERE_RSH);
		cmd->destination.host = strdup(HERE_HOST);
	}
	if (!cmd->bench.sizes || !cmd->bench.depths || !cmd->rsh || !cmd->destination.host)
		return hearth_complain("out of memory");
	if (!cmd->bench.from)
		return true;
	if (stat(cmd->bench.from, &st) || !S_ISREG(st.st_mode) || !st.st_size)
		return hearth_complain("--from=%s: is no file with something in it",
				       cmd->bench.from);
	cmd->sources = &cmd->bench.from;
	cmd->nr_sources = 1;
	return true;
}

/* All cases over one transport; @how: further bits of enum hearth_bench. */
static enum hearth_exit run_cases(const struct hearth_command *cmd, uint8_t how,
				  enum hearth_transport transport)
{
	static const uint8_t memory = HEARTH_BENCH_FROM_MEMORY | HEARTH_BENCH_TO_MEMORY;
	enum hearth_exit code = sweep(cmd, "memory to memory", memory | how, transport);

	if (!code && cmd->bench.from)
		code = sweep(cmd, "file to memory", HEARTH_BENCH_TO_MEMORY | how, transport);
	if (!code && has_far_file(cmd))
		code = sweep(cmd, "memory to file", HEARTH_BENCH_FROM_MEMORY | how, transport);
	return code;
}

enum hearth_exit hearth_run_bench(struct hearth_command *cmd)
{
	enum hearth_exit code = set_up(cmd) ? HEARTH_EXIT_OK : HEARTH_EXIT_USAGE;
	bool splices = cmd->opt.seal == HEARTH_SEAL_NONE && !cmd->opt.compress_level;
	bool has_tcp = cmd->transport != HEARTH_TRANSPORT_RDMA;
	bool has_rdma = cmd->transport == HEARTH_TRANSPORT_RDMA ||
			(cmd->transport == HEARTH_TRANSPORT_AUTO && hearth_rdma_has_device() &&
			 !cmd->opt.compress_level && !cmd->opt.congestion &&
			 cmd->data_path <= HEARTH_DATA_DIRECT);

	if (code == HEARTH_EXIT_OK)
		print_heading(cmd);
	if (!code && has_tcp)
		code = run_cases(cmd, 0, HEARTH_TRANSPORT_TCP);
	if (!code && has_tcp && splices)
		code = run_cases(cmd, HEARTH_BENCH_SPLICE, HEARTH_TRANSPORT_TCP);
	if (!code && has_rdma)
		code = run_cases(cmd, 0, HEARTH_TRANSPORT_RDMA);
	/* They belong to the plan. */
	cmd->sources = NULL;
	cmd->nr_sources = 0;
	return code;
}
