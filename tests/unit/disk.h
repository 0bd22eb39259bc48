/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fake backing device that transfers a few sectors at a time.
 *
 * An I/O takes as many steps as the test wants, in any order of sectors, so
 * that another one on the same sectors would mix with it.  The disk checks the
 * order rules from outside: each frame has at most one I/O in flight.
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

/**
 * struct disk - the device
 * @nr_sectors: its size
 * @values: contents, see sector.h
 * @cannot_read: by sector: reading fails
 * @cannot_write: by sector: writing fails
 * @fail_in: the I/O that brings this to 0 fails as a whole, if it was not 0
 * @owners: by frame: the request that is at work on it
 * @nr_reads: I/Os of requests that were started
 * @nr_aheads: likewise, of readahead
 * @nr_writes: likewise, discards and WRITE SAME included
 * @nr_flushes: likewise
 * @nr_cleans: likewise, of write-back
 * @nr_failed_writes: I/Os that could not write something
 * @nr_blocks: single blocks that were read to find a bad one
 */
struct disk {
	u32 nr_sectors;
	u64 *values;
	bool *cannot_read;
	bool *cannot_write;
	unsigned int fail_in;
	struct req **owners;
	unsigned int nr_reads, nr_aheads, nr_writes, nr_flushes, nr_cleans;
	unsigned int nr_failed_writes, nr_blocks;
};

void disk_init(struct disk *disk, u32 nr_sectors);
void disk_exit(struct disk *disk);
void disk_start(struct disk *disk, struct req *req);
bool disk_step(struct disk *disk, struct req *req, u32 random);
void disk_end(struct disk *disk, struct req *req);
int disk_read_block(struct disk *disk, u64 offset, u32 len, struct page *page,
		    u32 page_offset);

#endif /* TEST_DISK_H */
