// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Load a disk and say how fast it was; or fill it with known data; or check that the data is there.
 *
 *   load fill|verify|read|write|mix DISK[,DISK]... [KEY=VALUE]...
 *
 * Several disks are several initiators' views of one LUN.
 *
 *   size=4k      bytes of a request
 *   span=128m    how much of the disk, from its start; requests are aligned to their size
 *   count=N      requests of all threads together (default: span / size)
 *   first=0      leave out that many requests of the order first
 *   depth=1      requests in flight of each thread
 *   threads=1    of each disk, each with its own part of the requests
 *   skew=0       begin each request that many bytes behind its place
 *   order=seq    or "random": the same permutation in every run of the same seed
 *   seed=1       of the permutation
 *   mark=0       1: tell the emulator's counter when the requests begin and end
 *   cpu=N        first CPU: thread i runs on CPU N + i, round and round (default: anywhere)
 *
 * Every page says on which byte of the disk it belongs, so any pass of writes
 * leaves what "fill" left. "verify" reads all of the span and fails on the first
 * page that differs. "mix" is 70 % reads. Otherwise one line, tab-separated:
 *
 *   REQUESTS SECONDS IOPS MIB/S P50-US P99.9-US
 *
 * Requests go through the kernel's asynchronous I/O, past the page cache.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "count/marks.h"

#define PAGE_BYTES 4096
#define DEPTH_MAX 256
#define THREADS_MAX 64 /* of all disks together */
#define DISKS_MAX 16

enum op { OP_FILL,
	  OP_VERIFY,
	  OP_READ,
	  OP_WRITE,
	  OP_MIX,
	  NR_OPS };

static const char *const op_names[NR_OPS] = { "fill", "verify", "read", "write", "mix" };

static struct {
	enum op op;
	unsigned int nr_disks;
	uint64_t size, span, count, first, depth, threads, seed, mark, skew;
	int64_t cpu;
	bool is_random;
} job = { .size = 4096, .span = 128 << 20, .depth = 1, .threads = 1, .seed = 1, .cpu = -1 };

static struct disk {
	const char *name;
	int fd;
} disks[DISKS_MAX];

struct worker {
	pthread_t thread;
	unsigned int number;
	const struct disk *disk;
	uint64_t first, end; /* of the requests */
	aio_context_t context;
	struct iocb iocbs[DEPTH_MAX];
	uint8_t *buffers[DEPTH_MAX];
	uint64_t begin_ns[DEPTH_MAX];
};

static uint32_t *latencies_us;
static uint64_t nr_slots; /* places in the span, each of one request */
static uint64_t *slots;
static pthread_barrier_t ready;

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* --- data --- */

static uint64_t mix64(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* The word at a byte of the disk: a page's first says where it belongs, the rest are alike. */
static uint64_t word_at(uint64_t offset)
{
	uint64_t at = offset % PAGE_BYTES / sizeof(uint64_t);

	return mix64(at ? at : offset + 1);
}

/* Puts into a buffer what every request has in common, wherever it goes. */
static void fill(uint64_t *words)
{
	uint64_t i;

	for (i = 0; i < job.size / sizeof(*words); i++)
		words[i] = word_at(job.skew + i * sizeof(*words));
}

static void stamp(uint8_t *buffer, uint64_t offset)
{
	uint64_t i;

	for (i = -offset % PAGE_BYTES; i < job.size; i += PAGE_BYTES)
		*(uint64_t *)(buffer + i) = word_at(offset + i);
}

static void check(const char *disk, const uint64_t *words, uint64_t offset)
{
	uint64_t i;

	for (i = 0; i < job.size; i += sizeof(*words)) {
		if (words[i / sizeof(*words)] != word_at(offset + i))
			die("%s: byte %" PRIu64 ": wrong data", disk, offset + i);
	}
}

/* --- requests --- */

/* Which slot each request takes, in turn: in order, or shuffled. */
static void slots_order(void)
{
	uint64_t i, j, slot, random = mix64(job.seed);

	slots = calloc(nr_slots, sizeof(*slots));
	if (!slots)
		die("span: no memory to order its requests");
	for (i = 0; i < nr_slots; i++)
		slots[i] = i;
	for (i = nr_slots - 1; job.is_random && i > 0; i--) {
		random = mix64(random + i);
		j = random % (i + 1);
		slot = slots[i];
		slots[i] = slots[j];
		slots[j] = slot;
	}
}

static uint64_t offset_of(uint64_t number)
{
	return slots[(job.first + number) % nr_slots] * job.size + job.skew;
}

static bool is_write(uint64_t number)
{
	return job.op == OP_FILL || job.op == OP_WRITE ||
	       (job.op == OP_MIX && mix64(number) % 10 >= 7);
}

static void submit(struct worker *w, unsigned int tag, uint64_t number)
{
	struct iocb *iocb = &w->iocbs[tag];
	uint64_t offset = offset_of(number);

	*iocb = (struct iocb){
		.aio_data = tag | number << 16,
		.aio_lio_opcode = is_write(number) ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
		.aio_fildes = w->disk->fd,
		.aio_buf = (uint64_t)(uintptr_t)w->buffers[tag],
		.aio_nbytes = job.size,
		.aio_offset = offset,
	};
	if (is_write(number))
		stamp(w->buffers[tag], offset);
	w->begin_ns[tag] = now_ns();
	if (syscall(SYS_io_submit, w->context, 1L, &iocb) != 1)
		die("%s: request refused: %s", w->disk->name, strerror(errno));
}

static unsigned int complete(struct worker *w, const struct io_event *event)
{
	unsigned int tag = event->data & 0xffff;
	uint64_t number = event->data >> 16;

	if (event->res != (int64_t)job.size)
		die("%s: byte %" PRIu64 ": %s", w->disk->name, offset_of(number),
		    event->res < 0 ? strerror(-event->res) : "short transfer");
	latencies_us[number] = (now_ns() - w->begin_ns[tag]) / 1000;
	if (job.op == OP_VERIFY)
		check(w->disk->name, (const uint64_t *)w->buffers[tag], offset_of(number));
	return tag;
}

static void run(struct worker *w)
{
	struct io_event events[DEPTH_MAX];
	uint64_t next = w->first, left = w->end - w->first;
	long i, n;

	while (next < w->end && next < w->first + job.depth) {
		submit(w, next - w->first, next);
		next++;
	}
	while (left) {
		n = syscall(SYS_io_getevents, w->context, 1L, (long)job.depth, events, NULL);
		if (n < 1)
			die("%s: %s", w->disk->name, strerror(errno));
		for (i = 0; i < n; i++) {
			unsigned int tag = complete(w, &events[i]);

			left--;
			if (next < w->end)
				submit(w, tag, next++);
		}
	}
}

static void pin(unsigned int number)
{
	cpu_set_t set;

	if (job.cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((job.cpu + number) % sysconf(_SC_NPROCESSORS_ONLN), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("cpu=%" PRId64 ": %s", job.cpu, strerror(errno));
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	unsigned int tag;

	pin(w->number);
	if (syscall(SYS_io_setup, (unsigned int)job.depth, &w->context))
		die("depth=%" PRIu64 ": %s", job.depth, strerror(errno));
	for (tag = 0; tag < job.depth; tag++) {
		if (posix_memalign((void **)&w->buffers[tag], PAGE_BYTES, job.size))
			die("no memory");
		fill((uint64_t *)w->buffers[tag]);
	}
	pthread_barrier_wait(&ready); /* the main thread notes the time */
	pthread_barrier_wait(&ready);
	run(w);
	pthread_barrier_wait(&ready);
	return NULL;
}

/* --- the whole --- */

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void report(uint64_t ns)
{
	double seconds = ns / 1e9;

	qsort(latencies_us, job.count, sizeof(*latencies_us), compare);
	printf("%" PRIu64 "\t%.6f\t%.1f\t%.2f\t%u\t%u\n", job.count, seconds, job.count / seconds,
	       job.count * job.size / seconds / (1 << 20), latencies_us[job.count / 2],
	       latencies_us[job.count - 1 - job.count / 1000]);
}

static void open_disks(void)
{
	unsigned int i;

	for (i = 0; i < job.nr_disks; i++) {
		disks[i].fd = open(disks[i].name, O_RDWR | O_DIRECT);
		if (disks[i].fd < 0)
			die("%s: %s", disks[i].name, strerror(errno));
	}
}

static void run_all(void)
{
	static struct worker workers[THREADS_MAX];
	unsigned int i, nr_workers = job.threads * job.nr_disks;
	uint64_t begin_ns, end_ns;

	pthread_barrier_init(&ready, NULL, nr_workers + 1);
	for (i = 0; i < nr_workers; i++) {
		workers[i].number = i;
		workers[i].disk = &disks[i / job.threads];
		workers[i].first = job.count * i / nr_workers;
		workers[i].end = job.count * (i + 1) / nr_workers;
		if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]))
			die("cannot make a thread");
	}
	pthread_barrier_wait(&ready);
	begin_ns = now_ns();
	if (job.mark)
		mark(MARK_BEGIN);
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&ready);
	if (job.mark)
		mark(MARK_END);
	end_ns = now_ns();
	for (i = 0; i < nr_workers; i++)
		pthread_join(workers[i].thread, NULL);
	if (job.op > OP_VERIFY)
		report(end_ns - begin_ns);
}

static uint64_t parse_size(const char *argument, const char *text)
{
	static const char units[] = "kmg";
	const char *unit;
	char *end;
	uint64_t value = strtoull(text, &end, 10);

	if (end == text)
		die("%s: not a number", argument);
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1])
			die("%s: not a number; units are k, m and g", argument);
		value <<= 10 * (unit - units + 1);
	}
	return value;
}

static void parse_argument(const char *argument)
{
	static const struct {
		const char *key;
		uint64_t *value;
	} keys[] = {
		{ "size=", &job.size },
		{ "span=", &job.span },
		{ "count=", &job.count },
		{ "depth=", &job.depth },
		{ "threads=", &job.threads },
		{ "seed=", &job.seed },
		{ "mark=", &job.mark },
		{ "first=", &job.first },
		{ "skew=", &job.skew },
		{ "cpu=", (uint64_t *)&job.cpu },
	};
	unsigned int i;
	size_t len;

	if (!strcmp(argument, "order=random") || !strcmp(argument, "order=seq")) {
		job.is_random = argument[6] == 'r';
		return;
	}
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		len = strlen(keys[i].key);
		if (!strncmp(argument, keys[i].key, len)) {
			*keys[i].value = parse_size(argument, argument + len);
			return;
		}
	}
	die("%s: no such setting; the head of load.c has all", argument);
}

static void parse_disks(char *names)
{
	char *name;

	for (name = strtok(names, ","); name; name = strtok(NULL, ",")) {
		if (job.nr_disks == DISKS_MAX)
			die("%s: more than %d disks", name, DISKS_MAX);
		disks[job.nr_disks++].name = name;
	}
}

static void parse(int argc, char **argv)
{
	int i;

	if (argc < 3)
		die("give an operation (fill, verify, read, write or mix) and a disk");
	for (job.op = 0; job.op < NR_OPS && strcmp(argv[1], op_names[job.op]);)
		job.op++;
	if (job.op == NR_OPS)
		die("%s: give fill, verify, read, write or mix", argv[1]);
	parse_disks(argv[2]);
	for (i = 3; i < argc; i++)
		parse_argument(argv[i]);
	if (!job.size || job.size % PAGE_BYTES || job.span < job.size)
		die("size: a multiple of %d, and no more than span", PAGE_BYTES);
	if (!job.nr_disks)
		die("give a disk");
	if (!job.depth || job.depth > DEPTH_MAX)
		die("depth: from 1 to %d", DEPTH_MAX);
	if (!job.threads || job.threads > THREADS_MAX / job.nr_disks)
		die("threads: from 1 to %u", THREADS_MAX / job.nr_disks);
	if (job.skew % 512 || job.skew >= PAGE_BYTES || job.span < job.size + job.skew)
		die("skew: a multiple of 512, less than %d; size and skew within span", PAGE_BYTES);
	nr_slots = (job.span - job.skew) / job.size;
	if (!job.count || job.op == OP_FILL || job.op == OP_VERIFY)
		job.count = nr_slots;
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	open_disks();
	latencies_us = calloc(job.count, sizeof(*latencies_us));
	if (!latencies_us)
		die("count=%" PRIu64 ": no memory", job.count);
	slots_order();
	run_all();
	return 0;
}
