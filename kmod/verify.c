// SPDX-License-Identifier: GPL-2.0-only
/*
 * VERIFY: reading blocks, and comparing them with what the initiator sends.
 *
 * The target core answers GOOD without looking.  Here the blocks are put on
 * the medium, if they are dirty, and then read, a frame at a time: from the
 * cache what is there, which is what any initiator would get, and from the
 * device what is not.  A large range is read ahead of like any sequential one.
 */
#include <scsi/scsi_proto.h>

#include "hearth.h"

#define VRPROTECT_MASK	0xe0
#define DPO_BIT		0x10

/* SBC-4 5.36: what a VERIFY is sent along with, in BYTCHK */
enum bytchk {
	BYTCHK_NOTHING	= 0,
	BYTCHK_ALL	= 1,	/* what all the blocks should hold */
	BYTCHK_RESERVED	= 2,
	BYTCHK_SAME	= 3,	/* what each of the blocks should hold */
};

static enum bytchk bytchk_of(const u8 *cdb)
{
	return cdb[1] >> 1 & 3;
}

static u64 lba_of(const u8 *cdb)
{
	return cdb[0] == VERIFY_16 ? get_unaligned_be64(&cdb[2]) :
				     get_unaligned_be32(&cdb[2]);
}

static u32 nr_blocks_of(const u8 *cdb)
{
	switch (cdb[0]) {
	case VERIFY:
		return get_unaligned_be16(&cdb[7]);
	case VERIFY_12:
		return get_unaligned_be32(&cdb[6]);
	default:
		return get_unaligned_be32(&cdb[10]);
	}
}

/* How many bytes of the data come with the command, for these to be compared. */
static u64 data_bytes_of(const struct se_cmd *cmd)
{
	u32 block = cmd->se_dev->dev_attrib.block_size;
	const u8 *cdb = cmd->t_task_cdb;

	switch (bytchk_of(cdb)) {
	case BYTCHK_ALL:
		return (u64)nr_blocks_of(cdb) * block;
	case BYTCHK_SAME:
		return nr_blocks_of(cdb) ? block : 0;
	default:
		return 0;
	}
}

/*
 * Compares a part of the initiator's data with memory.
 * Return: how many bytes at the beginning are the same.
 */
static u32 count_same(struct se_cmd *cmd, u64 skip, const u8 *seen, u32 len)
{
	struct sg_mapping_iter iter;
	u32 done = 0;

	sg_miter_start(&iter, cmd->t_data_sg, cmd->t_data_nents,
		       SG_MITER_ATOMIC | SG_MITER_FROM_SG);
	if (!sg_miter_skip(&iter, skip))
		len = 0;
	while (done < len && sg_miter_next(&iter)) {
		u32 part = min_t(u64, iter.length, len - done);

		if (memcmp(iter.addr, seen + done, part))
			break;
		done += part;
	}
	sg_miter_stop(&iter);
	return done;
}

/* Of a piece that was read: is it what the initiator says? */
static bool is_same(struct hearth_request *req)
{
	const struct hearth_verify *verify = &req->verify;
	struct se_cmd *cmd = req->cmd;
	u32 block = cmd->se_dev->dev_attrib.block_size;
	const u8 *seen = page_address(req->pattern);
	enum bytchk bytchk = bytchk_of(cmd->t_task_cdb);
	u64 skip = verify->at - verify->begin;
	u32 done;

	if (bytchk == BYTCHK_NOTHING)
		return true;
	/* pieces end with a frame, and so with a block */
	for (done = 0; done < verify->len; done += block) {
		if (count_same(cmd, bytchk == BYTCHK_SAME ? 0 : skip + done,
			       seen + done, block) == block)
			continue;
		req->io.error = -EUCLEAN;
		req->io.bad_offset = verify->at + done;
		return false;
	}
	return true;
}

static bool is_pointless(const struct hearth_request *req)
{
	return READ_ONCE(req->cmd->transport_state) &
	       (CMD_T_ABORTED | CMD_T_STOP);
}

static void read_piece(struct work_struct *work)
{
	struct hearth_request *req;
	struct hearth_verify *verify;

	req = container_of(work, struct hearth_request, work);
	verify = &req->verify;
	if (!req->pattern)
		req->pattern = hearth_pattern_alloc();
	verify->at += verify->len;
	verify->len = min_t(u64, verify->end - verify->at,
			    HEARTH_FRAME_BYTES -
			    verify->at % HEARTH_FRAME_BYTES);
	sg_init_table(&verify->sg, 1);
	sg_set_page(&verify->sg, req->pattern, verify->len, 0);
	req->io.op = HEARTH_OP_READ;
	req->io.span = (struct hearth_span) {
		.offset	= verify->at,
		.len	= verify->len,
		.sg	= &verify->sg,
	};
	hearth_io_submit(&req->io);
}

/**
 * hearth_verify_next() - go on with a VERIFY, a piece of which is done
 * @req: the request; no error so far
 *
 * Not on this stack: what is in the cache is read at once, many times.
 *
 * Context: Process context.
 * Return: false if it is over; &hearth_io.error says how.
 */
bool hearth_verify_next(struct hearth_request *req)
{
	struct hearth_verify *verify = &req->verify;

	if (is_pointless(req) || (verify->len && !is_same(req)) ||
	    verify->at + verify->len == verify->end)
		return false;
	hearth_dispatch_work(&req->io, read_piece);
	return true;
}

static sense_reason_t execute_verify(struct se_cmd *cmd)
{
	struct hearth_dev *hdev = to_hearth_dev(cmd->se_dev);
	u64 begin = hearth_lba_to_offset(cmd, cmd->t_task_lba);
	u64 len = hearth_lba_to_offset(cmd, nr_blocks_of(cmd->t_task_cdb));
	struct hearth_request *req;

	if (!len) {
		target_complete_cmd(cmd, SAM_STAT_GOOD);
		return 0;
	}
	req = hearth_request_alloc(cmd, HEARTH_OP_FLUSH);
	req->verify.begin = begin;
	req->verify.at = begin;
	req->verify.len = 0;
	req->verify.end = begin + len;
	req->io.span.offset = begin;
	req->io.span.len = len;
	if (hearth_writeback_dirty_bytes(hdev))
		hearth_io_submit(&req->io);
	else
		hearth_dispatch_work(&req->io, read_piece);
	return 0;
}

/* Does MODE SENSE say that DPO may be set? */
static bool has_dpo(struct se_device *dev)
{
	return dev->transport->get_write_cache(dev) &&
	       dev->dev_attrib.emulate_fua_write;
}

/* As the target core does with commands that are no WRITE. */
static sense_reason_t check_data_length(struct se_cmd *cmd)
{
	u64 size = data_bytes_of(cmd);

	if (size == cmd->data_length)
		return 0;
	if (size && (size > cmd->data_length ||
		     cmd->data_direction != DMA_TO_DEVICE))
		return TCM_INVALID_CDB_FIELD;
	cmd->se_cmd_flags |= SCF_UNDERFLOW_BIT;
	cmd->residual_count = cmd->data_length - size;
	if (cmd->data_direction == DMA_FROM_DEVICE)
		cmd->data_length = size;
	return 0;
}

/**
 * hearth_verify_parse() - VERIFY (10), (12) or (16)
 * @cmd: the command
 *
 * Return: 0 or what the initiator is told.
 */
sense_reason_t hearth_verify_parse(struct se_cmd *cmd)
{
	struct se_device *dev = cmd->se_dev;
	u64 end = dev->transport->get_blocks(dev) + 1;
	const u8 *cdb = cmd->t_task_cdb;
	u64 lba = lba_of(cdb);

	/* blocks have no protection information */
	if (cdb[1] & VRPROTECT_MASK || bytchk_of(cdb) == BYTCHK_RESERVED)
		return TCM_INVALID_CDB_FIELD;
	if (cdb[1] & DPO_BIT && !has_dpo(dev))
		return TCM_INVALID_CDB_FIELD;
	if (lba > end || nr_blocks_of(cdb) > end - lba)
		return TCM_ADDRESS_OUT_OF_RANGE;
	cmd->t_task_lba = lba;
	cmd->execute_cmd = execute_verify;
	return check_data_length(cmd);
}
