// SPDX-License-Identifier: GPL-2.0-or-later
/* The sender's control thread: what the receiver says, and what follows from it. */
#include <errno.h>
#include <stdlib.h>

#include "engine.h"
#include "send.h"

/* Gives every part of an acknowledged block back to its batch. */
static void settle(struct hearth_sender *s, const struct hearth_flight_slot *slot)
{
	for (uint32_t i = 0; i < slot->nr_segs; i++) {
		uint64_t voff = slot->segs[i].voff, end = voff + slot->segs[i].len;

		while (voff < end) {
			struct hearth_batch *b = hearth_table_get(&s->table, voff);
			uint64_t part;

			if (!b)
				break;
			part = (b->end < end ? b->end : end) - voff;
			hearth_table_settle(&s->table, b, part);
			hearth_table_put(&s->table, b);
			voff += part;
			s->job->count.bytes_stored += part;
		}
	}
}

/* What one of several devices has stored makes room for more of it. */
static void poke(struct hearth_sender *s)
{
	if (s->nr_volumes > 1)
		hearth_devices_poke(&s->devices);
}

static int handle_ack(struct hearth_sender *s, const struct hearth_frame *f)
{
	uint64_t seqs[HEARTH_MAX_ACKS];
	uint32_t nr;

	if (hearth_parse_seqs(f, seqs, &nr))
		return -EPROTO;
	for (uint32_t i = 0; i < nr; i++) {
		struct hearth_flight_slot slot;

		if (!hearth_flight_remove(&s->flight, seqs[i], &slot)) {
			if (!hearth_flight_may_be_late(&s->flight, seqs[i]))
				return -EPROTO;
			continue;
		}
		settle(s, &slot);
		free(slot.segs);
	}
	poke(s);
	return 0;
}

/* Where the data at @voff is read. A block holds what lies on one device. */
static struct hearth_work *work_of(struct hearth_sender *s, uint64_t voff)
{
	struct hearth_batch *b = hearth_table_get(&s->table, voff);
	uint32_t device = b ? b->device : 0;

	if (b)
		hearth_table_put(&s->table, b);
	return &s->devices.work[device];
}

/* Queues what a damaged block held once more, at the front. */
static int resend(struct hearth_sender *s, const struct hearth_flight_slot *slot)
{
	struct hearth_work_range range = { .tries = slot->tries + 1, .volume = slot->volume };
	int ret = 0;

	if (s->job->stream_fd >= 0) {
		hearth_job_fail(s->job, HEARTH_EXIT_CORRUPT,
				"a block arrived damaged, and what came from a pipe cannot be read again");
		return 0;
	}
	if (slot->tries + 1 >= HEARTH_MAX_TRIES) {
		hearth_job_fail(s->job, HEARTH_EXIT_CORRUPT,
				"a block arrived damaged %d times; check the network cards and memory of both ends",
				HEARTH_MAX_TRIES);
		return 0;
	}
	s->job->count.blocks_resent++;
	for (uint32_t i = 0; i < slot->nr_segs && !ret; i++) {
		range.voff = slot->segs[i].voff;
		range.len = slot->segs[i].len;
		ret = hearth_work_push_front(work_of(s, range.voff), range);
	}
	return ret;
}

static int handle_nak(struct hearth_sender *s, const struct hearth_frame *f)
{
	uint64_t seqs[HEARTH_MAX_ACKS];
	uint32_t nr;
	int ret = hearth_parse_seqs(f, seqs, &nr);

	for (uint32_t i = 0; i < nr && !ret; i++) {
		struct hearth_flight_slot slot;

		if (!hearth_flight_remove(&s->flight, seqs[i], &slot)) {
			if (!hearth_flight_may_be_late(&s->flight, seqs[i]))
				return -EPROTO;
			continue;
		}
		ret = resend(s, &slot);
		free(slot.segs);
	}
	poke(s);
	return ret;
}

/* Queues what a block held whose stream was lost, at the front and in its order. */
static int reroute(struct hearth_sender *s, const struct hearth_flight_slot *slot)
{
	int ret = 0;

	s->job->count.blocks_rerouted++;
	for (uint32_t i = slot->nr_segs; i-- && !ret;) {
		const struct hearth_work_range range = {
			.voff = slot->segs[i].voff,
			.len = slot->segs[i].len,
			.tries = slot->tries,
			.volume = slot->volume,
			.is_sum = slot->segs[i].kind == HEARTH_SEGMENT_SUM,
		};

		ret = hearth_work_push_front(work_of(s, range.voff), range);
	}
	return ret;
}

void hearth_sender_lose(struct hearth_sender *s, uint32_t number, const char *why)
{
	struct hearth_flight_slot slot;
	int ret = 0;

	if (hearth_lanes_lose(&s->engine.lanes, number)) {
		hearth_job_note(s->job, HEARTH_NOTE_WARNING, "",
				"data connection %u is lost (%s): what was on its way goes over another one",
				number + 1, why);
		hearth_control_send_u64(s->wires->control, HEARTH_FRAME_LOST, number);
	}
	while (!ret && hearth_flight_take_back(&s->flight, number, &slot)) {
		ret = reroute(s, &slot);
		free(slot.segs);
	}
	poke(s);
	if (ret)
		hearth_job_fail(s->job, HEARTH_EXIT_SYSTEM, "out of memory");
}

static int handle_lost(struct hearth_sender *s, const struct hearth_frame *f)
{
	uint64_t number;

	if (hearth_parse_u64(f, &number) || number > UINT32_MAX)
		return -EPROTO;
	if (hearth_lanes_can_replace(&s->engine.lanes))
		hearth_sender_lose(s, (uint32_t)number, "the receiver gave it up");
	return 0;
}

static int handle_quiet(struct hearth_sender *s, const struct hearth_frame *f)
{
	uint64_t number;

	if (hearth_parse_u64(f, &number) || number > UINT32_MAX)
		return -EPROTO;
	if (hearth_lanes_can_replace(&s->engine.lanes) &&
	    hearth_steer_is_silent(&s->steer, (uint32_t)number))
		hearth_sender_lose(s, (uint32_t)number, "nothing arrives");
	return 0;
}

static bool are_within(const struct hearth_ranges *ranges, const struct hearth_batch *b)
{
	return !ranges->nr ||
	       (ranges->v[0].start >= b->voff && ranges->v[ranges->nr - 1].end <= b->end);
}

/* Queues a range by where the receiver writes it, file by file if that is not all one. */
static int push_range(struct hearth_sender *s, struct hearth_batch *b, uint64_t start, uint64_t end,
		      bool is_sum)
{
	int ret = 0;

	while (start < end && !ret) {
		struct hearth_work_range range = { start, end - start, .is_sum = is_sum };

		if (s->nr_volumes > 1) {
			const struct hearth_entry *e = hearth_batch_find(b, start);
			uint64_t left = e->voff + e->size - start;

			range.volume = hearth_dirs_volume(&s->dirs, e->parent);
			range.len = left < range.len ? left : range.len;
		}
		ret = hearth_work_push(&s->devices.work[b->device], range);
		start += range.len;
	}
	return ret;
}

static int push_ranges(struct hearth_sender *s, struct hearth_batch *b,
		       const struct hearth_ranges *ranges, bool is_sum)
{
	int ret = 0;

	for (size_t i = 0; i < ranges->nr && !ret; i++)
		ret = push_range(s, b, ranges->v[i].start, ranges->v[i].end, is_sum);
	return ret;
}

/* The receiver may only ask for what the batch holds, and once. */
static int accept_want(struct hearth_sender *s, struct hearth_batch *b,
		       const struct hearth_ranges *wanted)
{
	int ret;

	if (b->is_answered || !are_within(wanted, b) || !are_within(&s->checked, b) ||
	    (s->checked.nr && s->checked_batch != b->number))
		return -EPROTO;
	hearth_table_answer(&s->table, b, wanted->covered + s->checked.covered);
	/* What is not wanted is there already, as far as this end's progress goes. */
	s->job->count.bytes_skipped +=
		b->end - b->voff - wanted->covered - s->checked.covered;
	ret = push_ranges(s, b, &s->checked, true);
	hearth_ranges_exit(&s->checked);
	return ret ? ret : push_ranges(s, b, wanted, false);
}

static int handle_want(struct hearth_sender *s, const struct hearth_frame *f)
{
	struct hearth_ranges wanted = { 0 };
	struct hearth_batch *b = NULL;
	uint64_t number;
	int ret = hearth_parse_want(f, &number, &wanted);

	if (!ret) {
		b = hearth_table_get_number(&s->table, number);
		ret = b ? accept_want(s, b, &wanted) : -EPROTO;
	}
	if (b)
		hearth_table_put(&s->table, b);
	hearth_ranges_exit(&wanted);
	return ret;
}

/* What of the next batch is only to be compared. */
static int handle_check(struct hearth_sender *s, const struct hearth_frame *f)
{
	if (s->job->stream_fd >= 0 || s->checked.nr)
		return -EPROTO;
	return hearth_parse_want(f, &s->checked_batch, &s->checked);
}

static int handle_volume(struct hearth_sender *s, const struct hearth_frame *f)
{
	uint64_t dir;
	uint8_t volume;

	if (hearth_parse_volume(f, &dir, &volume) || s->is_eager ||
	    !hearth_dirs_set_volume(&s->dirs, dir, volume))
		return -EPROTO;
	if (volume >= s->nr_volumes)
		s->nr_volumes = volume + 1u;
	hearth_sender_share_out(s);
	return 0;
}

static int handle_keep(struct hearth_sender *s, const struct hearth_frame *f)
{
	uint64_t batch;
	uint32_t entry;

	if (!(s->job->opt.flags & HEARTH_REMOVE_SOURCE) || hearth_parse_keep(f, &batch, &entry))
		return -EPROTO;
	/* What is not remembered, a directory, is not removed either. */
	hearth_removal_keep(&s->removal, batch, entry);
	return 0;
}

static int handle_ready(struct hearth_sender *s, const struct hearth_frame *f)
{
	uint8_t flags;

	if (hearth_parse_u8(f, &flags) || flags > 1)
		return -EPROTO;
	pthread_mutex_lock(&s->lock);
	s->is_eager = flags;
	s->is_ready = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/* What is left to do, and the farewell after it, are run()'s. */
static int handle_done(struct hearth_sender *s)
{
	hearth_devices_close(&s->devices);
	hearth_queue_close(&s->filled);
	pthread_mutex_lock(&s->lock);
	s->is_done = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

static int handle(struct hearth_sender *s, const struct hearth_frame *f)
{
	if (!s->is_ready && (f->type == HEARTH_FRAME_WANT || f->type == HEARTH_FRAME_CHECK ||
			     f->type == HEARTH_FRAME_ACK))
		return -EPROTO;
	switch (f->type) {
	case HEARTH_FRAME_READY:
		return s->is_ready ? -EPROTO : handle_ready(s, f);
	case HEARTH_FRAME_WANT:
		return handle_want(s, f);
	case HEARTH_FRAME_CHECK:
		return handle_check(s, f);
	case HEARTH_FRAME_ACK:
		return handle_ack(s, f);
	case HEARTH_FRAME_NAK:
		return handle_nak(s, f);
	case HEARTH_FRAME_KEEP:
		return handle_keep(s, f);
	case HEARTH_FRAME_VOLUME:
		return handle_volume(s, f);
	case HEARTH_FRAME_LOST:
		return handle_lost(s, f);
	case HEARTH_FRAME_QUIET:
		return handle_quiet(s, f);
	case HEARTH_FRAME_LIMITS:
		return hearth_parse_u64(f, &s->steer.peer_buffer);
	case HEARTH_FRAME_DONE:
		return handle_done(s);
	default:
		return hearth_control_handle_common(s->job, f) ? 0 : -EPROTO;
	}
}

void *hearth_sender_listen(void *arg)
{
	struct hearth_sender *s = arg;
	struct hearth_frame f;
	int err = 0;

	while (!err && !s->is_done) {
		err = hearth_control_recv(s->wires->control, &f);
		if (!err)
			err = handle(s, &f);
	}
	if (err)
		hearth_engine_fail_control(s->job, err, s->job->opt.timeout_s);
	return NULL;
}
