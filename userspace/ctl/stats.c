// SPDX-License-Identifier: GPL-2.0-or-later
/* hearthctl stats: what each node of a LUN has done, for people, programs and Prometheus. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

const struct ctl_number ctl_numbers[] = {
	{ "hits", false, "Frames that reads found in the cache" },
	{ "misses", false, "Frames that reads had to fill" },
	{ "ahead", false, "Frames filled before anybody read them" },
	{ "flipped_bytes", false, "Served by exchanging page references" },
	{ "local_bytes", false, "Copied with source, destination and CPU on one node" },
	{ "remote_bytes", false, "Copied otherwise" },
	{ "remote_stored_bytes", false, "Copied to another node than the CPU's" },
	{ "handed_over", false, "Requests that the node's threads were given" },
	{ "rehomed", false, "Frames moved here from other nodes" },
	{ "evictions", false, "Frames taken away to make room" },
	{ "reclaims", false, "Frames given back because the node was short of memory" },
	{ "bypasses", false, "Requests that went past the cache for want of frames" },
	{ "cleaned", false, "Frames written back" },
	{ "frames", true, "Frames of 4096 bytes held now" },
	{ "dirty_frames", true, "Frames that the device does not hold yet" },
	{ "limit_frames", true, "Frames and metadata that the node may hold" },
	{ "metadata_bytes", true, "Memory of the index and the queues" },
	{ "memory_bytes", true, "Memory in all" },
};

const size_t ctl_nr_numbers = sizeof(ctl_numbers) / sizeof(ctl_numbers[0]);

/* Of a LUN as a whole. */
static const struct ctl_number lun_numbers[] = {
	{ "size_bytes", true, "Size of the LUN" },
	{ "cache_bytes", true, "Memory that its cache may take" },
	{ "dirty_bytes", true, "What its device does not hold yet" },
};

#define NR_LUN_NUMBERS (sizeof(lun_numbers) / sizeof(lun_numbers[0]))

static const char *const states[] = { "ok", "degraded", "gone" };

static void stats_text(const char *lun, const struct ctl_names *nodes)
{
	uint64_t value;

	printf("%-20s", lun);
	for (size_t i = 0; i < nodes->nr; i++)
		printf(" %16s", nodes->names[i]);
	putchar('\n');
	for (size_t n = 0; n < ctl_nr_numbers; n++) {
		printf("  %-18s", ctl_numbers[n].name);
		for (size_t i = 0; i < nodes->nr; i++) {
			if (ctl_node_value(lun, nodes->names[i], ctl_numbers[n].name, &value))
				printf(" %16s", "-");
			else
				printf(" %16" PRIu64, value);
		}
		putchar('\n');
	}
}

static json_t *node_json(const char *lun, const char *node)
{
	json_t *object = json_pack("{s:i}", "node", atoi(node + strlen("node")));
	uint64_t value;

	for (size_t n = 0; n < ctl_nr_numbers; n++) {
		if (!ctl_node_value(lun, node, ctl_numbers[n].name, &value))
			json_object_set_new(object, ctl_numbers[n].name,
					    json_integer((json_int_t)value));
	}
	return object;
}

static json_t *stats_json(const char *lun, const struct ctl_names *nodes)
{
	json_t *array = json_array(), *object = json_pack("{s:s}", "name", lun);
	char value[CTL_VALUE];

	if (!ctl_value(lun, "state", value))
		json_object_set_new(object, "state", json_string(value));
	for (size_t n = 0; n < NR_LUN_NUMBERS; n++) {
		if (!ctl_value(lun, lun_numbers[n].name, value))
			json_object_set_new(object, lun_numbers[n].name,
					    json_integer(strtoll(value, NULL, 10)));
	}
	for (size_t i = 0; i < nodes->nr; i++)
		json_array_append_new(array, node_json(lun, nodes->names[i]));
	json_object_set_new(object, "nodes", array);
	return object;
}

/* The value of a label: backslash and quotes are escaped. */
static void print_label(const char *name)
{
	printf("{lun=\"");
	for (; *name; name++) {
		if (*name == '\\' || *name == '"')
			putchar('\\');
		putchar(*name);
	}
	putchar('"');
}

/* What stands before a metric's samples. */
static void print_family(const struct ctl_number *number)
{
	printf("# TYPE hearth_%s %s\n", number->name, number->is_gauge ? "gauge" : "counter");
	if (strstr(number->name, "_bytes"))
		printf("# UNIT hearth_%s bytes\n", number->name);
	printf("# HELP hearth_%s %s.\n", number->name, number->help);
}

static void node_metric(const struct ctl_number *number, const struct ctl_names *luns,
			const struct ctl_names *nodes)
{
	uint64_t value;

	print_family(number);
	for (size_t l = 0; l < luns->nr; l++) {
		for (size_t i = 0; i < nodes[l].nr; i++) {
			if (ctl_node_value(luns->names[l], nodes[l].names[i], number->name, &value))
				continue;
			printf("hearth_%s%s", number->name, number->is_gauge ? "" : "_total");
			print_label(luns->names[l]);
			printf(",node=\"%s\"} %" PRIu64 "\n", nodes[l].names[i] + strlen("node"),
			       value);
		}
	}
}

static void lun_metric(const struct ctl_number *number, const struct ctl_names *luns)
{
	char value[CTL_VALUE];

	print_family(number);
	for (size_t l = 0; l < luns->nr; l++) {
		if (ctl_value(luns->names[l], number->name, value))
			continue;
		printf("hearth_%s", number->name);
		print_label(luns->names[l]);
		printf("} %s\n", value);
	}
}

static void state_metric(const struct ctl_names *luns)
{
	char value[CTL_VALUE];

	puts("# TYPE hearth_state stateset\n# HELP hearth_state What the LUN's device is like.");
	for (size_t l = 0; l < luns->nr; l++) {
		if (ctl_value(luns->names[l], "state", value))
			continue;
		for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
			printf("hearth_state");
			print_label(luns->names[l]);
			printf(",hearth_state=\"%s\"} %d\n", states[i], !strcmp(states[i], value));
		}
	}
}

static void stats_openmetrics(const struct ctl_names *luns, const struct ctl_names *nodes)
{
	state_metric(luns);
	for (size_t n = 0; n < NR_LUN_NUMBERS; n++)
		lun_metric(&lun_numbers[n], luns);
	for (size_t n = 0; n < ctl_nr_numbers; n++)
		node_metric(&ctl_numbers[n], luns, nodes);
	puts("# EOF");
}

static void print_stats(enum ctl_format format, const struct ctl_names *luns,
			const struct ctl_names *nodes)
{
	json_t *array;

	if (format == CTL_OPENMETRICS) {
		stats_openmetrics(luns, nodes);
		return;
	}
	array = json_array();
	for (size_t l = 0; l < luns->nr; l++) {
		if (format == CTL_JSON)
			json_array_append_new(array, stats_json(luns->names[l], &nodes[l]));
		else
			stats_text(luns->names[l], &nodes[l]);
	}
	if (format == CTL_JSON) {
		json_dumpf(array, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(array);
}

enum ctl_exit ctl_stats(const struct ctl_options *opt)
{
	struct ctl_names luns, *nodes;
	enum ctl_exit code = ctl_luns(opt, &luns);

	if (code)
		return code;
	nodes = calloc(luns.nr + 1, sizeof(*nodes));
	if (!nodes)
		abort();
	for (size_t l = 0; l < luns.nr; l++)
		ctl_list(&nodes[l], "node", "/sys/class/hearth/%s", luns.names[l]);
	print_stats(opt->format, &luns, nodes);
	for (size_t l = 0; l < luns.nr; l++)
		ctl_free(&nodes[l]);
	free(nodes);
	ctl_free(&luns);
	return CTL_OK;
}
