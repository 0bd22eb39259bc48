// SPDX-License-Identifier: GPL-2.0-only
/*
 * UNMAP and WRITE SAME: commands that change many blocks with little data.
 *
 * The target core's own UNMAP and WRITE SAME with UNMAP wait for the device on
 * a thread that serves many commands; these do not.
 */
#include <scsi/scsi_proto.h>

#include "hearth.h"

/**
 * hearth_write_same() - execute a WRITE SAME that unmaps nothing
 * @cmd: the command
 *
 * Return: 0 or what the initiator is told.
 */
sense_reason_t hearth_write_same(struct se_cmd *cmd)
{
	u64 nr_blocks = sbc_get_write_same_sectors(cmd);
	u32 block = cmd->se_dev->dev_attrib.block_size;
	struct hearth_request *req;

	if (hearth_sg_bytes(cmd->t_data_sg, cmd->t_data_nents) != block)
		return TCM_INVALID_CDB_FIELD;
	req = hearth_request_alloc(cmd, HEARTH_OP_WRITE_SAME);
	req->io.fua = cmd->se_cmd_flags & SCF_FUA;
	req->io.span = (struct hearth_span) {
		.offset	= hearth_lba_to_offset(cmd, cmd->t_task_lba),
		.len	= nr_blocks * block,
		.sg	= cmd->t_data_sg,
	};
	hearth_io_submit(&req->io);
	return 0;
}

/**
 * hearth_write_same_unmap() - execute a WRITE SAME that unmaps
 * @cmd: the command
 *
 * Return: 0.
 */
sense_reason_t hearth_write_same_unmap(struct se_cmd *cmd)
{
	u64 nr_blocks = sbc_get_write_same_sectors(cmd);
	struct hearth_request *req = hearth_request_alloc(cmd, HEARTH_OP_DISCARD);

	req->io.span.offset = hearth_lba_to_offset(cmd, cmd->t_task_lba);
	req->io.span.len = hearth_lba_to_offset(cmd, nr_blocks);
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

/**
 * hearth_unmap_next() - start the next descriptor that is not empty
 * @req: an UNMAP
 *
 * Return: false if there is none.
 */
bool hearth_unmap_next(struct hearth_request *req)
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
	req->io.span.offset = hearth_lba_to_offset(cmd, get_unaligned_be64(desc));
	req->io.span.len = hearth_lba_to_offset(cmd, nr_blocks);
	hearth_io_submit(&req->io);
	return true;
}

/**
 * hearth_unmap() - execute an UNMAP
 * @cmd: the command
 *
 * Return: 0 or what the initiator is told.
 */
sense_reason_t hearth_unmap(struct se_cmd *cmd)
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
	if (!hearth_unmap_next(req)) {
		target_complete_cmd(cmd, SAM_STAT_GOOD);
		hearth_request_free(req);
	}
	return 0;
}
