// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Files that come from a pipe, whose size is said at their end, and files that go
 * to one. The first are stored like any file that comes in parts. The second are
 * written as they arrive: one stream and one thread a side keep them in order.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "../common/io.h"
#include "recv.h"

/* Remembers the entry whose size will be said. */
int hearth_stream_plan(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e)
{
	if (r->stream_entry)
		return -EPROTO;
	r->stream_entry = e;
	r->stream_batch = b;
	return 0;
}

static int place_empty(struct hearth_receiver *r)
{
	struct hearth_entry e = *r->stream_entry;
	int ret;

	e.size = 0;
	ret = r->lun ? -EINVAL : hearth_place_whole(r, r->stream_batch, &e, "");
	atomic_store(&r->stream_entry->state, HEARTH_FILE_DONE);
	if (r->lun)
		hearth_receiver_note(r, HEARTH_NOTE_ERROR, r->stream_batch, r->stream_entry,
				     "the source is empty; nothing was written", 0);
	else if (ret)
		hearth_receiver_note(r, HEARTH_NOTE_ERROR, r->stream_batch, r->stream_entry,
				     "cannot be written", ret);
	else
		r->job->count.files_stored++;
	hearth_receiver_file_over(r, r->stream_batch);
	return 0;
}

int hearth_stream_end(struct hearth_receiver *r, uint64_t size)
{
	if (!r->stream_entry)
		return 0; /* it was refused */
	if (r->stream_size != HEARTH_UNLIMITED || size >= HEARTH_FILE_MAX_BYTES)
		return -EPROTO;
	r->stream_size = size;
	r->job->count.bytes_total += size;
	if (!size && atomic_load(&r->stream_entry->state) == HEARTH_FILE_WANTED)
		return place_empty(r);
	hearth_part_check(r, r->stream_entry);
	return 0;
}

static int write_zeros(int fd, uint64_t len, int cancel_fd)
{
	static const uint8_t zeros[65536];
	int ret = 0;

	while (!ret && len) {
		uint64_t part = len < sizeof(zeros) ? len : sizeof(zeros);

		ret = hearth_pipe_write(fd, zeros, part, cancel_fd);
		len -= part;
	}
	return ret;
}

/* To memory, and no further: all that is measured is how it gets there. */
void hearth_stream_drop(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
			uint64_t len)
{
	if (atomic_fetch_add(&r->dropped, len) + len != e->size)
		return;
	atomic_store(&e->state, HEARTH_FILE_DONE);
	r->job->count.files_stored++;
	hearth_receiver_file_over(r, b);
}

int hearth_stream_out(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
		      uint64_t offset, uint64_t len, const void *data)
{
	int fd = r->job->stream_fd, cancel_fd = r->wires->control->wake_fd, ret;

	if (atomic_load(&e->state) == HEARTH_FILE_DONE)
		return 0;
	if (offset != r->out_offset)
		return -EPROTO;
	ret = data ? hearth_pipe_write(fd, data, len, cancel_fd) : write_zeros(fd, len, cancel_fd);
	if (ret) {
		hearth_job_fail(r->job, HEARTH_EXIT_PLACE, "standard output cannot be written: %s",
				strerror(-ret));
		return -ECANCELED;
	}
	r->out_offset += len;
	if (r->out_offset < e->size)
		return 0;
	atomic_store(&e->state, HEARTH_FILE_DONE);
	r->job->count.files_stored++;
	hearth_receiver_file_over(r, b);
	return 0;
}
