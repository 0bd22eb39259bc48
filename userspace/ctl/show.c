// SPDX-License-Identifier: GPL-2.0-or-later
/* hearthctl list and show: what LUNs there are, and what they are. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "../common/units.h"
#include "ctl.h"

/* What is said of a LUN, in this order. */
static const struct {
	const char *file;
	bool is_size;
} values[] = {
	{ "state", false },	    { "dev_path", false },   { "size_bytes", true },
	{ "block_size", false },    { "mode", false },	     { "cache_bytes", true },
	{ "dirty_bytes", true },    { "home", false },	     { "stripe_bytes", true },
	{ "dispatch", false },	    { "paused", false },     { "pinned", false },
};

#define NR_VALUES (sizeof(values) / sizeof(values[0]))

/* Sizes for people, everything else as the kernel says it. */
static const char *readable(char *buf, size_t len, const char *value, bool is_size)
{
	return is_size ? hearth_format_size(buf, len, strtoull(value, NULL, 10)) : value;
}

static enum ctl_exit list_text(const struct ctl_names *luns)
{
	static const struct {
		const char *file;
		int width;
		bool is_size;
	} columns[] = {
		{ "state", -9, false },	     { "size_bytes", 10, true },  { "mode", -13, false },
		{ "cache_bytes", 10, true }, { "dirty_bytes", 10, true }, { "dev_path", 0, false },
	};
	char value[CTL_VALUE], buf[32];

	printf("%-16s %-9s %10s %-13s %10s %10s %s\n", "LUN", "STATE", "SIZE", "MODE", "CACHE",
	       "DIRTY", "DEVICE");
	for (size_t i = 0; i < luns->nr; i++) {
		printf("%-16s", luns->names[i]);
		for (size_t n = 0; n < sizeof(columns) / sizeof(columns[0]); n++) {
			if (ctl_value(luns->names[i], columns[n].file, value))
				strcpy(value, "-");
			printf(" %*s", columns[n].width,
			       readable(buf, sizeof(buf), value, columns[n].is_size));
		}
		putchar('\n');
	}
	return CTL_OK;
}

static json_t *value_json(const char *value)
{
	char *end;
	unsigned long long number = strtoull(value, &end, 10);

	if (*value && !*end)
		return json_integer((json_int_t)number);
	return json_string(value);
}

static json_t *lun_json(const char *lun)
{
	json_t *object = json_pack("{s:s}", "name", lun);
	char value[CTL_VALUE];

	for (size_t i = 0; i < NR_VALUES; i++) {
		if (!ctl_value(lun, values[i].file, value))
			json_object_set_new(object, values[i].file, value_json(value));
	}
	return object;
}

static enum ctl_exit show_json(const struct ctl_names *luns)
{
	json_t *array = json_array();

	for (size_t i = 0; i < luns->nr; i++)
		json_array_append_new(array, lun_json(luns->names[i]));
	json_dumpf(array, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(array);
	return CTL_OK;
}

enum ctl_exit ctl_list_luns(const struct ctl_options *opt)
{
	struct ctl_names luns;
	enum ctl_exit code = ctl_luns(opt, &luns);

	if (code)
		return code;
	code = opt->format == CTL_JSON ? show_json(&luns) : list_text(&luns);
	ctl_free(&luns);
	return code;
}

static void show_nodes(const char *lun)
{
	struct ctl_names nodes;
	uint64_t frames, limit, dirty;
	char buf[3][32];

	if (ctl_list(&nodes, "node", "/sys/class/hearth/%s", lun))
		return;
	for (size_t i = 0; i < nodes.nr; i++) {
		if (ctl_node_value(lun, nodes.names[i], "frames", &frames) ||
		    ctl_node_value(lun, nodes.names[i], "limit_frames", &limit) ||
		    ctl_node_value(lun, nodes.names[i], "dirty_frames", &dirty))
			continue;
		printf("  %-14s %s of %s cached, %s of it dirty\n", nodes.names[i],
		       hearth_format_size(buf[0], sizeof(buf[0]), frames << 12),
		       hearth_format_size(buf[1], sizeof(buf[1]), limit << 12),
		       hearth_format_size(buf[2], sizeof(buf[2]), dirty << 12));
	}
	ctl_free(&nodes);
}

static void show_text(const char *lun)
{
	char value[CTL_VALUE], buf[32];

	printf("%s\n", lun);
	for (size_t i = 0; i < NR_VALUES; i++) {
		const char *name = values[i].file;
		int len = (int)strcspn(name, "_");

		if (ctl_value(lun, name, value) || !*value)
			continue;
		if (!strcmp(name, "block_size"))
			len = (int)strlen(name);
		printf("  %-14.*s %s\n", len, name,
		       readable(buf, sizeof(buf), value, values[i].is_size));
	}
	show_nodes(lun);
}

enum ctl_exit ctl_show(const struct ctl_options *opt)
{
	struct ctl_names luns;
	enum ctl_exit code = ctl_luns(opt, &luns);

	if (code)
		return code;
	if (opt->format == CTL_JSON)
		code = show_json(&luns);
	for (size_t i = 0; opt->format == CTL_TEXT && i < luns.nr; i++)
		show_text(luns.names[i]);
	ctl_free(&luns);
	return code;
}
