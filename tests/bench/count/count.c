// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's side of the counter (counter.c): switch it, or give it known work to count.
 *
 *   count arm DIR              instrument by DIR/map; returns when it is in force
 *   count disarm
 *   count begin | end          count what happens between the two
 *   count map                  print the lines of the map for what follows
 *   count copy BYTES FROM TO CPU
 *                              on that CPU, copy from memory of node FROM to memory of node TO:
 *                              that many bytes, in words of six instructions each ("copy_words")
 *   count read BYTES FROM TO CPU
 *                              the same, but let the kernel copy, from a file in memory
 *   count bounce LINES CPU CPU store to each line on the one CPU, then on the other ("store_lines")
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "marks.h"
#include "work.h"

#define LINE_BYTES 64

static void die(const char *what)
{
	fprintf(stderr, "count: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned int state_read(const char *path)
{
	unsigned int state = 0;
	FILE *file = fopen(path, "r");

	if (file && fscanf(file, "%u", &state) != 1)
		state = 0;
	if (file)
		fclose(file);
	return state;
}

static void arm(const char *dir)
{
	unsigned int before, tries = 6000;
	char path[4096];

	snprintf(path, sizeof(path), "%s/state", dir);
	before = state_read(path);
	mark(MARK_ARM);
	/* the emulator tells nobody; it has a minute to translate the guest anew */
	while (state_read(path) == before) {
		if (!tries--) {
			errno = ETIMEDOUT;
			die("the emulator does not say that it counts; is it run with the plugin?");
		}
		usleep(10000);
	}
}

static void run_on(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("CPU");
}

static void allocate_on(unsigned int node)
{
	unsigned long mask = 1UL << node;

	if (syscall(SYS_set_mempolicy, MPOL_BIND, &mask, 8 * sizeof(mask)))
		die("node");
}

static void *memory_on(unsigned int node, size_t len_bytes)
{
	void *memory;

	allocate_on(node);
	memory = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED)
		die("memory");
	return memory;
}

static void copy(size_t len_bytes, unsigned int from, unsigned int to, unsigned int cpu)
{
	void *source = memory_on(from, len_bytes), *target = memory_on(to, len_bytes);

	run_on(cpu);
	mark(MARK_BEGIN);
	copy_words(target, source, len_bytes / sizeof(uint64_t));
	mark(MARK_END);
}

static void read_file(size_t len_bytes, unsigned int from, unsigned int to, unsigned int cpu)
{
	void *source = memory_on(from, len_bytes), *target = memory_on(to, len_bytes);
	int fd = memfd_create("count", 0);

	allocate_on(from);
	if (fd < 0 || write(fd, source, len_bytes) != (ssize_t)len_bytes)
		die("file in memory");
	run_on(cpu);
	mark(MARK_BEGIN);
	if (pread(fd, target, len_bytes, 0) != (ssize_t)len_bytes)
		die("file in memory");
	mark(MARK_END);
}

static void bounce(size_t nr_lines, unsigned int first, unsigned int second)
{
	uint8_t *lines = memory_on(0, nr_lines * LINE_BYTES);

	run_on(first);
	mark(MARK_BEGIN);
	store_lines(lines, nr_lines);
	run_on(second);
	store_lines(lines, nr_lines);
	mark(MARK_END);
}

int main(int argc, char **argv)
{
	size_t numbers[4] = { 0 };
	const char *what = argc > 1 ? argv[1] : "";
	int i;

	for (i = 2; i < argc && i < 6; i++)
		numbers[i - 2] = strtoull(argv[i], NULL, 0);
	if (!strcmp(what, "arm") && argc == 3) {
		arm(argv[2]);
	} else if (!strcmp(what, "disarm")) {
		mark(MARK_DISARM);
	} else if (!strcmp(what, "begin")) {
		mark(MARK_BEGIN);
	} else if (!strcmp(what, "end")) {
		mark(MARK_END);
	} else if (!strcmp(what, "map")) {
		printf("%lx %lx copy_words\n", (long)copy_words, (long)copy_words_end);
		printf("%lx %lx store_lines\n", (long)store_lines, (long)store_lines_end);
	} else if (!strcmp(what, "copy") && argc == 6) {
		copy(numbers[0], numbers[1], numbers[2], numbers[3]);
	} else if (!strcmp(what, "read") && argc == 6) {
		read_file(numbers[0], numbers[1], numbers[2], numbers[3]);
	} else if (!strcmp(what, "bounce") && argc == 5) {
		bounce(numbers[0], numbers[1], numbers[2]);
	} else {
		fputs("count: see the head of count.c for what it does\n", stderr);
		return 1;
	}
	return 0;
}
