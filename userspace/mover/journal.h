/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal of a large file: which of its ranges are stored.
 *
 * It lies beside the temporary file, under its own name, and is only ever
 * appended to. A record is written after its data was handed to the kernel. So
 * while the machine stays up, every record is true, even after kill -9. After
 * another boot, only those before the last *checkpoint* are: a checkpoint says
 * how many records there were before the data was last synced. The others are
 * *doubtful*: the data may have reached the disk or not, and what is there has
 * to be compared with the source's checksums before it counts as stored.
 *
 *   header  magic, size and mtime of the source, inode of the temporary file,
 *           boot id, checksum
 *   record  u64 start, u64 end, u64 checksum;
 *           a doubtful range has the top bit of start set: it was stored before
 *           another boot; once it was compared, a record of the usual kind follows
 *           a checkpoint has start = 2^64 - 1 and end = number of records
 *
 * A torn or foreign record ends the journal; what follows it is sent again.
 */
#ifndef HEARTH_JOURNAL_H
#define HEARTH_JOURNAL_H

#include <pthread.h>
#include <stdint.h>

#include "ranges.h"

#define HEARTH_BOOT_ID_BYTES 16

/* What a journal belongs to; all of it must agree, or the file starts anew. */
struct hearth_journal_identity {
	uint64_t size;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint64_t inode;
};

/* What an earlier run left of a file. */
struct hearth_remains {
	struct hearth_ranges stored;
	struct hearth_ranges doubtful; /* unless it is in @stored as well */
};

void hearth_remains_exit(struct hearth_remains *r);

struct hearth_journal {
	int fd;
	uint64_t nr_records;
	uint64_t seed; /* the header's checksum ties the records to it */
};

/* Starts a journal over, with what is there already; what is stored is durable. 0 or -errno. */
int hearth_journal_create(struct hearth_journal *j, int dir_fd, const char *name,
			  const struct hearth_journal_identity *id,
			  const struct hearth_remains *remains);

/*
 * Opens a journal and adds the ranges it knows of to @ret. -ENOENT: there is none; -ESTALE: it
 * belongs to another file or user, or others may write to it; -EUCLEAN: after another boot, or with
 * a torn end, so the data has to be synced and the journal started over with what was found.
 */
int hearth_journal_open(struct hearth_journal *j, int dir_fd, const char *name,
			const struct hearth_journal_identity *id, struct hearth_remains *ret);

/*
 * Both return 0 or -errno. The data of the range must have been written, or the first @nr_records
 * have been synced.
 */
int hearth_journal_record(struct hearth_journal *j, uint64_t start, uint64_t end);
int hearth_journal_checkpoint(struct hearth_journal *j, uint64_t nr_records);

void hearth_journal_close(struct hearth_journal *j);

#endif
