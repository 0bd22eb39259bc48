/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of hearthcp. */
#ifndef HEARTH_OPTIONS_H
#define HEARTH_OPTIONS_H

#include <hearth/mover.h>

#include "filter.h"

/* Where a source or destination lies. */
struct hearth_location {
	char *host; /* as ssh takes it, user included; NULL: here */
	char *path;
};

enum hearth_data_path {
	HEARTH_DATA_AUTO,   /* direct, else inside ssh */
	HEARTH_DATA_DIRECT,
	HEARTH_DATA_SSH,
};

enum hearth_progress {
	HEARTH_PROGRESS_AUTO, /* on a terminal */
	HEARTH_PROGRESS_ON,
	HEARTH_PROGRESS_OFF,
};

struct hearth_command {
	struct hearth_options opt;
	uint32_t nr_streams;
	uint16_t port_low;
	uint16_t port_high;
	enum hearth_data_path data_path;
	enum hearth_progress progress;
	bool is_json;
	bool is_quiet;
	bool shows_stats;
	char *rsh;
	char *hearthd_path;
	uint32_t nr_sources;
	char **sources;    /* paths at the source end */
	char *source_host; /* NULL: here */
	struct hearth_filter filter;
	struct hearth_location destination;
};

/*
 * Parses the command line. True: go on; false: exit with @ret_code, all is said. Free with
 * hearth_command_exit().
 */
bool hearth_command_parse(struct hearth_command *cmd, int argc, const char **argv,
			  enum hearth_exit *ret_code);
void hearth_command_exit(struct hearth_command *cmd);

#endif
