// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A cache over a fake disk, with every step in the test's hand; see rig.h.
 */
#include "rig.h"

static struct rig *the_rig;	/* read_block() is told of the cache only */

static struct req *req_of(struct hearth_io *io)
{
	return container_of(io, struct req, io);
}

/* The core may sleep here, as far as its own locks go. */
static void assert_no_lock(const struct rig *rig)
{
	shim_assert(shim_holds_no_lock());
	shim_assert(!shim_in_rcu() || rig->is_nested);
}

static void enqueue(struct req **queue, unsigned int *nr, struct req *req)
{
	shim_assert(*nr < RIG_MAX_REQS);
	queue[(*nr)++] = req;
}

static struct req *dequeue(struct req **queue, unsigned int *nr, unsigned int i)
{
	struct req *req = queue[i];

	shim_assert(i < *nr);
	--*nr;
	memmove(&queue[i], &queue[i + 1], (*nr - i) * sizeof(*queue));
	return req;
}

static unsigned int index_of(struct req **queue, struct req *req)
{
	unsigned int i;

	for (i = 0; queue[i] != req; i++)
		;
	return i;
}

/* What the cache calls */

static void rig_op_submit(struct hearth_io *io)
{
	struct req *req = req_of(io);
	struct rig *rig = req->rig;

	assert_no_lock(rig);
	shim_assert(req->state == REQ_CORE);
	req->state = REQ_ON_DISK;
	req->was_range = !io->slots;
	disk_start(&rig->disk, req);
	enqueue(rig->on_disk, &rig->nr_on_disk, req);
}

static int rig_op_read_block(struct hearth_cache *cache, u64 offset, u32 len,
			     struct page *page, u32 page_offset)
{
	struct req *req = the_rig->running;
	int error;

	assert_no_lock(the_rig);
	shim_assert(the_rig->cache == cache && req);
	shim_assert(len == cache->block_bytes && !(offset % len));
	error = disk_read_block(&the_rig->disk, offset, len, page, page_offset);
	if (error)
		req->bad_block = offset;
	return error;
}

static void queue_to_run(struct req *req, int nid)
{
	struct rig *rig = req->rig;

	assert_no_lock(rig);
	shim_assert(req->state == REQ_CORE);
	req->state = REQ_QUEUED;
	req->run_nid = nid;
	enqueue(rig->runnable, &rig->nr_runnable, req);
}

static void rig_op_run(struct hearth_io *io)
{
	queue_to_run(req_of(io), NUMA_NO_NODE);
}

static void rig_op_run_on(struct hearth_io *io, int nid)
{
	struct req *req = req_of(io);

	shim_assert(nid >= 0 && nid < (int)nr_node_ids);
	req->rig->nr_sent++;
	queue_to_run(req, nid);
}

/* An error is what the disk said, and a read says where. */
static void check_result(struct req *req)
{
	struct disk *disk = &req->rig->disk;
	u64 sector = req->io.bad_offset / SECTOR_BYTES;

	if (req->io.op == HEARTH_OP_FLUSH && !req->disk_error) {
		/* what it waited for may have failed */
		shim_assert(!req->io.error || disk->nr_failed_writes);
		return;
	}
	if (req->io.op == HEARTH_OP_PREFETCH &&
	    (hearth_io_is_ahead(&req->io) || req->io.error == -ENOMEM))
		return;
	/* no room, or something could not be read back earlier */
	if (req->io.op == HEARTH_OP_SHOW && req->io.bad_offset == U64_MAX)
		return;
	if (req->is_window && req->io.error == -ENOMEM)
		return;
	if (!req_fills(req)) {
		shim_assert(req->io.error == req->disk_error);
		return;
	}
	if (!req->io.error)
		return;
	shim_assert(req->disk_error);
	if (req->io.bad_offset == U64_MAX) {
		shim_assert(req->was_range);
		return;
	}
	shim_assert(req->io.bad_offset == req->bad_block);
	shim_assert(sector >= req->sector &&
		    sector < req->sector + req->nr_sectors);
}

static void rig_op_done(struct hearth_io *io)
{
	struct req *req = req_of(io);
	struct rig *rig = req->rig;

	assert_no_lock(rig);
	shim_assert(req->state == REQ_CORE && !io->slots);
	req->state = REQ_DONE;
	dequeue(rig->active, &rig->nr_active, index_of(rig->active, req));
	check_result(req);
	if (req_is_command(req))
		oracle_end(&rig->oracle, req);
	if (req->is_window)
		windows_end(req);
	if (req->keep_pages && !io->error)
		held_keep(req);
	if (req->auto_free)
		req_free(req);
}

static struct hearth_io *rig_op_alloc(struct hearth_cache *cache,
				      enum hearth_op op, u64 offset, u64 len,
				      int nid)
{
	struct rig *rig = the_rig;
	struct req *req;

	assert_no_lock(rig);
	shim_assert(rig->cache == cache && len);
	if (op != HEARTH_OP_CLEAN && rig->nr_active > RIG_MAX_REQS / 3)
		return NULL;
	req = rig_req(rig, op, offset / SECTOR_BYTES, len / SECTOR_BYTES);
	req->io.nid = nid;
	req->auto_free = true;
	req->state = REQ_CORE;
	enqueue(rig->active, &rig->nr_active, req);
	return &req->io;
}

static void rig_op_flush(struct hearth_cache *cache, int nid)
{
	struct rig *rig = the_rig;

	assert_no_lock(rig);
	shim_assert(rig->cache == cache && cache->pools[nid]);
	rig->to_flush |= BIT(nid);
}

static const struct hearth_cache_ops rig_ops = {
	.submit		= rig_op_submit,
	.read_block	= rig_op_read_block,
	.run		= rig_op_run,
	.run_on		= rig_op_run_on,
	.alloc		= rig_op_alloc,
	.flush		= rig_op_flush,
	.done		= rig_op_done,
};

/* Memory for that many frames however they lie, and hardly one more. */
static unsigned long pages_for(unsigned long nr_frames)
{
	u64 metadata = nr_frames * (HEARTH_FRAME_COST + HEARTH_EXTENT_COST) +
		       sizeof(struct hearth_pool) + 512 + 10 * nr_frames;

	return nr_frames ? nr_frames + DIV_ROUND_UP_ULL(metadata, PAGE_SIZE) : 0;
}

void rig_init(struct rig *rig, const struct rig_config *config)
{
	unsigned long nr_pages[SHIM_MAX_NODES];
	unsigned int i;
	struct hearth_cache_params p = {
		.ops = &rig_ops,
		.size_bytes = (u64)config->nr_sectors * SECTOR_BYTES,
		.block_bytes = config->block_bytes ? config->block_bytes : 512,
		.mode = config->mode,
		.home = config->home,
		.dispatch = config->dispatch,
		.stripe_bytes = config->stripe_bytes ? config->stripe_bytes :
						       HEARTH_EXTENT_BYTES,
		.ahead_bytes = config->ahead_bytes,
		.dirty_bytes = config->dirty_bytes,
		.nr_pages = nr_pages,
	};

	for (i = 0; i < SHIM_MAX_NODES; i++)
		nr_pages[i] = config->nr_pages[i] ? config->nr_pages[i] :
			      pages_for(config->frames[i]);
	memset(rig, 0, sizeof(*rig));
	nr_node_ids = config->nr_nodes ? config->nr_nodes : 1;
	disk_init(&rig->disk, config->nr_sectors);
	oracle_init(&rig->oracle, config->nr_sectors);
	rig->oracle.is_early = config->dirty_bytes;
	rig->last_tag = 1;
	shim_assert(!hearth_core_init());
	rig->cache = hearth_cache_alloc(&p);
	shim_assert(rig->cache);
	the_rig = rig;
}

/* Ends the cache's life; everything that it took has to be back then. */
void rig_exit(struct rig *rig)
{
	struct shim_usage left;

	shim_assert(!rig->nr_active);
	held_drop_all();
	seen_drop_all();
	windows_drop_all(rig);
	hearth_show_sweep(rig->cache);
	check_rest(rig);
	hearth_cache_free(rig->cache);
	hearth_core_exit();
	left = shim_usage();
	if (left.pages || left.objects || left.chunks)
		shim_die("left behind: %ld pages, %ld objects, %ld chunks",
			 left.pages, left.objects, left.chunks);
	disk_exit(&rig->disk);
	oracle_exit(&rig->oracle);
}

static bool read_hits(struct req *req)
{
	void (*before)(void) = shim_step_hook;
	bool hits;

	if (req->rig->look_up_hook)
		shim_step_hook = req->rig->look_up_hook;
	hits = hearth_cache_read_hits(req->rig->cache, &req->io.span);
	shim_step_hook = before;
	return hits;
}

/* Whether a write may be done as soon as the cache has it. */
static bool req_is_hasty(const struct req *req)
{
	return req->io.op == HEARTH_OP_WRITE && !req->io.fua;
}

static bool write_hits(struct req *req)
{
	bool hits = hearth_cache_write_hits(req->rig->cache, &req->io.span);

	req->nr_taken = (req->io.span.offset - req->all.offset) /
			HEARTH_FRAME_BYTES;
	return hits;
}

/* Submits a request as the backstore does: first as far as the cache goes. */
void rig_submit(struct req *req)
{
	struct rig *rig = req->rig;

	shim_assert(req->state == REQ_NEW);
	req->state = REQ_CORE;
	enqueue(rig->active, &rig->nr_active, req);
	if (req_is_command(req))
		oracle_start(&rig->oracle, req);
	if (!req->no_hits &&
	    ((req_is_read(req) && read_hits(req)) ||
	     (req_is_hasty(req) && write_hits(req))))
		rig_op_done(&req->io);
	else
		hearth_io_submit(&req->io);
}

/* Runs the @i-th of the runnable requests, where it wants to be if possible. */
void rig_run(struct rig *rig, unsigned int i)
{
	struct req *req = dequeue(rig->runnable, &rig->nr_runnable, i);
	struct req *before = rig->running;
	int nid = shim_nid;

	shim_assert(req->state == REQ_QUEUED);
	req->state = REQ_CORE;
	rig->running = req;
	if (req->run_nid != NUMA_NO_NODE && node_state(req->run_nid, N_CPU))
		shim_nid = req->run_nid;
	hearth_io_run(&req->io);
	shim_nid = nid;
	rig->running = before;
}

/* Lets the disk do one step; returns true if it was the request's last. */
bool rig_disk(struct rig *rig, unsigned int i, u32 random)
{
	struct req *req = rig->on_disk[i];

	if (!disk_step(&rig->disk, req, random))
		return false;
	dequeue(rig->on_disk, &rig->nr_on_disk, i);
	disk_end(&rig->disk, req);
	shim_assert(req->state == REQ_ON_DISK);
	req->state = REQ_CORE;
	hearth_io_end(&req->io, req->disk_error);
	return true;
}

/* Goes on with write-back on the first of the nodes that are asked to. */
void rig_flush(struct rig *rig)
{
	int nid = __ffs(rig->to_flush);

	rig->to_flush &= ~BIT(nid);
	hearth_flush_run(rig->cache, nid);
}

/* Runs what is runnable and lets nothing happen on the disk. */
void rig_run_all(struct rig *rig)
{
	while (rig->nr_runnable || rig->to_flush) {
		if (rig->to_flush)
			rig_flush(rig);
		else
			rig_run(rig, 0);
	}
}

/* Lets the disk finish with one request. */
void rig_finish_disk(struct req *req)
{
	struct rig *rig = req->rig;
	unsigned int i;

	shim_assert(req->state == REQ_ON_DISK);
	i = index_of(rig->on_disk, req);
	while (!rig_disk(rig, i, 0))
		;
	rig_run_all(rig);
}

/* Says where each request stands that does not come to its end. */
static void print_active(const struct rig *rig)
{
	static const char * const ops[] = {
		"read", "prefetch", "write", "discard", "write same", "flush",
		"clean", "forget", "show", "rehome", "alone"
	};
	const struct hearth_io *io;
	unsigned int i;

	for (i = 0; i < rig->nr_active; i++) {
		io = &rig->active[i]->io;
		fprintf(stderr,
			"%s of frames %llu-%llu: state %d, stage %d, pos %llu, held to %llu, waits for %#x%s%s\n",
			ops[io->op], io->first, io->first + io->nr_slots - 1,
			rig->active[i]->state, io->stage, io->pos, io->held_end,
			io->wait_mask, io->slots ? "" : ", past the cache",
			io->range_active ? ", active" : "");
	}
}

/* Lets everything come to its end; whoever does not was forgotten. */
void rig_drain(struct rig *rig)
{
	while (rig->nr_runnable || rig->to_flush || rig->nr_on_disk) {
		rig_run_all(rig);
		if (rig->nr_on_disk)
			rig_disk(rig, 0, 0);
	}
	check_rules(rig);
	if (rig->is_nested)
		return;
	print_active(rig);
	if (rig->nr_active)
		shim_die("%u requests wait for ever", rig->nr_active);
	check_rest(rig);
}

/* Does one request from beginning to end; returns its error. */
int rig_do(struct rig *rig, enum hearth_op op, u32 sector, u32 nr_sectors)
{
	struct req *req = rig_req(rig, op, sector, nr_sectors);
	int error;

	rig_submit(req);
	rig_drain(rig);
	error = req->io.error;
	req_free(req);
	return error;
}

/* Whether a read finds all of its sectors in the cache. */
bool rig_hits(struct rig *rig, u32 sector, u32 nr_sectors)
{
	struct req *req = rig_req(rig, HEARTH_OP_READ, sector, nr_sectors);
	bool hits;

	hits = hearth_cache_read_hits(rig->cache, &req->io.span);
	req_free(req);
	return hits;
}

/* What a sector holds while no command changes it. */
u64 rig_peek(struct rig *rig, u32 sector)
{
	u64 frame_nr = sector / HEARTH_FRAME_SECTORS;
	u32 i = sector % HEARTH_FRAME_SECTORS;
	void (*before)(void) = shim_step_hook;
	struct hearth_frame *frame = NULL;
	struct hearth_extent *ext;
	u64 value;

	shim_step_hook = NULL;	/* nothing may happen meanwhile */
	rcu_read_lock();
	ext = hearth_extent_find(rig->cache, frame_nr / HEARTH_EXTENT_FRAMES);
	if (ext)
		frame = ext->frames[frame_nr % HEARTH_EXTENT_FRAMES];
	rcu_read_unlock();
	shim_step_hook = before;
	if (!frame || !(frame->valid & BIT(i)))
		return rig->disk.values[sector];
	value = sector_read(frame->page->data + i * SECTOR_BYTES);
	if (!(frame->dirty & BIT(i)) && value != rig->disk.values[sector])
		shim_die("sector %u is clean, holds %llx, but the device %llx",
			 sector, value, rig->disk.values[sector]);
	return value;
}

/* Dirty frames, on all nodes. */
unsigned long rig_dirty(struct rig *rig)
{
	unsigned long sum = 0;
	int nid;

	for_each_node(nid)
		sum += hearth_cache_dirty(rig->cache, nid);
	return sum;
}

/* A counter, summed over the nodes. */
u64 rig_count(struct rig *rig, enum hearth_counter which)
{
	u64 sum = 0;
	int nid;

	for_each_node(nid)
		sum += hearth_cache_count(rig->cache, nid, which);
	return sum;
}
