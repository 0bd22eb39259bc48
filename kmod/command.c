// SPDX-License-Identifier: GPL-2.0-only
/*
 * SCSI commands as requests to the cache, and their results as sense data.
 */
#include <linux/mempool.h>
#include <scsi/scsi_common.h>
#include <scsi/scsi_proto.h>

#include "hearth.h"

#define MIN_REQUESTS	64
#define MIN_CLEANS	16
#define MIN_PATTERNS	2

/* SPC-5: additional sense codes, code and qualifier */
#define ASC_WRITE_ERROR			0x0c, 0x00
#define ASC_GUARD_CHECK_FAILED		0x10, 0x01
#define ASC_UNRECOVERED_READ_ERROR	0x11, 0x00
#define ASC_INVALID_FIELD_IN_CDB	0x24, 0x00
#define ASC_WRITE_PROTECTED		0x27, 0x00
#define ASC_SPACE_ALLOCATION_FAILED	0x27, 0x07
#define ASC_COMMAND_TIMEOUT		0x2e, 0x02
#define ASC_INTERNAL_TARGET_FAILURE	0x44, 0x00
#define ASC_NOT_READY			0x04, 0x00

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
 * hearth_pattern_alloc() - get the page that a WRITE SAME writes
 *
 * Context: Process context; waits for other WRITE SAMEs to end if need be.
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
	req->unmap_next = 0;
	req->read_next.len = 0;
	req->prefetch.end = 0;
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

static void free_request(struct hearth_request *req)
{
	if (req->pattern)
		mempool_free(req->pattern, pattern_pool);
	mempool_free(req, req->io.op == HEARTH_OP_CLEAN ? clean_pool :
							  request_pool);
}

/**
 * struct sense_entry - what a failed request tells the initiator
 * @error: -errno of the backing device
 * @status: SCSI status
 * @key: sense key, if @status is CHECK CONDITION
 * @asc: additional sense code
 * @ascq: its qualifier
 *
 * An error that is not listed is a medium error.
 */
struct sense_entry {
	int error;
	u8 status;
	u8 key;
	u8 asc;
	u8 ascq;
};

static const struct sense_entry sense_table[] = {
	{ -ENOSPC, SAM_STAT_CHECK_CONDITION, DATA_PROTECT,
	  ASC_SPACE_ALLOCATION_FAILED },
	{ -EROFS, SAM_STAT_CHECK_CONDITION, DATA_PROTECT, ASC_WRITE_PROTECTED },
	{ -EACCES, SAM_STAT_CHECK_CONDITION, DATA_PROTECT, ASC_WRITE_PROTECTED },
	{ -EPERM, SAM_STAT_CHECK_CONDITION, DATA_PROTECT, ASC_WRITE_PROTECTED },
	{ -ENODEV, SAM_STAT_CHECK_CONDITION, NOT_READY, ASC_NOT_READY },
	{ -ENXIO, SAM_STAT_CHECK_CONDITION, NOT_READY, ASC_NOT_READY },
	{ -ENOLINK, SAM_STAT_CHECK_CONDITION, NOT_READY, ASC_NOT_READY },
	{ -ETIMEDOUT, SAM_STAT_CHECK_CONDITION, ABORTED_COMMAND,
	  ASC_COMMAND_TIMEOUT },
	{ -EILSEQ, SAM_STAT_CHECK_CONDITION, ABORTED_COMMAND,
	  ASC_GUARD_CHECK_FAILED },
	{ -EREMOTEIO, SAM_STAT_CHECK_CONDITION, HARDWARE_ERROR,
	  ASC_INTERNAL_TARGET_FAILURE },
	{ -EOPNOTSUPP, SAM_STAT_CHECK_CONDITION, ILLEGAL_REQUEST,
	  ASC_INVALID_FIELD_IN_CDB },
	{ -EBADE, SAM_STAT_RESERVATION_CONFLICT },
	{ -ENOMEM, SAM_STAT_BUSY },
	{ -EAGAIN, SAM_STAT_BUSY },
};

static const struct sense_entry read_error = {
	-EIO, SAM_STAT_CHECK_CONDITION, MEDIUM_ERROR, ASC_UNRECOVERED_READ_ERROR
};

static const struct sense_entry write_error = {
	-EIO, SAM_STAT_CHECK_CONDITION, MEDIUM_ERROR, ASC_WRITE_ERROR
};

static const struct sense_entry *find_sense(const struct hearth_io *io)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sense_table); i++) {
		if (sense_table[i].error == io->error)
			return &sense_table[i];
	}
	return io->op == HEARTH_OP_READ || io->op == HEARTH_OP_PREFETCH ?
	       &read_error : &write_error;
}

/* As the target core does: what has more than 32 bits of LBA needs it. */
static bool wants_descriptor_sense(struct se_device *dev)
{
	return dev->transport->get_blocks(dev) > U32_MAX;
}

static void set_sense(struct se_cmd *cmd, const struct hearth_io *io,
		      const struct sense_entry *entry)
{
	struct se_device *dev = cmd->se_dev;
	u8 sense[TRANSPORT_SENSE_BUFFER] = { };

	scsi_build_sense_buffer(wants_descriptor_sense(dev), sense,
				entry->key, entry->asc, entry->ascq);
	if (io->bad_offset != U64_MAX)
		scsi_set_sense_information(sense, sizeof(sense),
					   div_u64(io->bad_offset,
						   dev->dev_attrib.block_size));
	transport_copy_sense_to_cmd(cmd, sense);
}

static void fail_command(struct se_cmd *cmd, const struct hearth_io *io)
{
	const struct sense_entry *entry = find_sense(io);

	/*
	 * The target core skips the callback of COMPARE AND WRITE, and so
	 * never releases its semaphore, if a backend hands in sense data.
	 */
	if (entry->status == SAM_STAT_CHECK_CONDITION &&
	    !(cmd->se_cmd_flags & SCF_COMPARE_AND_WRITE))
		set_sense(cmd, io, entry);
	target_complete_cmd(cmd, entry->status);
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
		hearth_err(hdev, "dev=%s: flushing failed: error %d\n",
			   hdev->params.dev, error);
	free_request(req);
	hearth_orphan_put(hdev);
	if (waiter)
		complete(&waiter->done);
}

static bool next_unmap(struct hearth_request *req);

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
	if (!io->error &&
	    (next_read(req) || (req->unmap_next && next_unmap(req))))
		return;
	if (io->error)
		fail_command(cmd, io);
	else
		target_complete_cmd(cmd, req->prefetch.end ?
				    hearth_prefetch_status(req) : SAM_STAT_GOOD);
	free_request(req);
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
 * hearth_command_wait() - do something with all of a LUN, and wait
 * @hdev: the LUN
 * @op: HEARTH_OP_FLUSH or HEARTH_OP_FORGET
 *
 * Context: Process context, sleeps.
 * Return: 0 or -errno.
 */
int hearth_command_wait(struct hearth_dev *hdev, enum hearth_op op)
{
	struct hearth_request *req = mempool_alloc(request_pool, GFP_KERNEL);

	init_request(req, hdev, NULL, op);
	req->io.span.len = hdev->cache->size_bytes;
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

static u64 lba_to_offset(struct se_cmd *cmd, u64 lba)
{
	return lba * cmd->se_dev->dev_attrib.block_size;
}

/* The data's length is the scatterlist's; data_length may be another. */
static u64 sg_bytes(struct scatterlist *sgl, u32 nents)
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

static sense_reason_t execute_rw(struct se_cmd *cmd, struct scatterlist *sgl,
				 u32 nents, enum dma_data_direction direction)
{
	struct hearth_dev *hdev = to_hearth_dev(cmd->se_dev);
	struct hearth_span span = {
		.offset	= lba_to_offset(cmd, cmd->t_task_lba),
		.len	= sg_bytes(sgl, nents),
		.sg	= sgl,
		.flip	= may_flip(cmd),
	};
	struct hearth_request *req;
	bool fua_read = direction == DMA_FROM_DEVICE &&
			cmd->se_cmd_flags & SCF_FUA &&
			hearth_writeback_dirty_bytes(hdev);

	if (!span.len ||
	    (direction == DMA_FROM_DEVICE && !fua_read &&
	     hearth_cache_read_hits(hdev->cache, &span))) {
		target_complete_cmd(cmd, SAM_STAT_GOOD);
		return 0;
	}
	req = hearth_request_alloc(cmd, direction == DMA_FROM_DEVICE ?
			    HEARTH_OP_READ : HEARTH_OP_WRITE);
	req->io.fua = cmd->se_cmd_flags & SCF_FUA;
	req->io.nid = page_to_nid(sg_page(span.sg));
	req->io.span = span;
	if (direction == DMA_TO_DEVICE)
		hearth_writeback_hold(hdev);
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
	u64 offset = lba_to_offset(cmd, cmd->t_task_lba);
	u64 nr_blocks;

	nr_blocks = cdb[0] == SYNCHRONIZE_CACHE ? get_unaligned_be16(&cdb[7]) :
						  get_unaligned_be32(&cdb[10]);
	if (offset >= end)
		return;
	req->io.span.offset = offset;
	req->io.span.len = end - offset;
	if (nr_blocks)
		req->io.span.len = min(req->io.span.len,
				       lba_to_offset(cmd, nr_blocks));
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

static sense_reason_t execute_write_same(struct se_cmd *cmd)
{
	u64 nr_blocks = sbc_get_write_same_sectors(cmd);
	u32 block = cmd->se_dev->dev_attrib.block_size;
	struct hearth_request *req;

	if (sg_bytes(cmd->t_data_sg, cmd->t_data_nents) != block)
		return TCM_INVALID_CDB_FIELD;
	req = hearth_request_alloc(cmd, HEARTH_OP_WRITE_SAME);
	req->io.fua = cmd->se_cmd_flags & SCF_FUA;
	req->io.span = (struct hearth_span) {
		.offset	= lba_to_offset(cmd, cmd->t_task_lba),
		.len	= nr_blocks * block,
		.sg	= cmd->t_data_sg,
	};
	hearth_io_submit(&req->io);
	return 0;
}

static sense_reason_t execute_write_same_unmap(struct se_cmd *cmd)
{
	u64 nr_blocks = sbc_get_write_same_sectors(cmd);
	struct hearth_request *req = hearth_request_alloc(cmd, HEARTH_OP_DISCARD);

	req->io.span.offset = lba_to_offset(cmd, cmd->t_task_lba);
	req->io.span.len = lba_to_offset(cmd, nr_blocks);
	hearth_io_submit(&req->io);
	return 0;
}

/* SBC-4 5.35: the UNMAP parameter list */
#define UNMAP_HEADER_BYTES	8
#define UNMAP_DESC_BYTES	16

/* Copies a part of the list, whose pages need not be mapped for that. */
static void read_unmap_list(struct se_cmd *cmd, void *buf, u32 len, u32 offset)
{
	sg_pcopy_to_buffer(cmd->t_data_sg, cmd->t_data_nents, buf, len, offset);
}

static void read_unmap_desc(struct se_cmd *cmd, u32 nr, u8 *desc)
{
	read_unmap_list(cmd, desc, UNMAP_DESC_BYTES,
			UNMAP_HEADER_BYTES + nr * UNMAP_DESC_BYTES);
}

static u32 nr_unmap_descs(struct se_cmd *cmd)
{
	u32 bytes = cmd->data_length - UNMAP_HEADER_BYTES;
	u8 header[UNMAP_HEADER_BYTES] = { };

	read_unmap_list(cmd, header, sizeof(header), 0);
	return min_t(u32, get_unaligned_be16(&header[2]), bytes) /
	       UNMAP_DESC_BYTES;
}

static sense_reason_t check_unmap_desc(struct se_device *dev, const u8 *desc)
{
	u64 lba = get_unaligned_be64(desc);
	u32 nr_blocks = get_unaligned_be32(desc + 8);
	u64 end = dev->transport->get_blocks(dev) + 1;

	if (nr_blocks > dev->dev_attrib.max_unmap_lba_count)
		return TCM_INVALID_PARAMETER_LIST;
	if (lba > end || nr_blocks > end - lba)
		return TCM_ADDRESS_OUT_OF_RANGE;
	return 0;
}

static sense_reason_t check_unmap(struct se_cmd *cmd)
{
	struct se_device *dev = cmd->se_dev;
	u8 desc[UNMAP_DESC_BYTES] = { };
	u32 nr = nr_unmap_descs(cmd);
	sense_reason_t ret = 0;
	u32 i;

	if (nr > dev->dev_attrib.max_unmap_block_desc_count)
		return TCM_INVALID_PARAMETER_LIST;
	for (i = 0; i < nr && !ret; i++) {
		read_unmap_desc(cmd, i, desc);
		ret = check_unmap_desc(dev, desc);
	}
	return ret;
}

/* Starts the next descriptor that is not empty; false if there is none. */
static bool next_unmap(struct hearth_request *req)
{
	struct se_cmd *cmd = req->cmd;
	u8 desc[UNMAP_DESC_BYTES] = { };
	u32 nr = nr_unmap_descs(cmd);
	u64 nr_blocks = 0;

	while (req->unmap_next < nr && !nr_blocks) {
		read_unmap_desc(cmd, req->unmap_next++, desc);
		nr_blocks = get_unaligned_be32(desc + 8);
	}
	if (!nr_blocks)
		return false;
	req->io.span.offset = lba_to_offset(cmd, get_unaligned_be64(desc));
	req->io.span.len = lba_to_offset(cmd, nr_blocks);
	hearth_io_submit(&req->io);
	return true;
}

static sense_reason_t execute_unmap(struct se_cmd *cmd)
{
	struct hearth_request *req;
	sense_reason_t ret;

	if (cmd->t_task_cdb[1])	/* ANCHOR is not supported */
		return TCM_INVALID_CDB_FIELD;
	if (!cmd->data_length) {
		target_complete_cmd(cmd, SAM_STAT_GOOD);
		return 0;
	}
	if (cmd->data_length < UNMAP_HEADER_BYTES)
		return TCM_PARAMETER_LIST_LENGTH_ERROR;
	ret = check_unmap(cmd);
	if (ret)
		return ret;

	req = hearth_request_alloc(cmd, HEARTH_OP_DISCARD);
	if (!next_unmap(req)) {
		target_complete_cmd(cmd, SAM_STAT_GOOD);
		free_request(req);
	}
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
	.execute_write_same	= execute_write_same,
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
 * not know.  It also lets an initiator without an explicit ACL write to a LUN that is read-only.
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
	ret = sbc_parse_cdb(cmd, &hearth_exec_ops_table);
	if (ret)
		return ret;
	writes = cmd->se_cmd_flags & SCF_SCSI_DATA_CDB &&
		 cmd->data_direction == DMA_TO_DEVICE;
	switch (cdb[0]) {
	case UNMAP:
		writes = true;
		cmd->execute_cmd = execute_unmap;
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
		cmd->execute_cmd = execute_write_same_unmap;
	if (writes && to_hearth_dev(cmd->se_dev)->params.readonly)
		return TCM_WRITE_PROTECTED;
	return 0;
}
