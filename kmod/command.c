// SPDX-License-Identifier: GPL-2.0-only
/*
 * SCSI commands as requests to the cache.
 */
#include <linux/mempool.h>
#include <scsi/scsi_proto.h>

#include "hearth.h"

#define MIN_REQUESTS	64
#define MIN_CLEANS	16
#define MIN_PATTERNS	2

static struct kmem_cache *request_slab;
static mempool_t *request_pool;
static mempool_t *clean_pool;
static mempool_t *pattern_pool;

int hearth_command_init(void)
{
	request_slab = KMEM_CACHE(hearth_request, 0);
	if (!request_slab)
		return -ENOMEM;
	request_pool = mempool_create_slab_pool(MIN_REQUESTS, request_slab);
	clean_pool = mempool_create_slab_pool(MIN_CLEANS, request_slab);
	pattern_pool = mempool_create_page_pool(MIN_PATTERNS, 0);
	if (request_pool && clean_pool && pattern_pool)
		return 0;
	hearth_command_exit();
	return -ENOMEM;
}

void hearth_command_exit(void)
{
	mempool_destroy(pattern_pool);
	mempool_destroy(clean_pool);
	mempool_destroy(request_pool);
	kmem_cache_destroy(request_slab);
}

/**
 * hearth_pattern_alloc() - get a page of a command's own
 *
 * What a WRITE SAME writes, or what a VERIFY reads.
 *
 * Context: Process context; waits for others to end if need be.
 * Return: The page.
 */
struct page *hearth_pattern_alloc(void)
{
	return mempool_alloc(pattern_pool, GFP_NOIO);
}

static void init_request(struct hearth_request *req, struct hearth_dev *hdev,
			 struct se_cmd *cmd, enum hearth_op op)
{
	req->hdev = hdev;
	req->cmd = cmd;
	req->waiter = NULL;
	req->pattern = NULL;
	req->zeroes = false;
	req->punch = false;
	req->unmap_next = 0;
	req->read_next.len = 0;
	req->prefetch.end = 0;
	req->verify.end = 0;
	req->io.cache = hdev->cache;
	req->io.op = op;
	req->io.fua = false;
	req->io.nid = numa_mem_id();
	req->io.span = (struct hearth_span) { };
}

/* A request of a command; waits for memory if need be, but never fails. */
struct hearth_request *hearth_request_alloc(struct se_cmd *cmd,
					    enum hearth_op op)
{
	struct hearth_request *req = mempool_alloc(request_pool, GFP_NOIO);

	init_request(req, to_hearth_dev(cmd->se_dev), cmd, op);
	return req;
}

/* A request is over, and its command was answered. */
void hearth_request_free(struct hearth_request *req)
{
	if (req->pattern)
		mempool_free(req->pattern, pattern_pool);
	mempool_free(req, req->io.op == HEARTH_OP_CLEAN ? clean_pool :
							  request_pool);
}

/* The request goes on without its command, which has been or will be answered. */
void hearth_request_orphan(struct hearth_request *req)
{
	hearth_orphan_get(req->hdev);
	req->cmd = NULL;
}

/**
 * hearth_orphan_put() - something that nobody waits for is over
 * @hdev: the LUN, which may go now; see hearth_orphan_get()
 *
 * Context: Any.
 */
void hearth_orphan_put(struct hearth_dev *hdev)
{
	if (refcount_dec_and_test(&hdev->nr_orphans))
		complete(&hdev->orphans_gone);
}

static void orphan_done(struct hearth_request *req)
{
	struct hearth_waiter *waiter = req->waiter;
	struct hearth_dev *hdev = req->hdev;
	int error = req->io.error;

	if (waiter)
		waiter->error = error;
	else if (error && req->io.op == HEARTH_OP_FLUSH)
		hearth_writeback_failed(hdev);
	hearth_request_free(req);
	hearth_orphan_put(hdev);
	if (waiter)
		complete(&waiter->done);
}

/* Starts the read that a flush was for; false if there is none. */
static bool next_read(struct hearth_request *req)
{
	if (!req->read_next.len)
		return false;
	req->io.op = HEARTH_OP_READ;
	req->io.span = req->read_next;
	req->read_next.len = 0;
	hearth_io_submit(&req->io);
	return true;
}

/* A request is over: tell the initiator, or go on with the next part. */
static void request_done(struct hearth_io *io)
{
	struct hearth_request *req = to_hearth_request(io);
	struct se_cmd *cmd = req->cmd;

	if (req->prefetch.end && hearth_prefetch_next(req))
		return;
	if (!cmd) {
		orphan_done(req);
		return;
	}
	if (io->error && io->op == HEARTH_OP_FLUSH)
		hearth_writeback_failed(req->hdev);
	if (!io->error &&
	    (next_read(req) || (req->unmap_next && hearth_unmap_next(req)) ||
	     (req->verify.end && hearth_verify_next(req))))
		return;
	if (io->error)
		hearth_command_fail(cmd, io);
	else
		target_complete_cmd(cmd, req->prefetch.end ?
				    hearth_prefetch_status(req) : SAM_STAT_GOOD);
	hearth_request_free(req);
}

/* Write-back has a reserve of requests that no command can use up. */
static struct hearth_io *alloc_own(struct hearth_cache *cache,
				   enum hearth_op op, u64 offset, u64 len,
				   int nid)
{
	struct hearth_dev *hdev = cache->priv;
	struct hearth_request *req;

	if (op == HEARTH_OP_CLEAN)
		req = mempool_alloc(clean_pool, GFP_NOIO);
	else
		req = kmem_cache_alloc(request_slab, GFP_NOWAIT | __GFP_NOWARN);
	if (!req)
		return NULL;
	init_request(req, hdev, NULL, op);
	hearth_orphan_get(hdev);
	req->io.nid = nid;
	req->io.span.offset = offset;
	req->io.span.len = len;
	return &req->io;
}

/* Submits a request that no command waits for, and waits. */
static int wait_for(struct hearth_request *req)
{
	struct hearth_waiter waiter = { };

	init_completion(&waiter.done);
	/* cppcheck-suppress autoVariables; it is waited for */
	req->waiter = &waiter;
	hearth_orphan_get(req->hdev);
	hearth_io_submit(&req->io);
	wait_for_completion(&waiter.done);
	return waiter.error;
}

/**
 * hearth_command_flush() - flush a LUN, and do not wait
 * @hdev: the LUN; if it fails, hearth_writeback_failed() is called
 *
 * Context: Process context.
 */
void hearth_command_flush(struct hearth_dev *hdev)
{
	struct hearth_request *req = mempool_alloc(request_pool, GFP_NOIO);

	init_request(req, hdev, NULL, HEARTH_OP_FLUSH);
	req->io.span.len = hdev->cache->size_bytes;
	hearth_orphan_get(hdev);
	hearth_io_submit(&req->io);
}

/**
 * hearth_command_wait() - do something with all of a LUN, and wait
 * @hdev: the LUN
 * @op: HEARTH_OP_FLUSH or HEARTH_OP_FORGET
 *
 * Context: Process context, sleeps.
 * Return: 0 or -errno.
 */
int hearth_command_wait(struct hearth_dev *hdev, enum hearth_op op)
{
	struct hearth_span all = { .len = hdev->cache->size_bytes };

	return hearth_command_do(hdev, op, &all, 0);
}

/**
 * hearth_command_do() - do something with a range of a LUN, and wait
 * @hdev: the LUN
 * @op: what; no HEARTH_OP_ALONE
 * @span: the range, and its data if there are any
 * @flags: HEARTH_DO_*
 *
 * Context: Process context, sleeps.
 * Return: 0 or -errno.
 */
int hearth_command_do(struct hearth_dev *hdev, enum hearth_op op,
		      const struct hearth_span *span, unsigned int flags)
{
	struct hearth_request *req = mempool_alloc(request_pool, GFP_KERNEL);

	init_request(req, hdev, NULL, op);
	req->io.span = *span;
	req->io.order = 0;
	req->io.fua = flags & HEARTH_DO_FUA;
	req->punch = flags & HEARTH_DO_PUNCH;
	return wait_for(req);
}

/**
 * hearth_command_alone() - forget what is clean in a range, and wait
 * @hdev: the LUN
 * @offset: first byte
 * @len: bytes
 * @alone: called when no command is under way in the range, or NULL; no other
 *	begins until it returns
 *
 * Context: Process context, sleeps.
 * Return: What @alone did.
 */
int hearth_command_alone(struct hearth_dev *hdev, u64 offset, u64 len,
			 int (*alone)(struct hearth_dev *hdev))
{
	struct hearth_request *req = mempool_alloc(request_pool, GFP_KERNEL);

	init_request(req, hdev, NULL, HEARTH_OP_ALONE);
	req->io.span.offset = offset;
	req->io.span.len = len;
	req->alone = alone;
	return wait_for(req);
}

const struct hearth_cache_ops hearth_cache_ops = {
	.submit		= hearth_backing_submit,
	.read_block	= hearth_backing_read_block,
	.run		= hearth_dispatch,
	.run_on		= hearth_dispatch_on,
	.alloc		= alloc_own,
	.flush		= hearth_writeback_run,
	.done		= request_done,
};

/* The data's length is the scatterlist's; data_length may be another. */
u64 hearth_sg_bytes(struct scatterlist *sgl, u32 nents)
{
	struct scatterlist *sg;
	u64 len = 0;
	u32 i;

	for_each_sg(sgl, sg, nents, i)
		len += sg->length;
	return len;
}

/*
 * Whether the pages of the command's data are the target core's, one by one,
 * and only this command's: then it does not matter which page it frees.
 */
static bool may_flip(const struct se_cmd *cmd)
{
	return !(cmd->se_cmd_flags & (SCF_PASSTHROUGH_SG_TO_MEM_NOALLOC |
				      SCF_COMPARE_AND_WRITE));
}

/* SBC-4 5.11: with FUA a read returns what is on the medium, so put it there. */
static void start_fua_read(struct hearth_request *req)
{
	req->io.op = HEARTH_OP_FLUSH;
	req->read_next = req->io.span;
	req->io.span.sg = NULL;
	hearth_io_submit(&req->io);
}

/* Serves a command from the cache alone, as far as it can. */
static bool serve_at_once(struct se_cmd *cmd, enum dma_data_direction direction,
			  struct hearth_span *span)
{
	struct hearth_cache *cache = to_hearth_dev(cmd->se_dev)->cache;

	if (direction == DMA_FROM_DEVICE)
		return hearth_cache_read_hits(cache, span);
	return !(cmd->se_cmd_flags & SCF_FUA) &&
	       hearth_cache_write_hits(cache, span);
}

static sense_reason_t execute_rw(struct se_cmd *cmd, struct scatterlist *sgl,
				 u32 nents, enum dma_data_direction direction)
{
	struct hearth_dev *hdev = to_hearth_dev(cmd->se_dev);
	struct hearth_span span = {
		.offset	= hearth_lba_to_offset(cmd, cmd->t_task_lba),
		.len	= hearth_sg_bytes(sgl, nents),
		.sg	= sgl,
		.flip	= may_flip(cmd),
	};
	struct hearth_request *req;
	bool fua_read = direction == DMA_FROM_DEVICE &&
			cmd->se_cmd_flags & SCF_FUA &&
			hearth_writeback_dirty_bytes(hdev);

	if (direction == DMA_TO_DEVICE)
		hearth_writeback_hold(hdev);
	if (!span.len ||
	    (!fua_read && serve_at_once(cmd, direction, &span))) {
		target_complete_cmd(cmd, SAM_STAT_GOOD);
		return 0;
	}
	req = hearth_request_alloc(cmd, direction == DMA_FROM_DEVICE ?
			    HEARTH_OP_READ : HEARTH_OP_WRITE);
	req->io.fua = cmd->se_cmd_flags & SCF_FUA;
	req->io.nid = page_to_nid(sg_page(span.sg));
	req->io.span = span;
	if (fua_read)
		start_fua_read(req);
	else
		hearth_io_submit(&req->io);
	return 0;
}

/* SBC-4 5.33: no blocks means all up to the end */
static void set_flush_range(struct hearth_request *req)
{
	struct se_cmd *cmd = req->cmd;
	const u8 *cdb = cmd->t_task_cdb;
	u64 end = req->io.cache->size_bytes;
	u64 offset = hearth_lba_to_offset(cmd, cmd->t_task_lba);
	u64 nr_blocks;

	nr_blocks = cdb[0] == SYNCHRONIZE_CACHE ? get_unaligned_be16(&cdb[7]) :
						  get_unaligned_be32(&cdb[10]);
	if (offset >= end)
		return;
	req->io.span.offset = offset;
	req->io.span.len = end - offset;
	if (nr_blocks)
		req->io.span.len = min(req->io.span.len,
				       hearth_lba_to_offset(cmd, nr_blocks));
}

static sense_reason_t execute_sync_cache(struct se_cmd *cmd)
{
	struct hearth_request *req = hearth_request_alloc(cmd, HEARTH_OP_FLUSH);
	bool immed = cmd->t_task_cdb[1] & 0x2;

	set_flush_range(req);
	if (immed)
		hearth_request_orphan(req);
	hearth_io_submit(&req->io);
	if (immed)
		target_complete_cmd(cmd, SAM_STAT_GOOD);
	return 0;
}

/*
 * The target core takes UNMAP as supported only if this is there; it is never
 * called, since hearth_parse_cdb() puts asynchronous commands in its place.
 */
static sense_reason_t refuse_unmap(struct se_cmd *cmd, sector_t lba,
				   sector_t nolb)
{
	return TCM_UNSUPPORTED_SCSI_OPCODE;
}

static struct hearth_exec_ops hearth_exec_ops_table = {
	.execute_rw		= execute_rw,
	.execute_sync_cache	= execute_sync_cache,
	.execute_write_same	= hearth_write_same,
	.execute_unmap		= refuse_unmap,
};

#define WRITE_SAME_UNMAP_BIT	0x08

/**
 * hearth_parse_cdb() - choose what executes a command
 * @cmd: the command
 *
 * The target core's own UNMAP and WRITE SAME with UNMAP wait for the device on
 * a thread that serves many commands; ours do not.  WRITE AND VERIFY has to
 * reach the medium, which the target core does not ask for.  PRE-FETCH it does
 * not know; VERIFY it does not do.  It also lets an initiator without an
 * explicit ACL write to a LUN that is read-only.
 *
 * Return: 0 or what the initiator is told.
 */
sense_reason_t hearth_parse_cdb(struct se_cmd *cmd)
{
	const u8 *cdb = cmd->t_task_cdb;
	bool is_unmap = false;
	sense_reason_t ret;
	bool writes;

	if (hearth_capacity_intercept(cmd))
		return 0;
	if (cdb[0] == PRE_FETCH || cdb[0] == HEARTH_PRE_FETCH_16)
		return hearth_prefetch_parse(cmd);
	if (cdb[0] == VERIFY || cdb[0] == VERIFY_12 || cdb[0] == VERIFY_16)
		return hearth_verify_parse(cmd);
	ret = sbc_parse_cdb(cmd, &hearth_exec_ops_table);
	if (ret)
		return ret;
	writes = cmd->se_cmd_flags & SCF_SCSI_DATA_CDB &&
		 cmd->data_direction == DMA_TO_DEVICE;
	switch (cdb[0]) {
	case UNMAP:
		writes = true;
		cmd->execute_cmd = hearth_unmap;
		break;
	case WRITE_SAME:
	case WRITE_SAME_16:
		writes = true;
		is_unmap = cdb[1] & WRITE_SAME_UNMAP_BIT;
		break;
	case VARIABLE_LENGTH_CMD:	/* WRITE SAME (32) is the only one */
		writes = true;
		is_unmap = cdb[10] & WRITE_SAME_UNMAP_BIT;
		break;
	case WRITE_VERIFY:
	case WRITE_VERIFY_16:
		cmd->se_cmd_flags |= SCF_FUA;
		break;
	}
	if (is_unmap)
		cmd->execute_cmd = hearth_write_same_unmap;
	if (writes && READ_ONCE(to_hearth_dev(cmd->se_dev)->refuses_writes))
		return TCM_WRITE_PROTECTED;
	return 0;
}
