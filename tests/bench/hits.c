// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hits: how fast does the core serve reads that hit, by 1 and by 2 threads?
 *
 * Prints results as JSON entries, one per line.  The shim of the unit tests
 * takes the kernel's place, so each figure is an upper bound: there RCU and
 * per-CPU counters cost atomic instructions that the kernel does without.  Time
 * is CPU time, and hits per second are what it makes of threads that have a CPU
 * each: other load on the machine does not count.
 */
#include <pthread.h>
#include <time.h>

#include "cache.h"

#define NR_FRAMES	8192		/* 32 MiB: more than fits near a core */
#define MAX_READ	16		/* frames */
#define NR_RUNS		5
#define RUN_NS		200000000ull
#define MAX_THREADS	2

static struct hearth_cache *cache;
static __thread struct hearth_io *runnable;

static void op_run(struct hearth_io *io)
{
	runnable = io;
}

/* The device delivers at once, whatever is in the pages. */
static void op_submit(struct hearth_io *io)
{
	hearth_io_end(io, 0);
}

static void op_done(struct hearth_io *io)
{
	(void)io;
	runnable = NULL;
}

static const struct hearth_cache_ops ops = {
	.submit = op_submit, .run = op_run, .done = op_done,
};

/* A command's memory: whole pages of the target core. */
struct memory {
	struct scatterlist sg[MAX_READ];
};

static void memory_init(struct memory *memory, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		memory->sg[i] = (struct scatterlist){
			.page = shim_page_alloc(0), .length = PAGE_SIZE,
			.last = i == nr - 1,
		};
}

static void memory_exit(struct memory *memory, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		put_page(memory->sg[i].page);
}

static void fill(void)
{
	struct hearth_io io = { .cache = cache, .op = HEARTH_OP_READ };
	struct memory memory;

	for (u64 frame = 0; frame < NR_FRAMES; frame += MAX_READ) {
		memory_init(&memory, MAX_READ);
		io.span = (struct hearth_span){
			.offset = frame << PAGE_SHIFT,
			.len = MAX_READ << PAGE_SHIFT, .sg = memory.sg,
		};
		hearth_io_submit(&io);
		while (runnable)
			hearth_io_run(runnable);
		memory_exit(&memory, MAX_READ);
	}
}

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

struct task {
	unsigned int self, nr_frames;
	bool flip;
	pthread_barrier_t *start;
	u64 nr_hits, ns;
};

static u32 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 16;
}

static void *read_hits(void *arg)
{
	struct task *task = arg;
	u64 state = 0x9e3779b97f4a7c15ull * (task->self + 1);
	u64 len = (u64)task->nr_frames << PAGE_SHIFT;
	struct memory memory;
	struct hearth_span span;
	u64 begin;

	shim_cpu = task->self;
	memory_init(&memory, task->nr_frames);
	pthread_barrier_wait(task->start);
	begin = now_ns();
	do {
		for (unsigned int i = 0; i < 1000; i++) {
			span = (struct hearth_span){
				.offset = next_random(&state) %
					  (NR_FRAMES / task->nr_frames) * len,
				.len = len, .sg = memory.sg, .flip = task->flip,
			};
			shim_assert(hearth_cache_read_hits(cache, &span));
		}
		task->nr_hits += 1000 * task->nr_frames;
		task->ns = now_ns() - begin;
	} while (task->ns < RUN_NS);
	memory_exit(&memory, task->nr_frames);
	return NULL;
}

/* Nanoseconds of a CPU for each frame of 4 KiB. */
static double run(unsigned int nr_threads, unsigned int nr_frames, bool flip)
{
	struct task tasks[MAX_THREADS] = { };
	pthread_t threads[MAX_THREADS];
	pthread_barrier_t start;
	u64 nr_hits = 0, ns = 0;

	pthread_barrier_init(&start, NULL, nr_threads);
	for (unsigned int i = 0; i < nr_threads; i++) {
		tasks[i] = (struct task){ i, nr_frames, flip, &start, 0, 0 };
		pthread_create(&threads[i], NULL, read_hits, &tasks[i]);
	}
	for (unsigned int i = 0; i < nr_threads; i++) {
		pthread_join(threads[i], NULL);
		nr_hits += tasks[i].nr_hits;
		ns += tasks[i].ns;
	}
	pthread_barrier_destroy(&start);
	return (double)ns / nr_hits;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_result(const char *where, const char *subject,
			 const char *metric, const char *unit,
			 const double *runs)
{
	double sorted[NR_RUNS];

	memcpy(sorted, runs, sizeof(sorted));
	qsort(sorted, NR_RUNS, sizeof(*sorted), compare);
	printf("{\"case\":\"%s\",\"subject\":\"%s\",", where, subject);
	printf("\"metric\":\"%s\",\"unit\":\"%s\",", metric, unit);
	printf("\"median\":%.1f,\"runs\":[", sorted[NR_RUNS / 2]);
	for (unsigned int i = 0; i < NR_RUNS; i++)
		printf("%s%.1f", i ? "," : "", runs[i]);
	printf("]}\n");
}

static void measure(unsigned int nr_threads, unsigned int nr_frames, bool flip)
{
	const char *subject = flip ? "flip" : "copy";
	double ns[NR_RUNS], rate[NR_RUNS];
	char where[64];

	snprintf(where, sizeof(where), "hits/%uk/%u", 4 * nr_frames,
		 nr_threads);
	for (unsigned int i = 0; i < NR_RUNS; i++) {
		ns[i] = run(nr_threads, nr_frames, flip);
		rate[i] = nr_threads * 1e9 / ns[i];
	}
	print_result(where, subject, "cpu_time_per_hit", "ns", ns);
	print_result(where, subject, "hits", "1/s", rate);
}

int main(void)
{
	static const unsigned long shares[] = { 2 * NR_FRAMES };
	struct hearth_cache_params p = {
		.ops = &ops, .size_bytes = (u64)NR_FRAMES << PAGE_SHIFT,
		.block_bytes = 512, .stripe_bytes = 1 << 20, .nr_pages = shares,
	};

	shim_assert(!hearth_core_init());
	cache = hearth_cache_alloc(&p);
	shim_assert(cache);
	fill();
	for (unsigned int nr_threads = 1; nr_threads <= MAX_THREADS; nr_threads++) {
		for (unsigned int nr_frames = 1; nr_frames <= MAX_READ;
		     nr_frames *= MAX_READ) {
			measure(nr_threads, nr_frames, true);
			measure(nr_threads, nr_frames, false);
		}
	}
	hearth_cache_free(cache);
	hearth_core_exit();
	return 0;
}
