/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fake backing device that transfers a few sectors at a time.
 *
 * An I/O takes as many steps as the test wants, in any order of sectors, so
 * that another one on the same sectors would mix with it.  The disk checks the
 * order rules from outside: each frame has at most one I/O in flight.
 *
 * Its cache is volatile: what is on the medium is what a write with FUA put
 * there, or what was there when a flush began that succeeded.  What was not there
 * yet when a flush fails never comes there, whatever is flushed later, unless it
 * is written anew; but it can be read.
 */
#ifndef TEST_DISK_H
#define TEST_DISK_H

struct req;

/* A sector to be moved: to or from @page, or the request's own memory if NULL. */
struct disk_move {
	u32 sector;
	u32 offset;
	struct page *page;
};

/* A sector's value, and the disk's clock when it was written. */
struct disk_sector {
	u64 value;
	u64 at;
};

/**
 * struct disk - the device
 * @nr_sectors: its size
 * @values: contents, see sector.h
 * @cannot_read: by sector: reading fails
 * @cannot_write: by sector: writing fails
 * @clock: counts the sectors that were written
 * @written_at: by sector: @clock when it got its value
 * @medium: by sector: what a power cut would leave
 * @doomed_at: by sector: what was written then or before does not get there any
 *	more
 * @fail_in: the I/O that brings this to 0 fails as a whole, if it was not 0
 * @owners: by frame: the request that is at work on it
 * @nr_reads: I/Os of requests that were started
 * @nr_aheads: likewise, of readahead
 * @nr_writes: likewise, discards and WRITE SAME included
 * @nr_flushes: likewise
 * @nr_cleans: likewise, of write-back
 * @nr_failed_writes: I/Os that could not write something
 * @nr_failed_flushes: flushes among them
 * @nr_blocks: single blocks that were read to find a bad one
 */
struct disk {
	u32 nr_sectors;
	u64 *values;
	bool *cannot_read;
	bool *cannot_write;
	u64 clock, *written_at, *doomed_at;
	struct disk_sector *medium;
	unsigned int fail_in;
	struct req **owners;
	unsigned int nr_reads, nr_aheads, nr_writes, nr_flushes, nr_cleans;
	unsigned int nr_failed_writes, nr_failed_flushes, nr_blocks;
};

void disk_init(struct disk *disk, u32 nr_sectors);
void disk_exit(struct disk *disk);
void disk_start(struct disk *disk, struct req *req);
bool disk_step(struct disk *disk, struct req *req, u32 random);
void disk_end(struct disk *disk, struct req *req);
/* The administrator takes what was lost for what it is. */
void disk_accept_loss(struct disk *disk);
int disk_read_block(struct disk *disk, u64 offset, u32 len, struct page *page,
		    u32 page_offset);

#endif /* TEST_DISK_H */
