// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fake backing device; see disk.h.
 */
#include "rig.h"

#define FRAME_SECTORS	HEARTH_FRAME_SECTORS

static u32 nr_frames(const struct disk *disk)
{
	return (disk->nr_sectors + FRAME_SECTORS - 1) / FRAME_SECTORS;
}

void disk_init(struct disk *disk, u32 nr_sectors)
{
	u32 i;

	memset(disk, 0, sizeof(*disk));
	disk->nr_sectors = nr_sectors;
	disk->values = calloc(nr_sectors, sizeof(*disk->values));
	disk->cannot_read = calloc(nr_sectors, sizeof(bool));
	disk->cannot_write = calloc(nr_sectors, sizeof(bool));
	disk->owners = calloc(nr_frames(disk), sizeof(*disk->owners));
	disk->written_at = calloc(nr_sectors, sizeof(u64));
	disk->doomed_at = calloc(nr_sectors, sizeof(u64));
	disk->medium = calloc(nr_sectors, sizeof(*disk->medium));
	shim_assert(disk->values && disk->cannot_read && disk->cannot_write &&
		    disk->owners && disk->written_at && disk->doomed_at &&
		    disk->medium);
	for (i = 0; i < nr_sectors; i++) {
		disk->values[i] = sector_value(1, i);
		disk->medium[i].value = disk->values[i];
	}
}

void disk_exit(struct disk *disk)
{
	u32 i;

	for (i = 0; i < nr_frames(disk); i++)
		shim_assert(!disk->owners[i]);
	free(disk->values);
	free(disk->cannot_read);
	free(disk->cannot_write);
	free(disk->owners);
	free(disk->written_at);
	free(disk->doomed_at);
	free(disk->medium);
}

/* Rule 2: nobody else may be at work on the frame. */
static void own_frame(struct disk *disk, struct req *req, u64 frame)
{
	if (disk->owners[frame])
		shim_die("two I/Os in flight on frame %llu", frame);
	disk->owners[frame] = req;
}

static void add_move(struct req *req, u32 sector, struct page *page, u32 offset)
{
	req->moves[req->nr_moves++] = (struct disk_move){
		.sector = sector, .page = page, .offset = offset,
	};
}

static void plan_slot(struct disk *disk, struct req *req, unsigned long slot)
{
	u64 frame = req->io.first + slot;
	u32 from, to = 0;

	while (hearth_io_transfers(&req->io, slot, &from, &to)) {
		if (disk->owners[frame] != req)
			own_frame(disk, req, frame);
		shim_assert(from < to && to <= PAGE_SIZE);
		for (; from < to; from += SECTOR_BYTES)
			add_move(req,
				 frame * FRAME_SECTORS + from / SECTOR_BYTES,
				 req->io.slots[slot].page, from);
	}
}

static void plan_range(struct disk *disk, struct req *req)
{
	u64 first = req->io.span.offset / SECTOR_BYTES;
	u32 nr = req->io.span.len / SECTOR_BYTES;
	u64 frame;
	u32 i;

	for (frame = first / FRAME_SECTORS;
	     frame <= (first + nr - 1) / FRAME_SECTORS; frame++)
		own_frame(disk, req, frame);
	for (i = 0; i < nr && req->io.op != HEARTH_OP_ALONE; i++)
		add_move(req, first + i, NULL, i * SECTOR_BYTES);
}

static void count_start(struct disk *disk, const struct req *req)
{
	if (req->io.op == HEARTH_OP_FLUSH)
		disk->nr_flushes++;
	else if (req->io.op == HEARTH_OP_CLEAN)
		disk->nr_cleans++;
	else if (req_is_read(req))
		disk->nr_reads++;
	else if (req_fills(req))
		disk->nr_aheads++;
	else
		disk->nr_writes++;
}

/* What a flush puts on the medium: all that is there when it begins. */
static void plan_flush(struct disk *disk, struct req *req)
{
	u32 i;

	req->snapshot = calloc(disk->nr_sectors, sizeof(*req->snapshot));
	shim_assert(req->snapshot);
	for (i = 0; i < disk->nr_sectors; i++)
		req->snapshot[i] = (struct disk_sector){
			.value = disk->values[i], .at = disk->written_at[i],
		};
}

static void end_flush(struct disk *disk, struct req *req)
{
	const struct disk_sector *now;
	u32 i;

	disk->nr_failed_flushes += !!req->disk_error;
	for (i = 0; i < disk->nr_sectors; i++) {
		now = &req->snapshot[i];
		if (req->disk_error && disk->written_at[i] >
				       disk->medium[i].at)
			disk->doomed_at[i] = disk->written_at[i];
		else if (!req->disk_error && now->at > disk->medium[i].at &&
			 now->at > disk->doomed_at[i])
			disk->medium[i] = *now;
	}
	free(req->snapshot);
	req->snapshot = NULL;
}

void disk_accept_loss(struct disk *disk)
{
	u32 i;

	for (i = 0; i < disk->nr_sectors; i++) {
		if (disk->doomed_at[i] < disk->written_at[i] ||
		    !disk->doomed_at[i])
			continue;
		disk->doomed_at[i] = 0;
		disk->medium[i].value = disk->values[i];
		disk->medium[i].at = disk->written_at[i];
	}
}

void disk_start(struct disk *disk, struct req *req)
{
	unsigned long i;
	u32 max_moves = req->io.op == HEARTH_OP_FLUSH ? 0 :
			req->nr_sectors + 2 * FRAME_SECTORS;

	shim_assert(!req->moves);
	req->moves = calloc(max_moves + 1, sizeof(*req->moves));
	shim_assert(req->moves);
	req->nr_moves = 0;
	req->disk_error = 0;
	count_start(disk, req);
	if (disk->fail_in && !--disk->fail_in)
		req->disk_error = -EIO;
	if (req->io.op == HEARTH_OP_FLUSH) {
		plan_flush(disk, req);
		return;
	}
	if (!req->io.slots) {
		plan_range(disk, req);
		return;
	}
	for (i = 0; i < req->io.nr_slots; i++)
		plan_slot(disk, req, i);
	shim_assert(req->nr_moves);
}

/* The memory of a move is in one page, or anywhere in the request's. */
static void copy_move(struct req *req, const struct disk_move *move, void *mem,
		      bool to_memory)
{
	if (!move->page) {
		req_copy(&req->io.span, move->offset, mem, SECTOR_BYTES,
			 to_memory);
		return;
	}
	shim_assert(page_ref_count(move->page) > 0);
	if (to_memory)
		memcpy(move->page->data + move->offset, mem, SECTOR_BYTES);
	else
		memcpy(mem, move->page->data + move->offset, SECTOR_BYTES);
}

static void move_in(struct disk *disk, struct req *req,
		    const struct disk_move *move, bool skip)
{
	u8 mem[SECTOR_BYTES];

	if (disk->cannot_read[move->sector])
		req->disk_error = -EIO;
	if (skip || disk->cannot_read[move->sector])
		memset(mem, 0x99, sizeof(mem));
	else
		sector_fill(mem, disk->values[move->sector]);
	copy_move(req, move, mem, true);
}

static void set_value(struct disk *disk, struct req *req, u32 sector,
		      u64 value)
{
	disk->values[sector] = value;
	disk->written_at[sector] = ++disk->clock;
	if (req->io.fua)
		disk->medium[sector] = (struct disk_sector){
			.value = value, .at = disk->clock,
		};
}

static void move_out(struct disk *disk, struct req *req,
		     const struct disk_move *move, bool skip)
{
	u32 i = move->sector - req->sector;
	u8 mem[SECTOR_BYTES];
	u64 value;

	shim_assert(i < req->nr_sectors);
	if (disk->cannot_write[move->sector]) {
		req->disk_error = -EIO;
		return;
	}
	if (skip)
		return;
	value = req_new_value(req, i);
	if (req->io.op == HEARTH_OP_CLEAN) {
		copy_move(req, move, mem, false);
		set_value(disk, req, move->sector, sector_read(mem));
		return;
	}
	if (req->io.op == HEARTH_OP_WRITE) {
		copy_move(req, move, mem, false);
		if (sector_read(mem) != value)
			shim_die("sector %u: %llx is written for %llx",
				 move->sector, sector_read(mem), value);
	}
	set_value(disk, req, move->sector, value);
	oracle_change(&req->rig->oracle, move->sector, value);
}

/**
 * disk_step() - transfer one sector of a request
 * @disk: the disk
 * @req: a request that was started
 * @random: decides which sector, and whether a failing I/O transfers it
 *
 * Return: true if that was the last one.
 */
bool disk_step(struct disk *disk, struct req *req, u32 random)
{
	struct disk_move *move;
	bool skip = req->disk_error && random & 1;

	if (req->nr_moves) {
		move = &req->moves[(random >> 1) % req->nr_moves];
		if (req_fills(req))
			move_in(disk, req, move, skip);
		else
			move_out(disk, req, move, skip);
		*move = req->moves[--req->nr_moves];
	}
	return !req->nr_moves;
}

/* The I/O is over; the next one on its frames may come. */
void disk_end(struct disk *disk, struct req *req)
{
	u32 i;

	shim_assert(!req->nr_moves);
	if (req->io.op == HEARTH_OP_FLUSH)
		end_flush(disk, req);
	disk->nr_failed_writes += req->disk_error && !req_fills(req);
	free(req->moves);
	req->moves = NULL;
	for (i = 0; i < nr_frames(disk); i++) {
		if (disk->owners[i] == req)
			disk->owners[i] = NULL;
	}
}

int disk_read_block(struct disk *disk, u64 offset, u32 len, struct page *page,
		    u32 page_offset)
{
	u32 sector = offset / SECTOR_BYTES;
	u32 i;

	shim_assert(offset / SECTOR_BYTES + len / SECTOR_BYTES <=
		    disk->nr_sectors);
	shim_assert(page_offset + len <= PAGE_SIZE);
	if (disk->owners[offset >> HEARTH_FRAME_SHIFT])
		shim_die("block %u is read again while its frame is in use",
			 sector);
	disk->nr_blocks++;
	for (i = 0; i < len / SECTOR_BYTES; i++) {
		if (disk->cannot_read[sector + i])
			return -EIO;
	}
	for (i = 0; i < len / SECTOR_BYTES; i++)
		sector_fill(page->data + page_offset + i * SECTOR_BYTES,
			    disk->values[sector + i]);
	return 0;
}
