// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The receiver's storage side: verifies blocks and writes them to files.
 *
 * Small files are made by plain system calls on every thread that stores. io_uring gives an O_CREAT
 * to worker threads of its own: 100,000 files of 4 KiB went by chains of open, write and close at
 * 0.57 to 0.75 of that rate, with 1.6 to 1.8 times the CPU time, and at 0.79 to 0.92 where only
 * writing and closing went through the ring (Linux 6.18, tmpfs, 1 to 4 threads on two CPUs).
 */
#include <errno.h>
#include <string.h>

#include "publish.h"
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
		      uint64_t offset, uint64_t len, const void *data, bool is_there)
{
	unsigned char expected = HEARTH_FILE_WANTED;

	if (r->job->opt.bench & HEARTH_BENCH_TO_MEMORY) {
		hearth_stream_drop(r, b, e, len);
		return 0;
	}
	if (r->job->stream_fd >= 0)
		return hearth_stream_out(r, b, e, offset, len, data);
	if (data && !is_there && len == e->size && !r->lun) {
		store_whole(r, b, e, data);
		return 0;
	}
	if (!atomic_compare_exchange_strong(&e->state, &expected, HEARTH_FILE_PARTIAL) &&
	    expected == HEARTH_FILE_DONE)
		return 0;
	return hearth_part_store(r, b, e, offset, len, data, is_there);
}

/* The part of a segment that lies in one batch; returns how much that is, or -errno. */
static int64_t store_in_batch(struct hearth_receiver *r, struct hearth_batch *b,
			      const struct hearth_segment *seg, const uint8_t *data)
{
	uint64_t end = seg->voff + seg->len < b->end ? seg->voff + seg->len : b->end;
	uint64_t voff = seg->voff;

	if (r->publish) {
		int ret = hearth_publish_store(r, b, seg, data, end);

		return ret ? ret : (int64_t)(end - voff);
	}
	while (voff < end) {
		struct hearth_entry *e = hearth_batch_find(b, voff);
		uint64_t past = e->voff + e->size < end ? e->voff + e->size : end;
		int ret = 0;

		if (seg->kind == HEARTH_SEGMENT_FAULT)
			store_fault(r, b, e);
		else
			ret = store_part(r, b, e, voff - e->voff, past - voff,
					 data ? data + (voff - seg->voff) : NULL,
					 seg->kind == HEARTH_SEGMENT_SUM);
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

/* 1 if the bytes of a sum segment are there, 0 if they have to be sent, or -errno. */
static int has_segment(struct hearth_receiver *r, const struct hearth_segment *seg,
		       const uint8_t *sum)
{
	unsigned char expected = HEARTH_FILE_WANTED;
	int ret = hearth_table_wait(&r->table, seg->voff + seg->len);
	struct hearth_batch *b = ret ? NULL : hearth_table_get(&r->table, seg->voff);
	struct hearth_entry *e;

	if (!b)
		return ret ? ret : 1;
	e = hearth_batch_find(b, seg->voff);
	if (!e->is_doubtful || seg->voff + seg->len > e->voff + e->size) {
		ret = -EPROTO;
	} else {
		atomic_compare_exchange_strong(&e->state, &expected, HEARTH_FILE_PARTIAL);
		ret = hearth_part_has(r, b, e, seg->voff - e->voff, seg->len, sum);
	}
	hearth_table_put(&r->table, b);
	return ret;
}

/* 1 if all that a block only has sums of is there. As above. */
static int has_segments(struct hearth_receiver *r, const struct hearth_block *b)
{
	const uint8_t *payload = b->data;
	int ret = 1;

	for (uint32_t i = 0; i < b->nr_segs && ret > 0; i++) {
		if (b->segs[i].kind == HEARTH_SEGMENT_SUM)
			ret = has_segment(r, &b->segs[i], payload);
		payload += hearth_segment_payload(&b->segs[i]);
	}
	return ret;
}

static int ask_again(struct hearth_receiver *r, uint64_t seq)
{
	return hearth_control_send_seqs(r->wires->control, HEARTH_FRAME_NAK, &seq, 1);
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
		return ask_again(r, seq);
	}
	if (!b->is_hashed && !(r->job->opt.flags & HEARTH_UNHASHED))
		return -EPROTO;
	ret = has_segments(r, b);
	if (ret <= 0)
		return ret ? ret : ask_again(r, seq);
	ret = 0;
	for (uint32_t i = 0; i < b->nr_segs && !ret; i++) {
		uint64_t payload = hearth_segment_payload(&b->segs[i]);

		ret = store_segment(r, b->segs[i], payload ? data : NULL);
		data += payload;
		r->job->count.bytes_stored += b->segs[i].len;
	}
	return ret ? ret : hearth_pulse_ack(&r->pulse, seq, b->len);
}
