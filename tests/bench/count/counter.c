// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plugin of QEMU's emulator: what each CPU of a guest executes, loads and stores, and where
 * that memory lies.
 *
 *   -plugin counter.so,out=DIR,cpus=0:0:1:1,mib=2048:2048
 *
 * "cpus" gives the node of each CPU, "mib" the memory of each node, which must
 * be one memory backend each, made in this order. A program in the guest
 * switches by marks (marks.h), so that a guest boots at full speed: only while
 * it is armed is every instruction instrumented, and only between two marks is
 * anything counted.
 *
 * Arming reads DIR/map, lines "START END GROUP" (hexadecimal, END excluded, in
 * ascending order): code between these virtual addresses counts for the group
 * of that name. The rest is "user" below the middle of the address space,
 * "kernel" above it. A line that ends in the word "enter" makes all that its CPU
 * executes from there on count for its group, until code whose line ends in
 * "leave" runs: an interrupt, with all that it calls. When everything is
 * instrumented, DIR/state holds the number of the arming.
 *
 * The end of a count appends to DIR/counts, for each CPU and group that did anything,
 *
 *   COUNT CPU GROUP INSNS LOAD-LOCAL LOAD-REMOTE STORE-LOCAL STORE-REMOTE OTHER FOREIGN
 *
 * with bytes loaded and stored by the node of their memory; OTHER is bytes that
 * belong to no node (device memory), FOREIGN the number of stores to cache lines
 * that another CPU stored to last. A read-modify-write counts as a store.
 */
#include <inttypes.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "marks.h"
#include "qemu-plugin.h"

#define NR_CPUS_MAX 64
#define NR_NODES_MAX 16
#define NR_GROUPS_MAX (1 << 18)
#define LINE_SHIFT 6
#define MARK_SIZE 8

struct tally {
	uint64_t insns;
	uint64_t bytes[2][2]; /* store? remote? */
	uint64_t other_bytes;
	uint64_t foreign_stores;
};

enum passage {
	PASSAGE_NONE,
	PASSAGE_ENTER,
	PASSAGE_LEAVE,
};

struct range {
	uint64_t start;
	uint64_t end;
	uint32_t group;
	enum passage passage;
};

/* One translation block, for as long as the process lives: there are few million at most. */
struct block {
	uint32_t group;
	uint32_t nr_insns;
	enum passage passage;
};

enum group {
	GROUP_USER,
	GROUP_KERNEL,
};

/* A node's memory in the address space in which the emulator keeps RAM. */
static struct {
	uint64_t start;
	uint64_t len_bytes;
	uint64_t first_line;
} nodes[NR_NODES_MAX];

static unsigned int nr_nodes, nr_cpus, node_of_cpu[NR_CPUS_MAX];
/* By cache line: 1 + the CPU that stored last, or 0 if none did since the count began. */
static uint8_t *last_writer;
static size_t nr_lines;

static struct hsearch_data groups;
static char **group_names;
static uint32_t nr_groups;
static struct range *ranges;
static size_t nr_ranges;
static struct tally *tallies[NR_CPUS_MAX];

/* The group that a CPU has entered; GROUP_USER, which cannot be entered, for none. */
static uint32_t entered[NR_CPUS_MAX];

static char *out_dir;
static qemu_plugin_id_t plugin_id;
static unsigned int nr_arms, nr_counts;
static bool is_counting; /* read by every CPU all the time, written by marks */

int qemu_plugin_version = 1;

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("counter: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

static FILE *open_file(const char *name, const char *mode)
{
	char *path;
	FILE *file;

	if (asprintf(&path, "%s/%s", out_dir, name) < 0)
		return NULL;
	file = fopen(path, mode);
	if (!file)
		complain("%s: cannot be opened", path);
	free(path);
	return file;
}

static void *grown(void *array, size_t size)
{
	void *larger = realloc(array, size);

	if (!larger)
		abort();
	return larger;
}

/* --- the map --- */

/*
 * The group of a name, a new one if need be. A map may name every function of a
 * kernel: hence a hash table.
 */
static uint32_t group_find(const char *name)
{
	ENTRY *found, entry = { .key = (char *)name };

	if (hsearch_r(entry, FIND, &found, &groups))
		return (uintptr_t)found->data;
	group_names = grown(group_names, (nr_groups + 1) * sizeof(*group_names));
	group_names[nr_groups] = strdup(name);
	entry.key = group_names[nr_groups];
	entry.data = (void *)(uintptr_t)nr_groups;
	if (!hsearch_r(entry, ENTER, &found, &groups))
		complain("%s: no room for another group", name);
	return nr_groups++;
}

static void tallies_alloc(void)
{
	unsigned int cpu;

	for (cpu = 0; cpu < nr_cpus; cpu++) {
		free(tallies[cpu]);
		tallies[cpu] = calloc(nr_groups, sizeof(struct tally));
	}
}

/* Is it a line of the map? */
static bool parse_range(const char *line, struct range *ret_range)
{
	char name[128], passage[8] = "";

	if (sscanf(line, "%" SCNx64 " %" SCNx64 " %127s %7s",
		   &ret_range->start, &ret_range->end, name, passage) < 3)
		return false;
	ret_range->group = group_find(name);
	ret_range->passage = PASSAGE_NONE;
	if (!strcmp(passage, "enter"))
		ret_range->passage = PASSAGE_ENTER;
	if (!strcmp(passage, "leave"))
		ret_range->passage = PASSAGE_LEAVE;
	return true;
}

static void map_read(void)
{
	struct range range;
	size_t size = 0;
	char line[256];
	FILE *file;

	nr_ranges = 0;
	file = open_file("map", "r");
	while (file && fgets(line, sizeof(line), file) && parse_range(line, &range)) {
		if (nr_ranges == size) {
			size = size ? 2 * size : 1024;
			ranges = grown(ranges, size * sizeof(*ranges));
		}
		ranges[nr_ranges++] = range;
	}
	if (file)
		fclose(file);
	tallies_alloc();
}

/* The range that an address lies in, or NULL. */
static const struct range *range_find(uint64_t vaddr)
{
	size_t low = 0, high = nr_ranges;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (vaddr >= ranges[middle].end)
			low = middle + 1;
		else if (vaddr < ranges[middle].start)
			high = middle;
		else
			return &ranges[middle];
	}
	return NULL;
}

/* --- counting: every CPU writes to its own tallies only --- */

static struct tally *tally_of(unsigned int cpu, const struct block *block)
{
	return &tallies[cpu][entered[cpu] ? entered[cpu] : block->group];
}

static void block_runs(unsigned int cpu, void *userdata)
{
	const struct block *block = userdata;

	if (cpu >= nr_cpus)
		return;
	if (block->passage)
		entered[cpu] = block->passage == PASSAGE_ENTER ? block->group : GROUP_USER;
	if (is_counting)
		tally_of(cpu, block)->insns += block->nr_insns;
}

/* Is this the first store of the CPU to the line since another CPU's? */
static bool line_changes_hands(unsigned int cpu, uint64_t line)
{
	uint8_t before = __atomic_exchange_n(&last_writer[line], cpu + 1, __ATOMIC_RELAXED);

	return before && before != cpu + 1;
}

static void memory_touched(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t vaddr,
			   void *userdata)
{
	bool is_store = qemu_plugin_mem_is_store(info);
	struct qemu_plugin_hwaddr *where;
	const struct block *block = userdata;
	struct tally *tally;
	unsigned int node, len = 1U << qemu_plugin_mem_size_shift(info);
	uint64_t addr;

	if (!is_counting || cpu >= nr_cpus)
		return;
	tally = tally_of(cpu, block);
	where = qemu_plugin_get_hwaddr(info, vaddr);
	if (where && !qemu_plugin_hwaddr_is_io(where)) {
		addr = qemu_plugin_hwaddr_phys_addr(where);
		for (node = 0; node < nr_nodes; node++)
			if (addr - nodes[node].start < nodes[node].len_bytes)
				break;
		if (node < nr_nodes) {
			tally->bytes[is_store][node != node_of_cpu[cpu]] += len;
			addr = nodes[node].first_line + ((addr - nodes[node].start) >> LINE_SHIFT);
			if (is_store && line_changes_hands(cpu, addr))
				tally->foreign_stores++;
			return;
		}
	}
	tally->other_bytes += len;
}

static void count_begin(void)
{
	unsigned int cpu;

	for (cpu = 0; cpu < nr_cpus; cpu++)
		memset(tallies[cpu], 0, nr_groups * sizeof(struct tally));
	memset(last_writer, 0, nr_lines);
	__atomic_store_n(&is_counting, true, __ATOMIC_SEQ_CST);
}

static void tally_print(FILE *file, const struct tally *tally)
{
	fprintf(file, " %" PRIu64, tally->insns);
	fprintf(file, " %" PRIu64 " %" PRIu64, tally->bytes[0][0], tally->bytes[0][1]);
	fprintf(file, " %" PRIu64 " %" PRIu64, tally->bytes[1][0], tally->bytes[1][1]);
	fprintf(file, " %" PRIu64 " %" PRIu64 "\n", tally->other_bytes, tally->foreign_stores);
}

static void count_end(void)
{
	const struct tally *tally;
	unsigned int cpu;
	uint32_t group;
	FILE *file;

	__atomic_store_n(&is_counting, false, __ATOMIC_SEQ_CST);
	nr_counts++;
	file = open_file("counts", "a");
	if (!file)
		return;
	for (cpu = 0; cpu < nr_cpus; cpu++) {
		for (group = 0; group < nr_groups; group++) {
			tally = &tallies[cpu][group];
			if (!tally->insns && !tally->bytes[0][0])
				continue;
			fprintf(file, "%u %u %s", nr_counts, cpu, group_names[group]);
			tally_print(file, tally);
		}
	}
	fclose(file);
}

/* --- switching --- */

static void translate_armed(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
static void translate_idle(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);

/* Runs with all CPUs stopped and no translation left. */
static void armed(qemu_plugin_id_t id)
{
	FILE *file;

	map_read();
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate_armed);
	nr_arms++;
	file = open_file("state", "w");
	if (file) {
		fprintf(file, "%u\n", nr_arms);
		fclose(file);
	}
}

static void disarmed(qemu_plugin_id_t id)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate_idle);
}

static void mark_runs(unsigned int cpu, void *userdata)
{
	(void)cpu;
	switch ((char)(uintptr_t)userdata) {
	case MARK_ARM:
		qemu_plugin_reset(plugin_id, armed);
		break;
	case MARK_DISARM:
		qemu_plugin_reset(plugin_id, disarmed);
		break;
	case MARK_BEGIN:
		count_begin();
		break;
	case MARK_END:
		count_end();
		break;
	}
}

static void insn_find_mark(struct qemu_plugin_insn *insn)
{
	static const uint8_t nop[] = { 0x0f, 0x1f, 0x84, 0x00 };
	const uint8_t *data = qemu_plugin_insn_data(insn);
	uint32_t displacement;

	if (qemu_plugin_insn_size(insn) != MARK_SIZE || memcmp(data, nop, sizeof(nop)))
		return;
	memcpy(&displacement, data + sizeof(nop), sizeof(displacement));
	if ((displacement & ~0xffU) == MARK_MAGIC)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, mark_runs, QEMU_PLUGIN_CB_NO_REGS,
						       (void *)(uintptr_t)(displacement & 0xff));
}

static void translate_idle(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (i = 0; i < n; i++)
		insn_find_mark(qemu_plugin_tb_get_insn(tb, i));
}

static void translate_armed(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);
	struct block *block = malloc(sizeof(*block));
	const struct range *range = range_find(qemu_plugin_tb_vaddr(tb));

	translate_idle(id, tb);
	block->group = qemu_plugin_tb_vaddr(tb) >> 63 ? GROUP_KERNEL : GROUP_USER;
	block->passage = PASSAGE_NONE;
	if (range) {
		block->group = range->group;
		block->passage = range->passage;
	}
	block->nr_insns = n;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, block_runs, QEMU_PLUGIN_CB_NO_REGS, block);
	for (i = 0; i < n; i++)
		qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(tb, i), memory_touched,
						 QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, block);
}

/* --- start --- */

/* Numbers separated by colons; returns how many, or 0 for what is not that. */
static unsigned int parse_numbers(const char *text, unsigned int *ret_numbers, unsigned int max)
{
	unsigned int n = 0;
	char *end;

	do {
		if (n == max || *text < '0' || *text > '9')
			return 0;
		ret_numbers[n++] = strtoul(text, &end, 10);
		text = end + 1;
	} while (*end == ':');
	return *end ? 0 : n;
}

/*
 * What the emulator calls the physical address of RAM is the offset of the memory
 * backend among all RAM plus its offset in the machine's RAM, plus the offset
 * within: the sizes of the nodes before it count twice.
 */
static bool nodes_lay_out(const char *text)
{
	unsigned int mib[NR_NODES_MAX], node;
	uint64_t start = 0;

	nr_nodes = parse_numbers(text, mib, NR_NODES_MAX);
	for (node = 0; node < nr_nodes; node++) {
		nodes[node].start = 2 * start;
		nodes[node].len_bytes = (uint64_t)mib[node] << 20;
		nodes[node].first_line = start >> LINE_SHIFT;
		start += nodes[node].len_bytes;
	}
	nr_lines = start >> LINE_SHIFT;
	last_writer = calloc(nr_lines + 1, 1);
	return nr_nodes && last_writer;
}

static bool parse_argument(const char *argument)
{
	const char *value = strchr(argument, '=');

	if (!value)
		return false;
	value++;
	if (!strncmp(argument, "out=", 4)) {
		out_dir = strdup(value);
		return out_dir;
	}
	if (!strncmp(argument, "cpus=", 5)) {
		nr_cpus = parse_numbers(value, node_of_cpu, NR_CPUS_MAX);
		return nr_cpus;
	}
	return !strncmp(argument, "mib=", 4) && nodes_lay_out(value);
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++) {
		if (!parse_argument(argv[i])) {
			complain("%s: give out=DIR, cpus=NODE:NODE:..., mib=SIZE:SIZE:...",
				 argv[i]);
			return -1;
		}
	}
	if (!out_dir || !nr_cpus || !nr_nodes) {
		complain("give all of out=DIR, cpus=NODE:NODE:..., mib=SIZE:SIZE:...");
		return -1;
	}
	plugin_id = id;
	if (!hcreate_r(NR_GROUPS_MAX, &groups))
		return -1;
	group_find("user");
	group_find("kernel");
	tallies_alloc();
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate_idle);
	return 0;
}
