// SPDX-License-Identifier: GPL-2.0-only
/*
 * What went wrong, as initiators are told: -errno to status and sense data.
 */
#include <scsi/scsi_common.h>
#include <scsi/scsi_proto.h>

#include "hearth.h"

/* SPC-5: additional sense codes, code and qualifier */
#define ASC_WRITE_ERROR			0x0c, 0x00
#define ASC_GUARD_CHECK_FAILED		0x10, 0x01
#define ASC_UNRECOVERED_READ_ERROR	0x11, 0x00
#define ASC_INVALID_FIELD_IN_CDB	0x24, 0x00
#define ASC_MISCOMPARE			0x1d, 0x00
#define ASC_WRITE_PROTECTED		0x27, 0x00
#define ASC_SPACE_ALLOCATION_FAILED	0x27, 0x07
#define ASC_COMMAND_TIMEOUT		0x2e, 0x02
#define ASC_INTERNAL_TARGET_FAILURE	0x44, 0x00
#define ASC_NOT_READY			0x04, 0x00

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
	{ -EUCLEAN, SAM_STAT_CHECK_CONDITION, MISCOMPARE, ASC_MISCOMPARE },
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

/**
 * hearth_command_fail() - tell the initiator that its command failed
 * @cmd: the command
 * @io: its request, which says why and where
 *
 * Context: Any.
 */
void hearth_command_fail(struct se_cmd *cmd, const struct hearth_io *io)
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
