// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests as bios on the backing device.
 *
 * A request may need several bios; it is over when the last of them is.  What
 * is contiguous on the device goes into one bio, and the bios of a request are
 * submitted under one plug.
 */
#include <linux/bio.h>

#include "core/copy.h"
#include "hearth.h"

/* A discard's bi_size is 32 bits wide: leave room for its rounding. */
#define MAX_DISCARD_BYTES	SZ_2G

static struct hearth_request *submitter_get(struct hearth_io *io)
{
	struct hearth_request *req = to_hearth_request(io);

	atomic_set(&req->nr_bios, 1);
	req->status = BLK_STS_OK;
	return req;
}

static void resubmit(struct work_struct *work)
{
	struct hearth_request *req;

	req = container_of(work, struct hearth_request, work);
	hearth_backing_submit(&req->io);
}

static void put_request(struct hearth_request *req)
{
	int error;

	if (!atomic_dec_and_test(&req->nr_bios))
		return;
	error = blk_status_to_errno(req->status);
	if (req->zeroes && error == -EOPNOTSUPP) {
		/* it turns out that the device cannot: write the zeroes */
		hearth_dispatch_work(&req->io, resubmit);
		return;
	}
	hearth_io_end(&req->io, error);
}

static void end_bio(struct bio *bio)
{
	struct hearth_request *req = bio->bi_private;

	if (bio->bi_status)
		cmpxchg(&req->status, BLK_STS_OK, bio->bi_status);
	bio_put(bio);
	put_request(req);
}

/* A bio of the request, counted but not yet submitted. */
static struct bio *get_bio(struct hearth_request *req, u64 offset,
			   unsigned long nr_vecs, blk_opf_t opf)
{
	struct bio *bio;

	bio = bio_alloc_bioset(req->hdev->disk.bdev,
			       nr_vecs ? bio_max_segs(nr_vecs) : 0, opf,
			       GFP_NOIO, &req->hdev->bios);
	bio->bi_iter.bi_sector = offset >> SECTOR_SHIFT;
	bio->bi_private = req;
	bio->bi_end_io = end_bio;
	atomic_inc(&req->nr_bios);
	return bio;
}

static blk_opf_t data_opf(const struct hearth_io *io)
{
	if (io->op == HEARTH_OP_READ || io->op == HEARTH_OP_SHOW)
		return REQ_OP_READ;
	if (io->op == HEARTH_OP_PREFETCH)
		return REQ_OP_READ | REQ_RAHEAD;
	if (io->op == HEARTH_OP_CLEAN)
		return REQ_OP_WRITE | REQ_BACKGROUND;
	return REQ_OP_WRITE | (io->fua ? REQ_FUA : 0);
}

/*
 * Adds a piece to the bio if it continues it, or submits that and starts the
 * next.  @nr_left is how many pieces may follow at most.
 */
static struct bio *add_piece(struct hearth_request *req, struct bio *bio,
			     u64 offset, struct page *page, u32 page_offset,
			     u32 len, unsigned long nr_left)
{
	if (bio && bio_end_sector(bio) == offset >> SECTOR_SHIFT &&
	    bio_add_page(bio, page, len, page_offset) == len)
		return bio;
	if (bio)
		submit_bio(bio);
	bio = get_bio(req, offset, nr_left, data_opf(&req->io));
	__bio_add_page(bio, page, len, page_offset);
	return bio;
}

static void submit_slots(struct hearth_request *req)
{
	struct hearth_io *io = &req->io;
	struct bio *bio = NULL;
	unsigned long i;
	u32 from, to;

	for (i = 0; i < io->nr_slots; i++) {
		u64 offset = (io->first + i) << HEARTH_FRAME_SHIFT;

		for (to = 0; hearth_io_transfers(io, i, &from, &to);)
			bio = add_piece(req, bio, offset + from,
					io->slots[i].page, from, to - from,
					io->nr_slots - i);
	}
	if (bio)
		submit_bio(bio);
}

static void submit_span(struct hearth_request *req)
{
	struct hearth_span span = req->io.span;
	struct bio *bio = NULL;
	struct page *page;
	u32 offset, len;

	while (span.len) {
		len = hearth_span_piece(&span, &page, &offset);
		bio = add_piece(req, bio, span.offset, page, offset, len,
				DIV_ROUND_UP_ULL(span.len, PAGE_SIZE) + 1);
		hearth_span_advance(&span, len);
	}
	if (bio)
		submit_bio(bio);
}

/* Commands that carry no data: discard and write zeroes. */
static void submit_dataless(struct hearth_request *req, blk_opf_t opf)
{
	u64 offset = req->io.span.offset;
	u64 left = req->io.span.len;
	struct bio *bio;
	u64 len;

	for (; left; left -= len, offset += len) {
		len = min_t(u64, left, MAX_DISCARD_BYTES);
		bio = get_bio(req, offset, 0, opf);
		bio->bi_iter.bi_size = len;
		submit_bio(bio);
	}
}

/* Makes a page full of the block that a WRITE SAME carries. */
static void make_pattern(struct hearth_request *req)
{
	struct hearth_span span = req->io.span;
	u32 block = req->hdev->se_dev.dev_attrib.block_size;
	struct page *page;
	u32 offset, len, at, n;

	if (req->pattern)
		return;
	req->pattern = hearth_pattern_alloc();
	for (at = 0; at < PAGE_SIZE; at += n) {
		if (!(at % block)) {
			span.sg = req->io.span.sg;
			span.sg_offset = 0;
		}
		span.len = block - at % block;
		len = hearth_span_piece(&span, &page, &offset);
		n = min_t(u32, len, PAGE_SIZE - at);
		memcpy_page(req->pattern, at, page, offset, n);
		hearth_span_advance(&span, n);
	}
}

static void submit_pattern(struct hearth_request *req)
{
	u64 offset = req->io.span.offset;
	u64 left = req->io.span.len;
	struct bio *bio = NULL;
	u32 len;

	for (; left; left -= len, offset += len) {
		len = min_t(u64, left, PAGE_SIZE);
		bio = add_piece(req, bio, offset, req->pattern, 0, len,
				DIV_ROUND_UP_ULL(left, PAGE_SIZE));
	}
	if (bio)
		submit_bio(bio);
}

static void submit_punch(struct hearth_request *req)
{
	if (bdev_write_zeroes_sectors(req->hdev->disk.bdev))
		submit_dataless(req, REQ_OP_WRITE_ZEROES);
	else
		req->status = BLK_STS_NOTSUPP;
}

static void submit_write_same(struct hearth_request *req)
{
	struct block_device *bdev = req->hdev->disk.bdev;

	if (req->punch) {
		submit_punch(req);
		return;
	}
	make_pattern(req);
	/* only what carries data can be asked to be durable at once */
	req->zeroes = !req->zeroes && !req->io.fua &&
		      bdev_write_zeroes_sectors(bdev) &&
		      !memchr_inv(page_address(req->pattern), 0, PAGE_SIZE);
	if (req->zeroes)
		submit_dataless(req, REQ_OP_WRITE_ZEROES | REQ_NOUNMAP);
	else
		submit_pattern(req);
}

static void submit_discard(struct hearth_request *req)
{
	if (bdev_max_discard_sectors(req->hdev->disk.bdev))
		submit_dataless(req, REQ_OP_DISCARD);
	else
		req->status = BLK_STS_NOTSUPP;
}

static void submit_flush(struct hearth_request *req)
{
	submit_bio(get_bio(req, 0, 0, REQ_OP_WRITE | REQ_PREFLUSH));
}

/**
 * hearth_backing_submit() - start the backing I/O of a request
 * @io: the request; see &hearth_cache_ops.submit
 *
 * Context: Process context.
 */
void hearth_backing_submit(struct hearth_io *io)
{
	struct hearth_request *req = submitter_get(io);
	struct blk_plug plug;

	if (io->op == HEARTH_OP_ALONE) {
		hearth_io_end(io, req->alone ? req->alone(req->hdev) : 0);
		return;
	}
	blk_start_plug(&plug);
	switch (io->op) {
	case HEARTH_OP_READ:
	case HEARTH_OP_PREFETCH:
	case HEARTH_OP_SHOW:
	case HEARTH_OP_WRITE:
	case HEARTH_OP_CLEAN:
		if (io->slots)
			submit_slots(req);
		else
			submit_span(req);
		break;
	case HEARTH_OP_DISCARD:
		submit_discard(req);
		break;
	case HEARTH_OP_WRITE_SAME:
		submit_write_same(req);
		break;
	case HEARTH_OP_FLUSH:
		submit_flush(req);
		break;
	case HEARTH_OP_FORGET:	/* needs no I/O */
	case HEARTH_OP_REHOME:
	case HEARTH_OP_ALONE:
		break;
	}
	blk_finish_plug(&plug);
	put_request(req);
}

/**
 * hearth_backing_read_block() - read a piece of the device and wait
 * @cache: the LUN's cache
 * @offset: first byte
 * @len: bytes, whole blocks
 * @page: where to
 * @page_offset: where in @page
 *
 * Context: Process context, sleeps.
 * Return: 0 or -errno.
 */
int hearth_backing_read_block(struct hearth_cache *cache, u64 offset, u32 len,
			      struct page *page, u32 page_offset)
{
	struct hearth_dev *hdev = cache->priv;
	struct bio_vec vec;
	struct bio bio;
	int ret;

	bio_init(&bio, hdev->disk.bdev, &vec, 1, REQ_OP_READ);
	bio.bi_iter.bi_sector = offset >> SECTOR_SHIFT;
	__bio_add_page(&bio, page, len, page_offset);
	ret = submit_bio_wait(&bio);
	bio_uninit(&bio);
	return ret;
}
