// SPDX-License-Identifier: GPL-2.0-or-later
/* hearthctl top: what LUNs do just now, node by node. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../common/io.h"
#include "../common/units.h"
#include "ctl.h"

/* What is counted, by its file; the order of the columns. */
enum column { HITS, MISSES, FLIPPED, LOCAL, REMOTE, EVICTIONS, CLEANED, FRAMES, DIRTY, NR_COLUMNS };

static const char *const files[NR_COLUMNS] = {
	[HITS] = "hits",	  [MISSES] = "misses",	      [FLIPPED] = "flipped_bytes",
	[LOCAL] = "local_bytes",  [REMOTE] = "remote_bytes",  [EVICTIONS] = "evictions",
	[CLEANED] = "cleaned",	  [FRAMES] = "frames",	      [DIRTY] = "dirty_frames",
};

/* One node of one LUN. */
struct row {
	char lun[64], node[32];
	uint64_t values[NR_COLUMNS];
};

/* All of them at one time. */
struct picture {
	struct row *rows;
	size_t nr;
	uint64_t at_ns;
};

static bool read_row(struct row *row, const char *lun, const char *node)
{
	snprintf(row->lun, sizeof(row->lun), "%s", lun);
	snprintf(row->node, sizeof(row->node), "%s", node);
	for (int i = 0; i < NR_COLUMNS; i++) {
		if (ctl_node_value(lun, node, files[i], &row->values[i]))
			return false;
	}
	return true;
}

static void read_lun(struct picture *picture, const char *lun)
{
	struct ctl_names nodes;
	struct row *rows;

	if (ctl_list(&nodes, "node", "/sys/class/hearth/%s", lun))
		return; /* it has gone */
	rows = realloc(picture->rows, (picture->nr + nodes.nr) * sizeof(struct row) + 1);
	if (!rows)
		abort();
	picture->rows = rows;
	for (size_t i = 0; i < nodes.nr; i++) {
		if (read_row(&picture->rows[picture->nr], lun, nodes.names[i]))
			picture->nr++;
	}
	ctl_free(&nodes);
}

static enum ctl_exit take_picture(const struct ctl_options *opt, struct picture *picture)
{
	struct ctl_names luns;
	enum ctl_exit code = ctl_luns(opt, &luns);

	*picture = (struct picture){ .at_ns = hearth_now_ns() };
	if (code)
		return code;
	for (size_t i = 0; i < luns.nr; i++)
		read_lun(picture, luns.names[i]);
	ctl_free(&luns);
	return CTL_OK;
}

static const struct row *find(const struct picture *picture, const struct row *row)
{
	for (size_t i = 0; i < picture->nr; i++) {
		const struct row *other = &picture->rows[i];

		if (!strcmp(other->lun, row->lun) && !strcmp(other->node, row->node))
			return other;
	}
	return NULL;
}

/* A counter's growth per second; 0 if the LUN was made anew meanwhile. */
static double rate(const struct row *before, const struct row *now, enum column which,
		   double seconds)
{
	if (!before || now->values[which] < before->values[which])
		return 0;
	return (double)(now->values[which] - before->values[which]) / seconds;
}

static void print_row(const struct row *before, const struct row *now, double seconds)
{
	double hits = rate(before, now, HITS, seconds), misses = rate(before, now, MISSES, seconds);
	char frames[32], dirty[32];

	printf("%-14s %4s %9.0f %9.0f", now->lun, now->node + strlen("node"), hits, misses);
	if (hits + misses > 0)
		printf(" %5.1f%%", 100 * hits / (hits + misses));
	else
		printf(" %6s", "-");
	for (int i = FLIPPED; i <= REMOTE; i++)
		printf(" %9.1f", rate(before, now, (enum column)i, seconds) / (1 << 20));
	printf(" %8.0f %8.0f %10s %10s\n", rate(before, now, EVICTIONS, seconds),
	       rate(before, now, CLEANED, seconds),
	       hearth_format_size(frames, sizeof(frames), now->values[FRAMES] << 12),
	       hearth_format_size(dirty, sizeof(dirty), now->values[DIRTY] << 12));
}

static void print_picture(const struct picture *before, const struct picture *now)
{
	double seconds = (double)(now->at_ns - before->at_ns) / 1e9;

	if (isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	printf("%-14s %4s %9s %9s %6s %9s %9s %9s %8s %8s %10s %10s\n", "LUN", "NODE", "HITS/s",
	       "MISSES/s", "HIT", "FLIP MB/s", "LOC MB/s", "REM MB/s", "EVICT/s", "CLEAN/s",
	       "CACHED", "DIRTY");
	for (size_t i = 0; i < now->nr; i++)
		print_row(find(before, &now->rows[i]), &now->rows[i], seconds);
	fflush(stdout);
}

static void wait_for(double seconds)
{
	struct timespec left = { .tv_sec = (time_t)seconds,
				 .tv_nsec = (long)(fmod(seconds, 1) * 1e9) };

	nanosleep(&left, NULL);
}

enum ctl_exit ctl_top(const struct ctl_options *opt)
{
	struct picture before, now;
	enum ctl_exit code = take_picture(opt, &before);

	for (uint64_t n = 0; !code && (!opt->count || n < opt->count); n++) {
		wait_for(opt->delay);
		code = take_picture(opt, &now);
		if (!code)
			print_picture(&before, &now);
		free(before.rows);
		before = now;
	}
	free(before.rows);
	return code;
}
