/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of hearthcp. */
#ifndef HEARTH_OPTIONS_H
#define HEARTH_OPTIONS_H

#include <hearth/mover.h>
#include <string.h>

#include "certs.h"
#include "filter.h"
#include "route.h"

#define HEARTH_URL "hearth://"

static inline bool hearth_url_is(const char *text)
{
	return text && !strncmp(text, HEARTH_URL, sizeof(HEARTH_URL) - 1);
}

/* Where a source or destination lies. */
struct hearth_location {
	char *host; /* as ssh takes it, user included, or "hearth://[user@]host[:port]"; NULL: here
		     */
	char *path;
};

enum hearth_data_path {
	HEARTH_DATA_AUTO, /* direct, else reverse, else inside ssh */
	HEARTH_DATA_DIRECT,
	HEARTH_DATA_REVERSE, /* the far end connects to this one */
	HEARTH_DATA_SSH,
};

enum hearth_progress {
	HEARTH_PROGRESS_AUTO, /* on a terminal */
	HEARTH_PROGRESS_ON,
	HEARTH_PROGRESS_OFF,
};

/* hearthcp bench: what is to be measured. */
struct hearth_bench_plan {
	char *from; /* a file to read, or NULL */
	char *sizes; /* of messages, separated by commas */
	char *depths;
	uint64_t bytes; /* each time */
};

struct hearth_command {
	struct hearth_options opt;
	uint32_t nr_streams;
	uint16_t port_low;
	uint16_t port_high;
	enum hearth_data_path data_path;
	enum hearth_transport transport;
	enum hearth_rdma_mode rdma_mode;
	bool lengthens_blocks; /* over RDMA, where nobody said how long they are to be */
	bool says_transport; /* by --transport itself */
	enum hearth_progress progress;
	bool is_json;
	bool is_quiet;
	bool shows_stats;
	bool shows_names; /* -v */
	bool shows_items; /* -i */
	bool reads_stdin; /* the source is "-" */
	bool writes_stdout; /* the destination is "-" */
	char *rsh;
	char *hearthd_path;
	char *key_file; /* for daemons; NULL: the usual place */
	struct hearth_certs certs; /* for daemons, instead of a key */
	char *peer_name; /* that the daemon's certificate has; NULL: the host's */
	uint32_t nr_sources;
	char **sources; /* paths at the source end */
	char *source_host; /* NULL: here */
	struct hearth_filter filter;
	struct hearth_names names; /* --files-from */
	struct hearth_location destination;
	bool is_bench;
	struct hearth_bench_plan bench;
};

/*
 * Parses the command line. True: go on; false: exit with @ret_code, all is said. Free with
 * hearth_command_exit().
 */
bool hearth_command_parse(struct hearth_command *cmd, int argc, const char **argv,
			  enum hearth_exit *ret_code);
/* places.c: the arguments that are no options. */
bool hearth_command_take_places(struct hearth_command *cmd, const char **args);

/* publish_options.c */
void hearth_command_take_publish(struct hearth_command *cmd);
bool hearth_command_check_publish(struct hearth_command *cmd);
/* lun_command.c: which ends are LUNs, and what goes with that. */
bool hearth_command_check_luns(struct hearth_command *cmd);

/*
 * expect.c: the names that a pull may bring at the top: those of the sources or of the list; none
 * if the content of a directory is meant, and so any may come. 0 or -ENOMEM.
 */
int hearth_command_expect(const struct hearth_command *cmd, struct hearth_names *ret);

/* As --data has it. */
const char *hearth_data_path_name(enum hearth_data_path path);

/* help.c; both complain()s return false. */
void hearth_print_help(void);
bool hearth_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool hearth_complain_option(const char *option, const char *why);
void hearth_command_exit(struct hearth_command *cmd);

#endif
