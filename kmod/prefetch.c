// SPDX-License-Identifier: GPL-2.0-only
/*
 * PRE-FETCH: bringing blocks into the cache because an initiator says so.
 *
 * The range is fetched piece by piece, one at a time, so that a command holds
 * few frames at once however large its range is.  What is more than the cache
 * may hold is not fetched at all.  SBC-4 asks for CONDITION MET if the blocks
 * are in the cache afterwards, or, with IMMED, if they fit; else for GOOD.  So
 * whoever sends too many with IMMED is told GOOD and gets nothing.
 */
#include <scsi/scsi_proto.h>

#include "hearth.h"

/* A piece: what the largest read has. */
#define PIECE_BYTES	SZ_4M

/* With IMMED, so many may be under way behind the initiator's back. */
#define MAX_IMMED	8

#define IMMED_BIT	0x02

static u64 lba_of(const u8 *cdb)
{
	return cdb[0] == PRE_FETCH ? get_unaligned_be32(&cdb[2]) :
				     get_unaligned_be64(&cdb[2]);
}

static u32 nr_blocks_of(const u8 *cdb)
{
	return cdb[0] == PRE_FETCH ? get_unaligned_be16(&cdb[7]) :
				     get_unaligned_be32(&cdb[10]);
}

/* No more than the cache may hold; no blocks means all up to the last. */
static void set_range(struct hearth_request *req, const u8 *cdb)
{
	struct hearth_cache *cache = req->io.cache;
	struct hearth_prefetch *range = &req->prefetch;
	u32 block = req->hdev->se_dev.dev_attrib.block_size;
	u64 max_bytes = (u64)hearth_cache_total(cache) << HEARTH_FRAME_SHIFT;
	u32 nr_blocks = nr_blocks_of(cdb);
	u64 lead;

	range->begin = lba_of(cdb) * block;
	range->end = nr_blocks ? range->begin + (u64)nr_blocks * block :
				 round_down(cache->size_bytes, block);
	lead = range->begin % HEARTH_FRAME_BYTES;
	range->fits = round_up(range->end - range->begin + lead,
			       HEARTH_FRAME_BYTES) <= max_bytes;
	if (!range->fits)
		range->end = round_down(range->begin, HEARTH_FRAME_BYTES) +
			     max_bytes;
	req->io.span.offset = range->begin;
	req->io.span.len = 0;
	req->io.order = 0;
}

/* Nobody waits for the result any more. */
static bool is_pointless(const struct hearth_request *req)
{
	if (!req->cmd)
		return READ_ONCE(req->hdev->is_going);
	return READ_ONCE(req->cmd->transport_state) &
	       (CMD_T_ABORTED | CMD_T_STOP);
}

static void fetch_piece(struct work_struct *work)
{
	struct hearth_request *req;
	struct hearth_span *span;
	u64 max_bytes;

	req = container_of(work, struct hearth_request, work);
	span = &req->io.span;
	max_bytes = min_t(u64, PIECE_BYTES,
			  (u64)READ_ONCE(req->io.cache->max_io_frames) <<
			  HEARTH_FRAME_SHIFT);
	span->offset += span->len;
	/* up to the end of a frame, so that none is fetched twice */
	span->len = min(req->prefetch.end - span->offset,
			max_bytes - span->offset % HEARTH_FRAME_BYTES);
	hearth_io_submit(&req->io);
}

/**
 * hearth_prefetch_next() - go on with a PRE-FETCH, a piece of which is done
 * @req: the request
 *
 * Not on this stack: what is in the cache already is done at once, many times.
 *
 * Context: Process context.
 * Return: false if it is over.
 */
bool hearth_prefetch_next(struct hearth_request *req)
{
	const struct hearth_span *span = &req->io.span;
	bool is_over = req->io.error || is_pointless(req) ||
		       span->offset + span->len >= req->prefetch.end;

	if (is_over) {
		if (!req->cmd)
			atomic_dec(&req->hdev->nr_prefetches);
		/* the cache is full of what is in use: no error */
		if (req->io.error == -ENOMEM)
			req->io.error = 0;
		return false;
	}
	hearth_dispatch_work(&req->io, fetch_piece);
	return true;
}

/**
 * hearth_prefetch_status() - what the initiator is told of a PRE-FETCH
 * @req: the request; it is over, without an error
 *
 * Context: Process context, may sleep.
 * Return: The SCSI status: CONDITION MET if all the blocks are in the cache.
 */
u8 hearth_prefetch_status(const struct hearth_request *req)
{
	const struct hearth_prefetch *range = &req->prefetch;

	if (range->fits && hearth_cache_holds(req->io.cache, range->begin,
					      range->end - range->begin))
		return SAM_STAT_CONDITION_MET;
	return SAM_STAT_GOOD;
}

static sense_reason_t execute_prefetch(struct se_cmd *cmd)
{
	struct hearth_dev *hdev = to_hearth_dev(cmd->se_dev);
	bool immed = cmd->t_task_cdb[1] & IMMED_BIT;
	struct hearth_request *req;
	u8 status = SAM_STAT_GOOD;

	if (immed && atomic_inc_return(&hdev->nr_prefetches) > MAX_IMMED) {
		atomic_dec(&hdev->nr_prefetches);
		target_complete_cmd(cmd, status);
		return 0;
	}
	req = hearth_request_alloc(cmd, HEARTH_OP_PREFETCH);
	set_range(req, cmd->t_task_cdb);
	if (immed) {
		if (req->prefetch.fits)
			status = SAM_STAT_CONDITION_MET;
		hearth_request_orphan(req);
	}
	hearth_dispatch_work(&req->io, fetch_piece);
	if (immed)
		target_complete_cmd(cmd, status);
	return 0;
}

static bool is_in_lun(struct se_device *dev, u64 lba, u32 nr_blocks)
{
	u64 end = dev->transport->get_blocks(dev) + 1;

	return lba < end && nr_blocks <= end - lba;
}

/**
 * hearth_prefetch_parse() - PRE-FETCH (10) or (16)
 * @cmd: the command
 *
 * Return: 0 or what the initiator is told.
 */
sense_reason_t hearth_prefetch_parse(struct se_cmd *cmd)
{
	const u8 *cdb = cmd->t_task_cdb;

	if (!is_in_lun(cmd->se_dev, lba_of(cdb), nr_blocks_of(cdb)))
		return TCM_ADDRESS_OUT_OF_RANGE;
	if (cmd->data_length) {	/* there is no data: as the target core does */
		if (cmd->data_direction == DMA_TO_DEVICE)
			return TCM_INVALID_CDB_FIELD;
		target_set_cmd_data_length(cmd, 0);
	}
	cmd->t_task_lba = lba_of(cdb);
	cmd->execute_cmd = execute_prefetch;
	return 0;
}
