// SPDX-License-Identifier: GPL-2.0-or-later
/* --numa: which node an end's threads and blocks are placed on. */
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <libgen.h>
#include <linux/mempolicy.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "control.h"
#include "numa.h"

#define PATH_BYTES 512

static bool read_line(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "re");
	bool is_ok = f && fgets(buf, (int)size, f);

	if (f)
		fclose(f);
	return is_ok;
}

static int read_number(const char *path)
{
	char text[32];

	return read_line(path, text, sizeof(text)) ? atoi(text) : -1;
}

bool hearth_numa_read_cpus(const char *path, cpu_set_t *ret)
{
	char text[1024], *save = NULL, *word;

	CPU_ZERO(ret);
	if (!read_line(path, text, sizeof(text)))
		return false;
	for (word = strtok_r(text, ",\n", &save); word; word = strtok_r(NULL, ",\n", &save)) {
		unsigned int first, last;
		int nr = sscanf(word, "%u-%u", &first, &last);

		for (unsigned int cpu = first; nr > 0 && cpu <= (nr == 2 ? last : first); cpu++)
			if (cpu < CPU_SETSIZE)
				CPU_SET(cpu, ret);
	}
	return true;
}

static bool cpus_of_node(const char *root, int node, cpu_set_t *ret)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/sys/devices/system/node/node%d/cpulist", root, node);
	return hearth_numa_read_cpus(path, ret) && CPU_COUNT(ret);
}

uint32_t hearth_numa_count_nodes(const char *root)
{
	char path[PATH_BYTES];
	cpu_set_t nodes;

	snprintf(path, sizeof(path), "%s/sys/devices/system/node/online", root);
	return hearth_numa_read_cpus(path, &nodes) ? (uint32_t)CPU_COUNT(&nodes) : 1;
}

uint64_t hearth_numa_memory(const char *root, int node)
{
	char path[PATH_BYTES], line[128];
	unsigned long long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/sys/devices/system/node/node%d/meminfo", root, node);
	f = node < 0 ? NULL : fopen(path, "re");
	while (f && !kib && fgets(line, sizeof(line), f))
		if (sscanf(line, "Node %*d MemTotal: %llu", &kib) != 1)
			kib = 0;
	if (f)
		fclose(f);
	return kib ? kib * 1024
		   : (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGE_SIZE);
}

bool hearth_numa_is_disk(const char *root, const char *disk)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/sys/dev/block/%s", root, disk);
	return !access(path, F_OK);
}

/* A disk says it itself, a partition its disk. */
int hearth_numa_node_of_disk(const char *root, const char *disk)
{
	static const char *const places[] = {
		"device/numa_node",
		"device/device/numa_node",
		"device/../numa_node",
		"../device/numa_node",
		"../device/device/numa_node",
		"../device/../numa_node",
	};
	char path[PATH_BYTES];
	int node = -1;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places) && node < 0; i++) {
		snprintf(path, sizeof(path), "%s/sys/dev/block/%s/%s", root, disk, places[i]);
		node = read_number(path);
	}
	return node;
}

/* A virtual card says it where the bus that it is on does. */
int hearth_numa_node_of_card(const char *root, const char *card)
{
	char path[PATH_BYTES];
	int node;

	snprintf(path, sizeof(path), "%s/sys/class/net/%s/device/numa_node", root, card);
	node = read_number(path);
	if (node >= 0)
		return node;
	snprintf(path, sizeof(path), "%s/sys/class/net/%s/device/../numa_node", root, card);
	return read_number(path);
}

/* Whether an interrupt may go to a CPU outside the set. */
static bool is_foreign(const char *root, const char *irq, cpu_set_t *own)
{
	char path[PATH_BYTES];
	cpu_set_t served, both;

	snprintf(path, sizeof(path), "%s/proc/irq/%s/effective_affinity_list", root, irq);
	if (!hearth_numa_read_cpus(path, &served))
		return false;
	CPU_AND(&both, &served, own);
	return !CPU_EQUAL(&both, &served);
}

void hearth_numa_count_irqs(struct hearth_numa *n, const char *root)
{
	char path[PATH_BYTES];
	struct dirent *entry;
	cpu_set_t own;
	DIR *irqs;

	if (n->card_node < 0 || !cpus_of_node(root, n->card_node, &own))
		return;
	snprintf(path, sizeof(path), "%s/sys/class/net/%s/device/msi_irqs", root, n->card);
	irqs = opendir(path);
	if (!irqs) {
		snprintf(path, sizeof(path), "%s/sys/class/net/%s/device/../msi_irqs", root,
			 n->card);
		irqs = opendir(path);
	}
	while (irqs && (entry = readdir(irqs))) {
		if (*entry->d_name == '.')
			continue;
		n->nr_irqs++;
		n->nr_foreign_irqs += is_foreign(root, entry->d_name, &own);
	}
	if (irqs)
		closedir(irqs);
}

/* What does not exist yet will be where its directory is. */
static void name_disk(struct hearth_numa *n, const char *path)
{
	char copy[HEARTH_PATH_MAX];
	struct stat st;

	if (!path)
		return;
	snprintf(copy, sizeof(copy), "%s", path);
	if (!stat(copy, &st) || !stat(dirname(copy), &st))
		snprintf(n->disk, sizeof(n->disk), "%u:%u", major(st.st_dev), minor(st.st_dev));
}

static bool is_same_address(const struct sockaddr *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)b;
	const struct in_addr *mapped = (const struct in_addr *)&six->sin6_addr.s6_addr[12];

	if (!a)
		return false;
	if (a->sa_family == AF_INET && b->ss_family == AF_INET6)
		return IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) &&
		       ((const struct sockaddr_in *)a)->sin_addr.s_addr == mapped->s_addr;
	if (a->sa_family != b->ss_family)
		return false;
	if (a->sa_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	return a->sa_family == AF_INET6 &&
	       !memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr, &six->sin6_addr,
		       sizeof(six->sin6_addr));
}

/* The card that has the address of this end of the socket. */
static void name_card(struct hearth_numa *n, int fd)
{
	struct sockaddr_storage own = { 0 };
	socklen_t len = sizeof(own);
	struct ifaddrs *all = NULL;

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&own, &len) || getifaddrs(&all))
		return;
	for (const struct ifaddrs *a = all; a && !*n->card; a = a->ifa_next)
		if (is_same_address(a->ifa_addr, &own))
			snprintf(n->card, sizeof(n->card), "%s", a->ifa_name);
	freeifaddrs(all);
}

void hearth_numa_read(struct hearth_numa *n, const char *root, const char *path, int fd)
{
	*n = (struct hearth_numa){ .disk_node = -1, .card_node = -1 };
	n->nr_nodes = hearth_numa_count_nodes(root);
	name_disk(n, path);
	name_card(n, fd);
	if (*n->disk) {
		n->is_on_disk = hearth_numa_is_disk(root, n->disk);
		n->disk_node = hearth_numa_node_of_disk(root, n->disk);
	}
	if (*n->card)
		n->card_node = hearth_numa_node_of_card(root, n->card);
	hearth_numa_count_irqs(n, root);
}

static void describe(char *buf, size_t size, int node)
{
	if (node < 0)
		snprintf(buf, size, "anywhere");
	else
		snprintf(buf, size, "on node %d", node);
}

static void show(const struct hearth_numa *n, struct hearth_job *job)
{
	const char *pages = "ordinary memory, since too few huge pages are set aside";
	char storage[32], network[32];

	if (n->has_huge_pages)
		pages = "huge pages";
	if (n->nr_nodes < 2) {
		hearth_job_note(job, HEARTH_NOTE_WARNING, "",
				"numa: the %s has one node; nothing to place; blocks in %s", n->end,
				pages);
		return;
	}
	describe(storage, sizeof(storage), n->disk_node);
	describe(network, sizeof(network), n->card_node);
	hearth_job_note(job, HEARTH_NOTE_WARNING, "",
			"numa: the %s has %u nodes; storage threads %s (disk %s), network threads and blocks %s (card %s); blocks in %s",
			n->end, n->nr_nodes, storage, *n->disk ? n->disk : "none", network,
			*n->card ? n->card : "none", pages);
}

void hearth_numa_plan(struct hearth_numa *n, uint8_t mode)
{
	if (mode == HEARTH_NUMA_OFF || n->nr_nodes < 2) {
		n->disk_node = -1;
		n->card_node = -1;
		n->nr_foreign_irqs = 0;
	} else if (mode >= HEARTH_NUMA_NODE) {
		n->disk_node = mode - HEARTH_NUMA_NODE;
		n->card_node = n->disk_node;
	}
}

int hearth_numa_node_for(const struct hearth_numa *n, uint8_t mode, const char *disk)
{
	if (mode >= HEARTH_NUMA_NODE || mode == HEARTH_NUMA_OFF || n->nr_nodes < 2)
		return n->disk_node;
	return hearth_numa_node_of_disk("", disk);
}

static bool is_shown(uint8_t mode)
{
	return mode == HEARTH_NUMA_SHOW || mode >= HEARTH_NUMA_NODE;
}

void hearth_numa_tell_disk(const struct hearth_numa *n, struct hearth_job *job, const char *disk,
			   int node, uint32_t nr_threads)
{
	char where[32];

	if (!is_shown(job->opt.numa))
		return;
	describe(where, sizeof(where), node);
	hearth_job_note(job, HEARTH_NOTE_WARNING, "",
			"numa: the %s has %u storage threads of their own for disk %s, %s", n->end,
			nr_threads, disk, where);
}

void hearth_numa_tell(const struct hearth_numa *n, struct hearth_job *job)
{
	uint8_t mode = job->opt.numa;

	if (n->nr_foreign_irqs)
		hearth_job_note(job, HEARTH_NOTE_WARNING, "",
				"numa: %u of the %u interrupts of %s at the %s go to CPUs of other nodes; see /proc/irq/*/smp_affinity_list",
				n->nr_foreign_irqs, n->nr_irqs, n->card, n->end);
	if (is_shown(mode))
		show(n, job);
}

void hearth_numa_bind_thread(int node)
{
	cpu_set_t cpus;

	if (node >= 0 && cpus_of_node("", node, &cpus))
		sched_setaffinity(0, sizeof(cpus), &cpus);
}

void hearth_numa_bind_memory(int node, void *memory, size_t len)
{
	unsigned long nodes[4] = { 0 };

	if (node < 0 || (size_t)node >= 8 * sizeof(nodes))
		return;
	nodes[(size_t)node / (8 * sizeof(*nodes))] |= 1ul << ((size_t)node % (8 * sizeof(*nodes)));
	syscall(SYS_mbind, memory, len, MPOL_PREFERRED, nodes, 8 * sizeof(nodes), 0);
}
