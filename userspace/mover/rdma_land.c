// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Blocks that are read from the sender straight into a LUN (lun_berth.h).
 *
 * Where a block belongs is in its head, which comes with the offer. A sealed block
 * lands in the pool: what is not authentic yet must not be in the LUN's memory.
 */
#include <errno.h>
#include <string.h>

#include "../common/bytes.h"
#include "lun_berth.h"
#include "rdma_impl.h"

static void *add_region(void *device, void *memory, uint64_t len, uint32_t *ret_key)
{
	const struct hearth_rdma_rail *rail = device;
	struct ibv_mr *mr = ibv_reg_mr(rail->pd, memory, len, IBV_ACCESS_LOCAL_WRITE);

	if (mr)
		*ret_key = mr->lkey;
	return mr;
}

static void remove_region(void *region)
{
	ibv_dereg_mr(region);
}

static const struct hearth_registrar registrar = { add_region, remove_region };

/*
 * A reference to what the job has of berths, or NULL. Our own lock is held, and a job that fails
 * takes that under its own.
 */
static struct hearth_berths *get_berths(struct hearth_job *job)
{
	struct hearth_berths *bs;

	pthread_mutex_lock(&job->berths_lock);
	bs = job->berths ? hearth_berths_get(job->berths) : NULL;
	pthread_mutex_unlock(&job->berths_lock);
	return bs;
}

/*
 * All of the payload is one part of the file: where that begins, which is the offset in the LUN,
 * since there is no other file. A scratch block has the head for the parser.
 */
static bool find_offset(const struct hearth_rdma *r, const struct hearth_rdma_arrival *a,
			struct hearth_block *b, uint64_t *ret_offset)
{
	uint32_t nr_data = 0;

	memcpy(b->head, a->head, a->msg.head_len);
	b->len = a->msg.len;
	if (hearth_block_parse_header(b, r->ticket.session) || b->packed || b->len != a->msg.len ||
	    hearth_block_head_bytes(b) != a->msg.head_len || hearth_block_parse_table(b))
		return false;
	for (uint32_t i = 0; i < b->nr_segs; i++) {
		if (b->segs[i].kind == HEARTH_SEGMENT_DATA) {
			*ret_offset = b->segs[i].voff;
			nr_data++;
		} else if (b->segs[i].kind == HEARTH_SEGMENT_SUM) {
			return false;
		}
	}
	return nr_data == 1;
}

uint32_t hearth_rdma_land(struct hearth_rdma_queue *q, const struct hearth_rdma_arrival *a,
			  struct hearth_block *b)
{
	struct hearth_rdma *r = q->bundle;
	struct hearth_berths *bs = NULL;
	uint64_t offset;

	if (r->job && r->seal.mode == HEARTH_SEAL_NONE && a->msg.len &&
	    a->msg.head_len <= HEARTH_RDMA_INLINE_HEAD)
		bs = get_berths(r->job);
	if (!bs)
		return hearth_rdma_lkey(q, b);
	if (find_offset(r, a, b, &offset))
		b->berth = hearth_berths_take(bs, offset, a->msg.len, &registrar, q->rail);
	hearth_berths_put(bs);
	if (!b->berth)
		return hearth_rdma_lkey(q, b);
	b->data = hearth_berth_memory(b->berth);
	return hearth_berth_key(b->berth);
}

void hearth_rdma_land_forget(struct hearth_rdma *r, struct hearth_rdma_rail *rail)
{
	struct hearth_berths *bs = r->job ? get_berths(r->job) : NULL;

	if (!bs)
		return;
	hearth_berths_forget(bs, rail);
	hearth_berths_put(bs);
}
