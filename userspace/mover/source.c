// SPDX-License-Identifier: GPL-2.0-or-later
/* The sender's storage side: fills blocks with the parts of files that are due. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "../common/io.h"
#include "confine.h"
#include "direct.h"
#include "lun.h"
#include "send.h"

/* Shorter payloads are not worth a descriptor. */
#define MIN_SPLICED_BYTES (128u << 10)

#define READ_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY)
#define PAGE_BYTES 4096u

void hearth_source_init(struct hearth_source *src, struct hearth_sender *s, uint32_t device)
{
	src->sender = s;
	src->work = &s->devices.work[device];
	src->fd = -1;
	src->fd_voff = 0;
	src->is_direct = false;
	src->stream = NULL;
	src->min_spliced = UINT32_MAX;
}

void hearth_source_exit(struct hearth_source *src)
{
	hearth_close(&src->fd);
}

/* Reports a file that cannot be read as the index promised, once. */
static void report(struct hearth_source *src, struct hearth_batch *batch, struct hearth_entry *e,
		   int err)
{
	struct hearth_sender *s = src->sender;
	char path[HEARTH_PATH_MAX];

	if (atomic_exchange(&e->is_faulty, true))
		return;
	hearth_dirs_path(&s->dirs, e->parent, hearth_entry_name(batch, e), path, sizeof(path));
	if (err == -ENOENT)
		hearth_job_note(s->job, HEARTH_NOTE_VANISHED, path,
				"vanished before it was copied");
	else if (err == -ENODATA)
		hearth_job_note(s->job, HEARTH_NOTE_ERROR, path,
				"shrank while it was copied; copy it again");
	else if (err == -ELOOP)
		hearth_job_note(s->job, HEARTH_NOTE_ERROR, path,
				"became a symlink while it was copied; copy it again");
	else
		hearth_job_note(s->job, HEARTH_NOTE_ERROR, path, "cannot be read: %s",
				s->lun ? hearth_lun_strerror(err) : strerror(-err));
}

static int open_file(struct hearth_source *src, struct hearth_batch *batch, struct hearth_entry *e)
{
	struct hearth_sender *s = src->sender;
	struct hearth_dirs *dirs = &s->dirs;
	struct stat st;
	int dir_fd, fd;

	if (src->sender->lun)
		return src->sender->lun->fd;
	if (src->fd >= 0 && src->fd_voff == e->voff)
		return src->fd;
	hearth_close(&src->fd);
	dir_fd = hearth_dirs_get(dirs, e->parent);
	if (dir_fd < 0)
		return dir_fd;
	/* O_NONBLOCK: what was a file in the scan may be a FIFO by now. */
	if (e->is_followed)
		fd = hearth_open_followed(dir_fd, hearth_entry_name(batch, e), READ_FLAGS);
	else
		fd = hearth_open_beneath(dir_fd, hearth_entry_name(batch, e), READ_FLAGS, 0);
	hearth_dirs_put(dirs, e->parent);
	if (fd < 0)
		return fd;
	if (e->is_sparse && (fstat(fd, &st) || !S_ISREG(st.st_mode)))
		e->is_sparse = false;
	src->fd = fd;
	src->fd_voff = e->voff;
	src->is_direct = hearth_direct_begin_read(s->job, s->engine.is_split, fd, e->size);
	return fd;
}

/* Where a part of the file lies in what open_file() returned. */
static uint64_t place_of(const struct hearth_source *src, const struct hearth_entry *e,
			 uint64_t voff)
{
	return voff - e->voff + (src->sender->lun ? src->sender->lun->start : 0);
}

/*
 * How much of [offset, offset + len) is of one kind, and which. Files that lie about their holes,
 * or file systems that know none, just have data.
 */
static uint64_t probe_hole(int fd, uint64_t offset, uint64_t len,
			   enum hearth_segment_kind *ret_kind)
{
	off_t at = lseek(fd, (off_t)offset, SEEK_DATA);

	*ret_kind = HEARTH_SEGMENT_HOLE;
	if (at < 0 && errno == ENXIO) {
		/* A hole up to the end; unless the file shrank, which reading will find. */
		if (lseek(fd, 0, SEEK_END) < (off_t)(offset + len))
			*ret_kind = HEARTH_SEGMENT_DATA;
		return len;
	}
	if (at > (off_t)offset)
		return (uint64_t)at - offset < len ? (uint64_t)at - offset : len;
	*ret_kind = HEARTH_SEGMENT_DATA;
	at = at < 0 ? -1 : lseek(fd, (off_t)offset, SEEK_HOLE);
	return at > (off_t)offset && (uint64_t)at - offset < len ? (uint64_t)at - offset : len;
}

static bool is_zero(const uint8_t *p, uint64_t len)
{
	return !*p && !memcmp(p, p + 1, len - 1);
}

/* How much from @at on, up to @len, is zeros in whole pages of the file, or is none; and which. */
static uint64_t run_length(const uint8_t *data, uint64_t at, uint64_t len, uint64_t offset,
			   bool *ret_is_zero)
{
	uint64_t end = at;

	while (end < len) {
		uint64_t page = PAGE_BYTES - (offset + end) % PAGE_BYTES;
		bool zero = false;

		page = page < len - end ? page : len - end;
		zero = is_zero(data + end, page);
		if (end > at && zero != *ret_is_zero)
			break;
		*ret_is_zero = zero;
		end += page;
	}
	return end - at;
}

/*
 * --sparse: what was read goes in without its zeros. Returns how much of it is dealt with, which is
 * less if the table got full.
 */
static uint64_t add_without_zeros(struct hearth_block *b, uint64_t voff, uint64_t offset,
				  uint64_t len)
{
	uint8_t *data = b->data + b->len;
	uint64_t at = 0, filled = 0;

	while (at < len && b->nr_segs < HEARTH_BLOCK_MAX_SEGMENTS) {
		bool zero = false;
		uint64_t run = run_length(data, at, len, offset, &zero);

		hearth_block_add(b, zero ? HEARTH_SEGMENT_HOLE : HEARTH_SEGMENT_DATA, voff + at,
				 run);
		if (!zero) {
			memmove(data + filled, data + at, run);
			filled += run;
		}
		at += run;
	}
	b->len += (uint32_t)filled;
	return at;
}

/*
 * Reads on in the pipe. At its end the receiver hears how long it was, and all that is left is to
 * wait for it.
 * There is one thread for it, so that what is read first is also first in the file.
 */
static void fill_from_pipe(struct hearth_source *src, struct hearth_block *b, uint64_t voff,
			   uint64_t offset, uint64_t len)
{
	struct hearth_sender *s = src->sender;
	ssize_t got;

	if (s->is_pipe_over) {
		hearth_sender_wait_done(s);
		return;
	}
	got = hearth_pipe_read(s->job->stream_fd, b->data + b->len, len,
			       s->wires->control->wake_fd);
	if (got < 0) {
		if (got != -ECANCELED)
			hearth_job_fail(s->job, HEARTH_EXIT_PLACE,
					"standard input cannot be read: %s", strerror((int)-got));
		return;
	}
	if (got) {
		hearth_block_add(b, HEARTH_SEGMENT_DATA, voff, (uint64_t)got);
		b->len += (uint32_t)got;
		s->job->count.bytes_total += (uint64_t)got;
	}
	if ((uint64_t)got == len)
		return;
	if (hearth_control_send_u64(s->wires->control, HEARTH_FRAME_SIZE, offset + (uint64_t)got))
		hearth_job_fail(s->job, HEARTH_EXIT_LOST, "the control connection broke");
	s->is_pipe_over = true;
}

/* A measurement: what is in the block's memory already will do. */
static void fill_from_memory(struct hearth_source *src, struct hearth_block *b, uint64_t voff,
			     uint64_t len)
{
	struct hearth_sender *s = src->sender;

	if (s->memory_fd >= 0) {
		b->payload_fd = fcntl(s->memory_fd, F_DUPFD_CLOEXEC, 0);
		b->payload_offset = 0;
	}
	hearth_block_add(b, HEARTH_SEGMENT_DATA, voff, len);
	b->len += (uint32_t)len;
}

/*
 * From which length on parts of a range can go out without being looked at. A checksum over a
 * mapping of the file costs more than the copy that it saves. What failed on its way is read, to
 * find out why.
 */
static uint32_t min_spliced(const struct hearth_source *src, const struct hearth_work_range *range)
{
	const struct hearth_sender *s = src->sender;
	uint64_t flags = s->job->opt.flags;

	if (s->job->opt.bench & HEARTH_BENCH_SPLICE)
		return 0;
	if (!(flags & HEARTH_UNHASHED) || flags & (HEARTH_SPARSE | HEARTH_IN_ORDER) ||
	    range->tries || s->lun || !src->stream || !hearth_tcp_takes_files(src->stream))
		return UINT32_MAX;
	return MIN_SPLICED_BYTES;
}

/* The file itself goes out, and is read only to be hashed. */
static ssize_t read_spliced(struct hearth_source *src, struct hearth_block *b, int fd, uint64_t len,
			    uint64_t offset)
{
	b->payload_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	b->payload_offset = offset;
	if (src->sender->job->opt.flags & HEARTH_UNHASHED)
		return (ssize_t)len;
	return hearth_pread_full(fd, b->data, len, offset);
}

/*
 * Puts the sum of one part of one file into the block. Returns how many bytes are dealt with; 0 if
 * they had better go as they are.
 */
static uint64_t fill_sum(struct hearth_source *src, struct hearth_block *b,
			 struct hearth_batch *batch, struct hearth_entry *e, uint64_t voff,
			 uint64_t len)
{
	XXH128_canonical_t sum;
	ssize_t got = -1;
	int fd;

	if (len <= sizeof(sum.digest) || b->nr_segs == HEARTH_BLOCK_MAX_SEGMENTS)
		return 0;
	fd = open_file(src, batch, e);
	if (fd >= 0 && src->is_direct)
		got = hearth_direct_read(fd, b->data + b->len, len, b->data_bytes - b->len,
					 voff - e->voff);
	else if (fd >= 0)
		got = hearth_pread_full(fd, b->data + b->len, len, place_of(src, e, voff));
	if (got != (ssize_t)len)
		return 0;
	XXH128_canonicalFromHash(&sum, XXH3_128bits(b->data + b->len, len));
	memcpy(b->data + b->len, sum.digest, sizeof(sum.digest));
	hearth_block_add(b, HEARTH_SEGMENT_SUM, voff, len);
	b->len += HEARTH_SEGMENT_SUM_BYTES;
	return len;
}

/* Puts one part of one file into the block; returns how many bytes of it are dealt with. */
static uint64_t fill_part(struct hearth_source *src, struct hearth_block *b,
			  struct hearth_batch *batch, struct hearth_entry *e, uint64_t voff,
			  uint64_t len)
{
	enum hearth_segment_kind kind = HEARTH_SEGMENT_DATA;
	uint8_t bench = src->sender->job->opt.bench;
	ssize_t got;
	int fd;

	if (e->extras & HEARTH_EXTRA_STREAM) {
		fill_from_pipe(src, b, voff, voff - e->voff, len);
		return len;
	}
	if (bench & HEARTH_BENCH_FROM_MEMORY) {
		fill_from_memory(src, b, voff, len);
		return len;
	}
	fd = open_file(src, batch, e);
	got = fd;

	if (fd >= 0 && e->is_sparse)
		len = probe_hole(fd, voff - e->voff, len, &kind);
	if (fd >= 0 && len >= src->min_spliced && !src->is_direct && !b->len &&
	    kind == HEARTH_SEGMENT_DATA)
		got = read_spliced(src, b, fd, len, voff - e->voff);
	else if (fd >= 0 && kind == HEARTH_SEGMENT_DATA && src->is_direct)
		got = hearth_direct_read(fd, b->data + b->len, len, b->data_bytes - b->len,
					 voff - e->voff);
	else if (fd >= 0 && kind == HEARTH_SEGMENT_DATA)
		got = hearth_pread_full(fd, b->data + b->len, len, place_of(src, e, voff));
	if (fd >= 0 && kind == HEARTH_SEGMENT_HOLE) {
		hearth_block_add(b, kind, voff, len);
	} else if (got > 0 && src->sender->job->opt.flags & HEARTH_SPARSE) {
		len = add_without_zeros(b, voff, voff - e->voff, (uint64_t)got);
	} else if (got > 0) {
		hearth_block_add(b, HEARTH_SEGMENT_DATA, voff, (uint64_t)got);
		b->len += (uint32_t)got;
		if ((uint64_t)got < len) { /* the next call finds the end of the file */
			len = (uint64_t)got;
		}
	} else {
		report(src, batch, e, got ? (int)got : -ENODATA);
		hearth_block_add(b, HEARTH_SEGMENT_FAULT, voff, len);
	}
	if (voff + len == e->voff + e->size)
		hearth_close(&src->fd);
	return len;
}

/* A file that goes on in another block goes on there where a page, and a disk's block, begins. */
static uint64_t cut_at_boundary(uint64_t offset, uint64_t len)
{
	uint64_t past = (offset + len) % HEARTH_DIRECT_ALIGN;

	return past < len ? len - past : len;
}

/*
 * Fills in as much of the range as the block takes; the rest goes back to the front of the queue.
 *
 */
static void fill_range(struct hearth_source *src, struct hearth_block *b,
		       struct hearth_work_range range)
{
	struct hearth_sender *s = src->sender;
	struct hearth_batch *batch = NULL;
	bool is_cut = false;

	src->min_spliced = min_spliced(src, &range);
	while (range.len && !is_cut && b->nr_segs < HEARTH_BLOCK_MAX_SEGMENTS) {
		struct hearth_entry *e;
		uint64_t part, done;

		if (batch && batch->end <= range.voff) {
			hearth_table_put(&s->table, batch);
			batch = NULL;
		}
		if (!batch)
			batch = hearth_table_get(&s->table, range.voff);
		if (!batch) {
			hearth_job_fail(s->job, HEARTH_EXIT_PROTOCOL,
					"the receiver asked twice for the same data");
			return;
		}
		e = hearth_batch_find(batch, range.voff);
		part = e->voff + e->size - range.voff;
		if (part > range.len) {
			part = cut_at_boundary(range.voff - e->voff, range.len);
			is_cut = part < range.len;
		}
		done = range.is_sum ? fill_sum(src, b, batch, e, range.voff, part) : 0;
		if (!done)
			done = fill_part(src, b, batch, e, range.voff, part);
		is_cut |= b->payload_fd >= 0; /* that is all of the payload */
		range.voff += done;
		range.len -= done;
	}
	if (batch)
		hearth_table_put(&s->table, batch);
	if (range.len)
		hearth_work_push_front(src->work, range);
}

/*
 * What still goes into the block, 0 if that is not worth while: the path may have more use for
 * shorter ones (adapt.h).
 */
static uint32_t room(const struct hearth_source *src, const struct hearth_block *b)
{
	uint32_t most = src->sender->message_bytes;

	most = most < b->data_bytes ? most : b->data_bytes;
	return b->len + HEARTH_BLOCK_MIN_PAYLOAD <= most ? most - b->len : 0;
}

bool hearth_source_fill(struct hearth_source *src, struct hearth_block *b, bool may_wait,
			uint32_t *ret_tries)
{
	struct hearth_flight *flight = &src->sender->flight;
	struct hearth_work_range range = { 0 };
	uint32_t most;

	*ret_tries = 0;
	/* What may come back as data goes alone, lest more than a block comes back. */
	while (!hearth_block_is_full(b) && !*ret_tries && !range.is_sum &&
	       !(b->nr_segs && src->sender->is_pipe_over) && (most = room(src, b)) &&
	       hearth_work_pop(src->work, b->nr_segs ? b->volume : HEARTH_WORK_NEW_BLOCK, most,
			       may_wait && !b->nr_segs, &range)) {
		bool is_new = !b->nr_segs;

		b->volume = range.volume;
		fill_range(src, b, range);
		*ret_tries = range.tries;
		if (is_new && !b->nr_segs)
			hearth_flight_put(flight, range.volume);
	}
	return b->nr_segs;
}
