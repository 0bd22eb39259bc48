// SPDX-License-Identifier: GPL-2.0-or-later
/* The receiver's storage side: verifies blocks and writes them to files. */
#include <errno.h>
#include <string.h>

#include "recv.h"

/* A file that came whole, in one piece: stored and in place at once. */
static void store_whole(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
			const void *data)
{
	unsigned char expected = HEARTH_FILE_WANTED;
	int ret;

	if (!atomic_compare_exchange_strong(&e->state, &expected, HEARTH_FILE_DONE))
		return;
	ret = hearth_place_whole(r, b, e, data);
	if (ret)
		hearth_receiver_note(r, HEARTH_NOTE_ERROR, b, e, "cannot be written", ret);
	else
		r->job->count.files_stored++;
	hearth_receiver_file_over(r, b);
}

static void store_fault(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e)
{
	if (atomic_exchange(&e->state, HEARTH_FILE_DONE) == HEARTH_FILE_DONE)
		return;
	hearth_part_give_up(r, e);
	hearth_receiver_keep_source(r, b, e);
	hearth_receiver_file_over(r, b);
}

static int store_part(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
		      uint64_t offset, uint64_t len, const void *data)
{
	unsigned char expected = HEARTH_FILE_WANTED;

	if (r->job->opt.bench & HEARTH_BENCH_TO_MEMORY) {
		hearth_stream_drop(r, b, e, len);
		return 0;
	}
	if (r->job->stream_fd >= 0)
		return hearth_stream_out(r, b, e, offset, len, data);
	if (data && len == e->size) {
		store_whole(r, b, e, data);
		return 0;
	}
	if (!atomic_compare_exchange_strong(&e->state, &expected, HEARTH_FILE_PARTIAL) &&
	    expected == HEARTH_FILE_DONE)
		return 0;
	return hearth_part_store(r, b, e, offset, len, data);
}

/* The part of a segment that lies in one batch; returns how much that is, or -errno. */
static int64_t store_in_batch(struct hearth_receiver *r, struct hearth_batch *b,
			      const struct hearth_segment *seg, const uint8_t *data)
{
	uint64_t end = seg->voff + seg->len < b->end ? seg->voff + seg->len : b->end;
	uint64_t voff = seg->voff;

	while (voff < end) {
		struct hearth_entry *e = hearth_batch_find(b, voff);
		uint64_t past = e->voff + e->size < end ? e->voff + e->size : end;
		int ret = 0;

		if (seg->kind == HEARTH_SEGMENT_FAULT)
			store_fault(r, b, e);
		else
			ret = store_part(r, b, e, voff - e->voff, past - voff,
					 data ? data + (voff - seg->voff) : NULL);
		if (ret)
			return ret;
		voff = past;
	}
	return (int64_t)(end - seg->voff);
}

/* Batches that are over were dropped from the table: what arrives for them again is passed over. */
static int store_segment(struct hearth_receiver *r, struct hearth_segment seg, const uint8_t *data)
{
	int ret = hearth_table_wait(&r->table, seg.voff + seg.len);

	while (!ret && seg.len) {
		struct hearth_batch *b = hearth_table_get(&r->table, seg.voff);
		int64_t done = b ? store_in_batch(r, b, &seg, data)
				 : (int64_t)(hearth_table_skip(&r->table, seg.voff) - seg.voff);

		if (b)
			hearth_table_put(&r->table, b);
		if (done <= 0)
			return done ? (int)done : -EPROTO;
		if ((uint64_t)done > seg.len)
			done = (int64_t)seg.len;
		seg.voff += (uint64_t)done;
		seg.len -= (uint64_t)done;
		data = data ? data + done : NULL;
	}
	return ret;
}

int hearth_store_block(struct hearth_receiver *r, struct hearth_block *b)
{
	const uint8_t *data = b->data;
	uint64_t seq = b->seq;
	int ret = 0;

	if (hearth_block_verify(b)) {
		r->job->count.blocks_resent++;
		if (r->job->stream_fd >= 0) {
			hearth_job_fail(r->job, HEARTH_EXIT_CORRUPT,
					"a block arrived damaged, and standard output cannot wait for it");
			return -ECANCELED;
		}
		return hearth_control_send_seqs(r->wires->control, HEARTH_FRAME_NAK, &seq, 1);
	}
	if (!b->is_hashed && !(r->job->opt.flags & HEARTH_UNHASHED))
		return -EPROTO;
	for (uint32_t i = 0; i < b->nr_segs && !ret; i++) {
		bool is_data = b->segs[i].kind == HEARTH_SEGMENT_DATA;

		ret = store_segment(r, b->segs[i], is_data ? data : NULL);
		if (is_data)
			data += b->segs[i].len;
		r->job->count.bytes_stored += b->segs[i].len;
	}
	return ret ? ret : hearth_pulse_ack(&r->pulse, seq);
}
