// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A LUN's window, filled by an RDMA device.
 *
 *     rdma-window land DEVICE NODE OFFSET MIB
 *
 * Prepares pages for new contents, registers them, and has another queue pair write a pattern
 * there. After each step it says so and waits for a line: "landed"; "committed"; "again", when RDMA
 * has written the complement to what is the LUN's memory by then; "gone", deregistered and
 * unmapped.
 *
 *     rdma-window cost DEVICE NODE OFFSET MIB ROUNDS
 *
 * Takes turns in registering anonymous memory that is populated, in small pages and in whatever
 * pages it gets, and in preparing, mapping and registering a window for new contents; prints the
 * seconds of each round as a line of JSON.
 */
#include <err.h>
#include <fcntl.h>
#include <hearth.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "rdma-pair.h"

#define RW (PROT_READ | PROT_WRITE)

static int lun;
static off_t offset;
static size_t len;

static void act(unsigned long request, uint32_t flags, size_t bytes, const char *what)
{
	struct hearth_range range = { .offset = (uint64_t)offset, .len = bytes, .flags = flags };

	if (ioctl(lun, request, &range) || range.done != bytes)
		err(1, "%s: %llu of %zu bytes", what, (unsigned long long)range.done, bytes);
}

static void *map_window(size_t bytes)
{
	void *window = mmap(NULL, bytes, RW, MAP_SHARED, lun, offset);

	if (window == MAP_FAILED)
		err(1, "mmap");
	return window;
}

/* Says how far it has come, and goes on when told to. */
static void report(const char *state)
{
	char line[16];

	puts(state);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		errx(1, "nobody said anything");
}

static void fill(uint8_t *memory, uint8_t mask)
{
	for (size_t i = 0; i < len; i++)
		memory[i] = (uint8_t)(i * 7 + i / 4096) ^ mask;
}

static void land(void)
{
	uint8_t *memory = pair_memory(len + SPARE), *window;
	struct ibv_mr *own, *mr;

	act(HEARTH_IOC_PREPARE, HEARTH_PREPARE_OVERWRITE, len + SPARE, "prepare");
	window = map_window(len + SPARE);
	mr = pair_register(window, len + SPARE);
	own = pair_register(memory, len + SPARE);
	pair_connect();
	fill(memory, 0);
	pair_transfer(IBV_WR_RDMA_WRITE, own, mr, (uintptr_t)window, (uint32_t)len);
	if (memcmp(memory, window, len))
		errx(1, "what RDMA wrote is not in the window");
	report("landed");
	act(HEARTH_IOC_COMMIT, 0, len, "commit");
	report("committed");
	fill(memory, 255);
	pair_transfer(IBV_WR_RDMA_WRITE, own, mr, (uintptr_t)window, (uint32_t)len);
	if (memcmp(memory, window, len))
		errx(1, "what RDMA wrote after the commit is not in the mapping");
	report("again");
	ibv_dereg_mr(mr);
	munmap(window, len + SPARE);
	report("gone");
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* How long it takes to register anonymous memory that is there. */
static double anonymous(int advice)
{
	void *memory = mmap(NULL, len, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct ibv_mr *mr;
	double start, end;

	if (memory == MAP_FAILED)
		err(1, "memory");
	madvise(memory, len, advice);
	memset(memory, 1, len);
	start = now();
	mr = pair_register(memory, len);
	end = now();
	ibv_dereg_mr(mr);
	munmap(memory, len);
	return end - start;
}

static void window_cost(double seconds[3])
{
	double times[4];
	struct ibv_mr *mr;
	void *window;

	times[0] = now();
	act(HEARTH_IOC_PREPARE, HEARTH_PREPARE_OVERWRITE, len, "prepare");
	times[1] = now();
	window = map_window(len);
	times[2] = now();
	mr = pair_register(window, len);
	times[3] = now();
	for (int i = 0; i < 3; i++)
		seconds[i] = times[i + 1] - times[i];
	ibv_dereg_mr(mr);
	munmap(window, len);
	act(HEARTH_IOC_ABANDON, 0, len, "abandon");
}

static void cost(int rounds)
{
	double window[3], small, any;

	for (int i = 0; i < rounds; i++) {
		small = anonymous(MADV_NOHUGEPAGE);
		window_cost(window);
		any = anonymous(MADV_NORMAL);
		printf("{\"anonymous_small\": %.6f, \"anonymous\": %.6f, ", small, any);
		printf("\"prepare\": %.6f, \"map\": %.6f, \"register\": %.6f}\n", window[0],
		       window[1], window[2]);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	int is_cost = argc == 7 && !strcmp(argv[1], "cost");

	if (!is_cost && !(argc == 6 && !strcmp(argv[1], "land")))
		errx(2, "give land DEVICE NODE OFFSET MIB, or cost DEVICE NODE OFFSET MIB ROUNDS");
	pair_open(argv[2]);
	lun = open(argv[3], O_RDWR);
	if (lun < 0)
		err(1, "%s", argv[3]);
	offset = (off_t)strtoull(argv[4], NULL, 0);
	len = strtoull(argv[5], NULL, 0) << 20;
	if (is_cost)
		cost(atoi(argv[6]));
	else
		land();
	return 0; /* the kernel undoes the rest */
}
