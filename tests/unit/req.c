// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests: their memory, what they write and what they have read.
 */
#include "rig.h"

struct req *rig_req(struct rig *rig, enum hearth_op op, u32 sector,
		    u32 nr_sectors)
{
	struct req *req = calloc(1, sizeof(*req));

	shim_assert(req && sector + nr_sectors <= rig->disk.nr_sectors);
	req->rig = rig;
	req->tag = ++rig->last_tag;
	req->sector = sector;
	req->nr_sectors = nr_sectors;
	req->since = calloc(nr_sectors + 1, sizeof(*req->since));
	req->open = calloc(nr_sectors + 1, sizeof(*req->open));
	shim_assert(req->since && req->open);
	req->bad_block = U64_MAX;
	req->io.cache = rig->cache;
	req->io.op = op;
	req->all.offset = (u64)sector * SECTOR_BYTES;
	req->all.len = (u64)nr_sectors * SECTOR_BYTES;
	req_set_memory(req, 0, 0, 0);
	return req;
}

static u32 memory_bytes(const struct req *req)
{
	switch (req->io.op) {
	case HEARTH_OP_READ:
	case HEARTH_OP_WRITE:
		return req->all.len;
	case HEARTH_OP_WRITE_SAME:
		return req->io.cache->block_bytes;
	default:
		return 0;
	}
}

/* As the target core does: whose pages these are by now does not matter. */
static void put_pages(struct scatterlist *sg)
{
	for (; sg; sg = sg_next(sg))
		put_page(sg_page(sg));
}

static void free_memory(struct req *req)
{
	if (req->all.flip)
		put_pages(req->sg);
	if (req->pages)
		shim_buffer_free(req->pages, req->nr_pages);
	free(req->sg);
	req->pages = NULL;
	req->sg = NULL;
	req->all.sg = NULL;
	req->all.flip = false;
}

/* Cuts the memory into entries of @piece bytes, the last one shorter. */
static void cut_memory(struct req *req, u32 offset, u32 piece, u32 len)
{
	unsigned int nr = (len + piece - 1) / piece;
	unsigned int i;
	u32 at;

	req->sg = calloc(nr, sizeof(*req->sg));
	shim_assert(req->sg);
	for (i = 0; i < nr; i++) {
		at = offset + i * piece;
		req->sg[i].page = &req->pages[at >> PAGE_SHIFT];
		req->sg[i].offset = offset_in_page(at);
		req->sg[i].length = min(piece, len - i * piece);
	}
	req->sg[nr - 1].last = true;
}

static void fill_memory(struct req *req, u32 len)
{
	u8 mem[SECTOR_BYTES];
	u32 i;

	for (i = 0; i < len / SECTOR_BYTES; i++) {
		if (req_is_read(req))
			memset(mem, 0xee, sizeof(mem));
		else
			sector_fill(mem, req_new_value(req, i));
		req_copy(&req->all, i * SECTOR_BYTES, mem, sizeof(mem), true);
	}
}

/**
 * req_set_memory() - give a request other memory
 * @req: a request that was not submitted yet
 * @nid: the node of the memory
 * @offset: where it begins in its first page
 * @piece: length of each entry of the scatterlist, 0 for one page each
 */
void req_set_memory(struct req *req, int nid, u32 offset, u32 piece)
{
	u32 len = memory_bytes(req);

	free_memory(req);
	req->io.nid = nid;
	if (len) {
		req->nr_pages = (offset + len + PAGE_SIZE - 1) >> PAGE_SHIFT;
		req->pages = shim_buffer_alloc(nid, req->nr_pages);
		cut_memory(req, offset, piece ? piece : PAGE_SIZE, len);
		req->all.sg = req->sg;
		fill_memory(req, len);
	}
	req->io.span = req->all;
}

/**
 * req_set_pages() - give a read or write memory as the target core does
 * @req: a request that was not submitted yet
 * @nid: the node of the memory
 *
 * Each entry of the scatterlist is a page of its own, which may be flipped.
 */
void req_set_pages(struct req *req, int nid)
{
	u32 len = memory_bytes(req);
	u32 nr = (len + PAGE_SIZE - 1) >> PAGE_SHIFT;
	u32 i;

	free_memory(req);
	req->io.nid = nid;
	req->sg = calloc(nr, sizeof(*req->sg));
	shim_assert(req->sg && nr);
	for (i = 0; i < nr; i++) {
		req->sg[i].page = shim_page_alloc(nid);
		req->sg[i].length = min_t(u32, PAGE_SIZE, len - i * PAGE_SIZE);
	}
	req->sg[nr - 1].last = true;
	req->all.sg = req->sg;
	req->all.flip = true;
	fill_memory(req, len);
	req->io.span = req->all;
}

/**
 * req_set_window() - give a write prepared pages
 * @req: a write of whole frames, but for the LUN's end, that was not submitted yet
 * @pages: one for each
 */
void req_set_window(struct req *req, struct page **pages)
{
	u32 len = memory_bytes(req);
	u32 nr = (len + PAGE_SIZE - 1) >> PAGE_SHIFT;
	u32 i;

	free_memory(req);
	req->sg = calloc(nr, sizeof(*req->sg));
	shim_assert(req->sg && nr);
	for (i = 0; i < nr; i++) {
		req->sg[i].page = pages[i];
		req->sg[i].length = min_t(u32, PAGE_SIZE, len - i * PAGE_SIZE);
	}
	req->sg[nr - 1].last = true;
	req->all.sg = req->sg;
	req->all.prepared = true;
	req->is_window = true;
	req->no_hits = true;
	fill_memory(req, len);
	req->io.span = req->all;
}

void req_free(struct req *req)
{
	shim_assert(req->state == REQ_NEW || req->state == REQ_DONE);
	free_memory(req);
	free(req->since);
	free(req->open);
	free(req);
}

/* Copies between @mem and the memory of a span, @offset bytes into it. */
void req_copy(const struct hearth_span *span, u32 offset, void *mem, u32 len,
	      bool to_memory)
{
	struct scatterlist *sg = span->sg;
	u32 at = span->sg_offset + offset;
	struct page *page;
	u32 n, in_page;

	for (; at >= sg->length; sg = sg_next(sg))
		at -= sg->length;
	for (; len; len -= n, mem = (char *)mem + n) {
		page = sg_page(sg) + ((sg->offset + at) >> PAGE_SHIFT);
		in_page = offset_in_page(sg->offset + at);
		n = min_t(u32, len, min_t(u32, sg->length - at,
					  PAGE_SIZE - in_page));
		if (to_memory)
			memcpy(page->data + in_page, mem, n);
		else
			memcpy(mem, page->data + in_page, n);
		at += n;
		if (at == sg->length) {
			sg = sg_next(sg);
			at = 0;
		}
	}
}

/* What a read has returned for its sector @i. */
u64 req_value(const struct req *req, u32 i)
{
	u8 mem[SECTOR_BYTES];

	req_copy(&req->all, i * SECTOR_BYTES, mem, sizeof(mem), false);
	return sector_read(mem);
}

/* What sector @i of a request holds when it is done. */
u64 req_new_value(const struct req *req, u32 i)
{
	u32 block = req->io.cache->block_bytes / SECTOR_BYTES;

	switch (req->io.op) {
	case HEARTH_OP_WRITE:
		return sector_value(req->tag, req->sector + i);
	case HEARTH_OP_WRITE_SAME:
		return sector_value(req->tag, 1U << 31 | i % block);
	default:
		return 0;
	}
}
