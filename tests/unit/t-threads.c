// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The cache under real threads: workers, a disk that completes out of order, and
 * submitters that read, write and discard over each other.
 *
 * Every sector has one submitter that changes it, one change at a time, so for
 * each it is known which versions a read may return: from the last one
 * acknowledged when the read began to the last one begun when it ended.  Frames
 * are shared by the submitters.  Writes may be written back; after a flush the
 * disk holds what its submitter has written.  Built with the thread sanitizer, which also
 * sees any two I/Os that touch a sector of the disk at once: the disk has no
 * lock of its own around its contents.
 */
#include <pthread.h>
#include <sched.h>

#include "cache.h"
#include "readahead.h"
#include "rehome.h"
#include "choice.h"
#include "sector.h"

#define NR_WORKERS	2
#define NR_SUBMITTERS	3
#define NR_SHARED	(8 * 90)	/* sectors of frames with several owners */
#define NR_WHOLE	30		/* frames with one owner each */
#define NR_SECTORS	(NR_SHARED + 8 * NR_WHOLE)
#define MAX_LEN		40
#define MAX_PAGES	6
#define NR_OPS		2500

struct job {
	struct hearth_io io;
	struct job *next;
	struct scatterlist sg[MAX_PAGES];
	struct page *pages;	/* NULL if @sg may be flipped */
	u32 sector, nr, version;
	int nid;		/* where it is to be run, or anywhere */
	bool is_done;
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct job *jobs[64];
	unsigned int nr;
	bool is_over;
};

static struct queue runnable = {
	.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER,
};

static struct queue disk = {
	.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER,
};

static pthread_mutex_t done_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done_cond = PTHREAD_COND_INITIALIZER;
static struct hearth_cache *cache;
static unsigned int nr_own;			/* the cache's own, under way */
static unsigned int to_flush[2];		/* nodes */
static struct job flush_jobs[2] = {
	{ .nid = NUMA_NO_NODE }, { .nid = NUMA_NO_NODE },
};

static u32 contents[NR_SECTORS];		/* of the disk: versions */
static u32 begun[NR_SECTORS], acked[NR_SECTORS];

static struct job *job_of(struct hearth_io *io)
{
	return container_of(io, struct job, io);
}

static void push(struct queue *q, struct job *job)
{
	pthread_mutex_lock(&q->lock);
	shim_assert(q->nr < 64);
	q->jobs[q->nr++] = job;
	pthread_cond_signal(&q->filled);
	pthread_mutex_unlock(&q->lock);
}

/* Takes any of the jobs, so that they overtake each other. */
static struct job *pop(struct queue *q, struct choice *choice)
{
	struct job *job = NULL;
	unsigned int i;

	pthread_mutex_lock(&q->lock);
	while (!q->nr && !q->is_over)
		pthread_cond_wait(&q->filled, &q->lock);
	if (q->nr) {
		i = choose(choice, q->nr);
		job = q->jobs[i];
		q->jobs[i] = q->jobs[--q->nr];
	}
	pthread_mutex_unlock(&q->lock);
	return job;
}

static void finish(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->is_over = true;
	pthread_cond_broadcast(&q->filled);
	pthread_mutex_unlock(&q->lock);
}

/* What the cache calls */

static void op_submit(struct hearth_io *io)
{
	shim_assert(shim_holds_no_lock());
	push(&disk, job_of(io));
}

static int op_read_block(struct hearth_cache *c, u64 offset, u32 len,
			 struct page *page, u32 page_offset)
{
	(void)c;
	(void)offset;
	(void)len;
	(void)page;
	(void)page_offset;
	shim_die("a block is read again, but nothing failed");
}

static void op_run(struct hearth_io *io)
{
	shim_assert(shim_holds_no_lock());
	job_of(io)->nid = NUMA_NO_NODE;
	push(&runnable, job_of(io));
}

static void op_run_on(struct hearth_io *io, int nid)
{
	shim_assert(shim_holds_no_lock());
	job_of(io)->nid = nid;
	push(&runnable, job_of(io));
}

static struct hearth_io *op_alloc(struct hearth_cache *c, enum hearth_op op,
				  u64 offset, u64 len, int nid)
{
	struct job *job = calloc(1, sizeof(*job));

	shim_assert(job);
	job->io = (struct hearth_io){
		.cache = c, .op = op, .nid = nid,
		.span = { .offset = offset, .len = len },
	};
	__atomic_fetch_add(&nr_own, 1, __ATOMIC_SEQ_CST);
	return &job->io;
}

static void op_done(struct hearth_io *io)
{
	struct job *job = job_of(io);

	if (io->op == HEARTH_OP_PREFETCH || io->op == HEARTH_OP_CLEAN ||
	    io->op == HEARTH_OP_REHOME) {
		free(job);
		__atomic_fetch_sub(&nr_own, 1, __ATOMIC_SEQ_CST);
		return;
	}
	pthread_mutex_lock(&done_lock);
	job->is_done = true;
	pthread_cond_broadcast(&done_cond);
	pthread_mutex_unlock(&done_lock);
}

static void op_flush(struct hearth_cache *c, int nid)
{
	(void)c;
	shim_assert(shim_holds_no_lock());
	if (__atomic_exchange_n(&to_flush[nid], 1, __ATOMIC_SEQ_CST))
		return;
	__atomic_fetch_add(&nr_own, 1, __ATOMIC_SEQ_CST);
	push(&runnable, &flush_jobs[nid]);
}

static const struct hearth_cache_ops ops = {
	.submit		= op_submit,
	.read_block	= op_read_block,
	.run		= op_run,
	.run_on		= op_run_on,
	.alloc		= op_alloc,
	.flush		= op_flush,
	.done		= op_done,
};

/* The disk */

static void move_sector(struct job *job, u32 sector, u8 *mem)
{
	u64 value;

	switch (job->io.op) {
	case HEARTH_OP_READ:
	case HEARTH_OP_PREFETCH:
		sector_fill(mem, sector_value(contents[sector], sector));
		break;
	case HEARTH_OP_WRITE:
	case HEARTH_OP_CLEAN:
		value = sector_read(mem);
		shim_assert((u32)value == sector);
		contents[sector] = value >> 32;
		break;
	default:
		contents[sector] = job->version;
	}
}

static u8 *own_memory(struct job *job, u32 sector)
{
	u32 at = (sector - job->sector) * SECTOR_BYTES;
	struct page *page;

	page = job->pages ? &job->pages[at / PAGE_SIZE] :
			    job->sg[at / PAGE_SIZE].page;
	return page->data + at % PAGE_SIZE;
}

static void transfer(struct job *job)
{
	unsigned long i;
	u32 from, to, sector;

	if (job->io.op == HEARTH_OP_FLUSH)
		return;
	if (!job->io.slots) {
		for (i = 0; i < job->io.span.len / SECTOR_BYTES; i++) {
			sector = job->io.span.offset / SECTOR_BYTES + i;
			move_sector(job, sector, own_memory(job, sector));
		}
		return;
	}
	for (i = 0; i < job->io.nr_slots; i++) {
		sector = (job->io.first + i) * HEARTH_FRAME_SECTORS;
		for (to = 0; hearth_io_transfers(&job->io, i, &from, &to);) {
			for (; from < to; from += SECTOR_BYTES)
				move_sector(job, sector + from / SECTOR_BYTES,
					    job->io.slots[i].page->data + from);
		}
	}
}

/* Now and then the CPU goes to somebody else at the worst moment. */
static __thread struct choice yields;

static void maybe_yield(void)
{
	if (!(choice_bits(&yields) & 63))
		sched_yield();
}

static void enter_thread(unsigned long self)
{
	shim_cpu = self % SHIM_MAX_CPUS;
	shim_nid = self % 2;
	yields.state = self * 0x9e3779b97f4a7c15ull + 1;
	shim_step_hook = maybe_yield;
}

static void *run_disk(void *arg)
{
	struct choice choice = { .state = 4711 };
	struct job *job;

	enter_thread((unsigned long)arg);
	while ((job = pop(&disk, &choice))) {
		transfer(job);
		hearth_io_end(&job->io, 0);
	}
	return NULL;
}

/* As if a work item ran that may be queued again by now. */
static void flush_node(struct job *job)
{
	int nid = job - flush_jobs;

	__atomic_store_n(&to_flush[nid], 0, __ATOMIC_SEQ_CST);
	hearth_flush_run(cache, nid);
	__atomic_fetch_sub(&nr_own, 1, __ATOMIC_SEQ_CST);
}

static void *run_worker(void *arg)
{
	struct choice choice = { .state = 42 + (unsigned long)arg };
	struct job *job;
	int home;

	enter_thread((unsigned long)arg);
	home = shim_nid;
	while ((job = pop(&runnable, &choice))) {
		shim_nid = job->nid != NUMA_NO_NODE ? job->nid : home;
		if (job >= flush_jobs && job < flush_jobs + 2)
			flush_node(job);
		else
			hearth_io_run(&job->io);
	}
	return NULL;
}

/* The submitters */

static u32 load(const u32 *p)
{
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static void store(u32 *p, u32 val)
{
	__atomic_store_n(p, val, __ATOMIC_SEQ_CST);
}

static u32 nr_pages_of(const struct job *job)
{
	return (job->nr * SECTOR_BYTES + PAGE_SIZE - 1) / PAGE_SIZE;
}

/* Pages one by one, which may be flipped, or one piece, which may not. */
static void set_memory(struct job *job, bool flip)
{
	u32 left = job->nr * SECTOR_BYTES;
	u32 nr = nr_pages_of(job);
	u32 i;

	shim_assert(nr <= MAX_PAGES);
	job->io.span.sg = job->sg;
	job->io.span.flip = flip;
	if (!flip) {
		job->pages = shim_buffer_alloc(shim_nid, nr);
		job->sg[0] = (struct scatterlist){
			.page = job->pages, .length = left, .last = true,
		};
		return;
	}
	for (i = 0; i < nr; i++, left -= PAGE_SIZE)
		job->sg[i] = (struct scatterlist){
			.page = shim_page_alloc(shim_nid),
			.length = min_t(u32, left, PAGE_SIZE),
			.last = i == nr - 1,
		};
}

static void release(struct job *job)
{
	u32 i;

	if (job->pages) {
		shim_buffer_free(job->pages, nr_pages_of(job));
		return;
	}
	for (i = 0; i < nr_pages_of(job); i++)
		put_page(job->sg[i].page);
}

static void prepare(struct job *job, enum hearth_op op, u32 sector, u32 nr,
		    bool flip)
{
	memset(job, 0, sizeof(*job));
	job->sector = sector;
	job->nr = nr;
	job->io = (struct hearth_io){
		.cache = cache, .op = op, .nid = shim_nid,
		.span = { .offset = (u64)sector * SECTOR_BYTES,
			  .len = (u64)nr * SECTOR_BYTES },
	};
	set_memory(job, flip);
}

static void wait_for(struct job *job)
{
	if (!(job->io.op == HEARTH_OP_READ ?
	      hearth_cache_read_hits(cache, &job->io.span) :
	      job->io.op == HEARTH_OP_WRITE && !job->io.fua &&
	      hearth_cache_write_hits(cache, &job->io.span))) {
		hearth_io_submit(&job->io);
		pthread_mutex_lock(&done_lock);
		while (!job->is_done)
			pthread_cond_wait(&done_cond, &done_lock);
		pthread_mutex_unlock(&done_lock);
	}
	shim_assert(!job->io.error);
}

static void do_read(struct choice *choice)
{
	u32 nr = 1 + choose(choice, MAX_LEN);
	u32 sector = choose(choice, NR_SECTORS - nr);
	u32 from[MAX_LEN], i, version;
	bool flip = choose(choice, 2);
	struct job job;
	u64 value;

	if (flip)
		sector -= sector % HEARTH_FRAME_SECTORS;
	prepare(&job, HEARTH_OP_READ, sector, nr, flip);
	for (i = 0; i < nr; i++)
		from[i] = load(&acked[sector + i]);
	wait_for(&job);
	for (i = 0; i < nr; i++) {
		value = sector_read(own_memory(&job, sector + i));
		version = value >> 32;
		shim_assert((u32)value == sector + i);
		if (version < from[i] || version > load(&begun[sector + i]))
			shim_die("sector %u: version %u, acknowledged %u",
				 sector + i, version, from[i]);
	}
	release(&job);
}

static void change(enum hearth_op op, u32 sector, u32 nr, u32 version,
		   bool flip)
{
	struct job job;
	u32 i;

	prepare(&job, op, sector, nr, flip);
	job.version = version;
	for (i = 0; i < nr; i++) {
		sector_fill(own_memory(&job, sector + i),
			    sector_value(version, sector + i));
		store(&begun[sector + i], version);
	}
	wait_for(&job);
	for (i = 0; i < nr; i++)
		store(&acked[sector + i], version);
	release(&job);
}

/*
 * Changes some of the sectors of a submitter: one of three neighbours is its,
 * or a whole frame of those that are not shared.
 */
static void do_change(struct choice *choice, unsigned int self, u32 version)
{
	enum hearth_op op = chance(choice, 6) ? HEARTH_OP_DISCARD :
						HEARTH_OP_WRITE;
	u32 nr = 1 + choose(choice, 3);
	u32 sector = choose(choice, NR_SHARED / 9) * 9 + self * 3 + 3 - nr;

	if (choose(choice, 2)) {
		nr = HEARTH_FRAME_SECTORS;
		sector = NR_SHARED + nr * (choose(choice, NR_WHOLE / 3) * 3 +
					   self);
	}
	change(op, sector, nr, version, op == HEARTH_OP_WRITE);
}

/* After a flush the disk holds what this submitter has written. */
static void do_flush(unsigned int self)
{
	struct job job = { .io = { .cache = cache, .op = HEARTH_OP_FLUSH } };
	u32 sector;

	wait_for(&job);
	for (sector = self * 3; sector < NR_SHARED; sector += 9)
		shim_assert(contents[sector] == load(&acked[sector]));
}

static void read_ahead(struct choice *choice)
{
	struct hearth_ahead ahead = {
		.frame = choose(choice, NR_SECTORS / HEARTH_FRAME_SECTORS),
		.order = 1 + choose(choice, 5),
	};
	struct hearth_io *io = hearth_ahead_alloc(cache, ahead, shim_nid);

	if (io)
		hearth_io_submit(io);
}

static void rehome(struct choice *choice)
{
	u64 frame = choose(choice, NR_SECTORS / HEARTH_FRAME_SECTORS);
	struct hearth_io *io = hearth_rehome_alloc(cache, frame);

	if (io)
		hearth_io_submit(io);
}

static void *run_submitter(void *arg)
{
	static const enum hearth_mode modes[] = {
		HEARTH_WRITEAROUND, HEARTH_WRITETHROUGH, HEARTH_WRITEBACK,
		HEARTH_WRITEBACK, HEARTH_WRITEBACK,
	};
	unsigned long self = (unsigned long)arg;
	struct choice choice = { .state = 1 + self * 7919 };
	u32 version;

	enter_thread(self);
	for (version = 1; version <= NR_OPS; version++) {
		if (chance(&choice, 3))
			do_change(&choice, self, version);
		else
			do_read(&choice);
		if (chance(&choice, 10))
			read_ahead(&choice);
		if (chance(&choice, 20))
			do_flush(self);
		if (chance(&choice, 50))
			WRITE_ONCE(cache->mode, modes[choose(&choice, 5)]);
		if (chance(&choice, 10))
			rehome(&choice);
		if (chance(&choice, 50))
			hearth_cache_set_dispatch(cache, choose(&choice, 3));
	}
	return NULL;
}

static void run_threads(void)
{
	pthread_t submitters[NR_SUBMITTERS], workers[NR_WORKERS], disk_thread;
	unsigned long i;

	for (i = 0; i < NR_SUBMITTERS; i++)
		pthread_create(&submitters[i], NULL, run_submitter, (void *)i);
	for (i = 0; i < NR_WORKERS; i++)
		pthread_create(&workers[i], NULL, run_worker,
			       (void *)(NR_SUBMITTERS + i));
	pthread_create(&disk_thread, NULL, run_disk,
		       (void *)(NR_SUBMITTERS + NR_WORKERS + 0UL));
	for (i = 0; i < NR_SUBMITTERS; i++)
		pthread_join(submitters[i], NULL);
	while (load(&nr_own))
		sched_yield();
	finish(&runnable);
	finish(&disk);
	for (i = 0; i < NR_WORKERS; i++)
		pthread_join(workers[i], NULL);
	pthread_join(disk_thread, NULL);
}

int main(void)
{
	static const unsigned long frames[] = { 14, 9 };
	struct hearth_cache_params p = {
		.ops = &ops, .size_bytes = NR_SECTORS * SECTOR_BYTES,
		.block_bytes = 512, .home = HEARTH_HOME_STRIPE,
		.stripe_bytes = HEARTH_EXTENT_BYTES, .nr_pages = frames,
		.ahead_bytes = 1 << 20, .dirty_bytes = 12 << HEARTH_FRAME_SHIFT,
		.dispatch = HEARTH_DISPATCH_HOME,
	};
	struct shim_usage left;

	nr_node_ids = 2;
	shim_assert(!hearth_core_init());
	cache = hearth_cache_alloc(&p);
	shim_assert(cache);
	run_threads();
	hearth_cache_free(cache);
	hearth_core_exit();
	left = shim_usage();
	shim_assert(!left.pages && !left.objects && !left.chunks);
	return 0;
}
