// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * --publish: content goes straight to its final blocks.
 *
 * Files of a batch lie one behind the other in the image as they do in a segment, so
 * one call writes many of them, with zeros between them up to where blocks begin.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "publish_impl.h"

#define BLOCK_BYTES HEARTH_EROFS_BLOCK_BYTES
#define MAX_GATHERED 256

/* Whole files that are written by one call. */
struct gather {
	struct hearth_receiver *r;
	struct hearth_batch *batch;
	struct iovec iov[2 * MAX_GATHERED];
	int nr_iov;
	uint32_t nr_files;
	uint64_t offset;
	uint64_t end;
};

/* A part of one file. */
struct piece {
	struct hearth_entry *entry;
	uint64_t offset;
	uint64_t len;
	const uint8_t *data; /* NULL: zeros */
};

static uint64_t padding(uint64_t len)
{
	return (BLOCK_BYTES - len % BLOCK_BYTES) % BLOCK_BYTES;
}

static int fail_write(struct hearth_receiver *r, int err)
{
	return hearth_publish_fail(r, "cannot be written", err);
}

static int flush(struct gather *g)
{
	int err = 0;

	if (!g->nr_files)
		return 0;
	err = hearth_target_write(&g->r->publish->target, g->iov, g->nr_iov, g->offset);
	if (err)
		return fail_write(g->r, err);
	g->r->job->count.files_stored += g->nr_files;
	for (uint32_t i = 0; i < g->nr_files; i++)
		hearth_receiver_file_over(g->r, g->batch);
	g->nr_files = 0;
	g->nr_iov = 0;
	return 0;
}

static int gather(struct gather *g, const struct piece *piece, uint64_t at)
{
	static const uint8_t zeros[BLOCK_BYTES];
	uint64_t pad = padding(piece->len);

	if (g->nr_files == MAX_GATHERED || (g->nr_files && at != g->end)) {
		int ret = flush(g);

		if (ret)
			return ret;
	}
	if (!g->nr_files)
		g->offset = at;
	g->iov[g->nr_iov++] = (struct iovec){ (void *)piece->data, piece->len };
	if (pad)
		g->iov[g->nr_iov++] = (struct iovec){ (void *)zeros, pad };
	g->end = at + piece->len + pad;
	g->nr_files++;
	return 0;
}

static struct hearth_publish_part *find_locked(struct hearth_publish *p,
					       const struct hearth_entry *e)
{
	struct hearth_publish_part *part = p->parts;

	while (part && part->entry != e)
		part = part->next;
	return part;
}

static struct hearth_publish_part *add_locked(struct hearth_publish *p, struct hearth_entry *e)
{
	struct hearth_publish_part *part = p->nr_parts < HEARTH_MAX_PARTS
						   ? calloc(1, sizeof(*part))
						   : NULL;

	if (!part)
		return NULL;
	part->entry = e;
	part->next = p->parts;
	p->parts = part;
	p->nr_parts++;
	return part;
}

/* Nobody has begun with the file: what becomes of it is up to the caller. */
static bool claim(struct hearth_entry *e, enum hearth_entry_state state)
{
	unsigned char expected = HEARTH_FILE_WANTED;

	return atomic_compare_exchange_strong(&e->state, &expected, (unsigned char)state);
}

/* Announces that something of the file is being written. 0; 1: the file is over; or -errno. */
static int begin(struct hearth_publish *p, struct hearth_entry *e, struct hearth_publish_part **ret)
{
	bool is_full, is_over;

	pthread_mutex_lock(&p->lock);
	is_full = p->nr_parts == HEARTH_MAX_PARTS;
	*ret = find_locked(p, e);
	is_over = *ret ? (*ret)->is_faulty : !claim(e, HEARTH_FILE_PARTIAL);
	if (!*ret && !is_over)
		*ret = add_locked(p, e);
	if (*ret && !is_over)
		(*ret)->nr_writing++;
	pthread_mutex_unlock(&p->lock);
	if (is_over)
		return 1;
	if (*ret)
		return 0;
	return is_full ? -EMFILE : -ENOMEM;
}

static void remove_locked(struct hearth_publish *p, struct hearth_publish_part *part)
{
	struct hearth_publish_part **link = &p->parts;

	while (*link != part)
		link = &(*link)->next;
	*link = part->next;
	p->nr_parts--;
	atomic_store(&part->entry->state, HEARTH_FILE_DONE);
	hearth_ranges_exit(&part->stored);
	free(part);
}

/* What was begun is done. The last one to write to a file that is whole, or lost, ends it. */
static int end(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_publish_part *part,
	       const struct piece *piece)
{
	struct hearth_publish *p = r->publish;
	bool is_faulty, is_over;
	int err;

	pthread_mutex_lock(&p->lock);
	err = hearth_ranges_add(&part->stored, piece->offset, piece->offset + piece->len);
	part->nr_writing--;
	is_faulty = part->is_faulty;
	is_over = !part->nr_writing && (is_faulty || part->stored.covered == piece->entry->size);
	if (is_over)
		remove_locked(p, part);
	pthread_mutex_unlock(&p->lock);
	if (is_over && !is_faulty)
		r->job->count.files_stored++;
	if (is_over)
		hearth_receiver_file_over(r, b);
	return err;
}

/* The sender could not read it: it is left out of the image. */
static void give_up(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e)
{
	struct hearth_publish *p = r->publish;
	struct hearth_publish_part *part;
	bool is_over = false;

	pthread_mutex_lock(&p->lock);
	part = find_locked(p, e);
	if (part || claim(e, HEARTH_FILE_DONE)) {
		hearth_erofs_drop(p->fs, e->inode);
		is_over = !part || !part->nr_writing;
		if (part)
			part->is_faulty = true;
		if (part && is_over)
			remove_locked(p, part);
	}
	pthread_mutex_unlock(&p->lock);
	if (is_over)
		hearth_receiver_file_over(r, b);
}

/* Bytes behind the piece that belong to the file's last block. */
static uint64_t padding_behind(const struct piece *piece)
{
	return piece->offset + piece->len == piece->entry->size ? padding(piece->entry->size) : 0;
}

/*
 * Zeros for what of blocks that were given just now is not in the piece; blocks that it covers in
 * part are cleared as a whole.
 */
static int clear_rest(struct hearth_target *t, const struct piece *piece,
		      const struct hearth_erofs_run *run)
{
	uint64_t from = (uint64_t)run->at * BLOCK_BYTES, disk = (uint64_t)run->block * BLOCK_BYTES;
	uint64_t to = from + (uint64_t)run->nr * BLOCK_BYTES, past = piece->offset + piece->len;
	uint64_t head = (piece->offset + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
	uint64_t tail = past / BLOCK_BYTES * BLOCK_BYTES;
	int ret = 0;

	if (t->is_new)
		return 0;
	if (piece->offset > from)
		ret = hearth_target_put(t, NULL, head - from, 0, disk);
	if (!ret && past < to)
		ret = hearth_target_put(t, NULL, to - tail, 0, disk + tail - from);
	return ret;
}

/* Where the first blocks of the piece lie, and how many there are. */
static int map(struct hearth_receiver *r, const struct piece *piece, struct hearth_erofs_run *run)
{
	struct hearth_publish *p = r->publish;
	uint64_t first = piece->offset / BLOCK_BYTES;
	uint64_t nr = (piece->offset + piece->len + BLOCK_BYTES - 1) / BLOCK_BYTES - first, needed;
	bool is_new;
	int err;

	pthread_mutex_lock(&p->map_lock);
	pthread_mutex_lock(&p->lock);
	err = hearth_erofs_map(p->fs, piece->entry->inode, (uint32_t)first, (uint32_t)nr, run,
			       &is_new);
	needed = hearth_erofs_bytes(p->fs);
	pthread_mutex_unlock(&p->lock);
	if (err == -EFBIG || (!err && needed > p->target.limit))
		err = hearth_publish_fail_size(r, needed, false);
	if (!err && is_new)
		err = clear_rest(&p->target, piece, run);
	pthread_mutex_unlock(&p->map_lock);
	return err;
}

/* Content of a file with holes gets its blocks now. */
static int write_mapped(struct hearth_receiver *r, struct piece piece)
{
	int ret = 0;

	while (!ret && piece.len) {
		struct hearth_erofs_run run;
		uint64_t from, to, part;

		ret = map(r, &piece, &run);
		if (ret)
			return ret;
		from = (uint64_t)run.at * BLOCK_BYTES;
		to = from + (uint64_t)run.nr * BLOCK_BYTES;
		part = to - piece.offset < piece.len ? to - piece.offset : piece.len;
		ret = hearth_target_put(&r->publish->target, piece.data, part,
					part == piece.len ? padding_behind(&piece) : 0,
					(uint64_t)run.block * BLOCK_BYTES + piece.offset - from);
		piece.offset += part;
		piece.data += part;
		piece.len -= part;
	}
	return ret;
}

static int write_piece(struct hearth_receiver *r, const struct piece *piece, bool has_holes,
		       uint64_t at)
{
	if (!has_holes)
		return hearth_target_put(&r->publish->target, piece->data, piece->len,
					 padding_behind(piece), at + piece->offset);
	return piece->data ? write_mapped(r, *piece) : 0;
}

static int store_part(struct hearth_receiver *r, struct hearth_batch *b, const struct piece *piece,
		      bool has_holes, uint64_t at)
{
	struct hearth_publish_part *part;
	int ret = begin(r->publish, piece->entry, &part), err;

	if (ret)
		return ret < 0 ? ret : 0;
	ret = write_piece(r, piece, has_holes, at);
	if (ret)
		fail_write(r, ret);
	err = end(r, b, part, piece);
	return ret ? -ECANCELED : err;
}

static int store(struct gather *g, const struct piece *piece)
{
	struct hearth_publish *p = g->r->publish;
	bool has_holes;
	uint64_t at = 0;
	int ret;

	if (atomic_load(&piece->entry->state) == HEARTH_FILE_DONE)
		return 0;
	pthread_mutex_lock(&p->lock);
	has_holes = hearth_erofs_has_holes(p->fs, piece->entry->inode);
	if (!has_holes)
		at = hearth_erofs_offset(p->fs, piece->entry->inode);
	pthread_mutex_unlock(&p->lock);
	if (piece->data && !has_holes && piece->len == piece->entry->size &&
	    claim(piece->entry, HEARTH_FILE_DONE))
		return gather(g, piece, at);
	ret = flush(g);
	return ret ? ret : store_part(g->r, g->batch, piece, has_holes, at);
}

int hearth_publish_store(struct hearth_receiver *r, struct hearth_batch *b,
			 const struct hearth_segment *seg, const uint8_t *data, uint64_t end_voff)
{
	struct gather g = { .r = r, .batch = b };
	uint64_t voff = seg->voff;
	int ret = hearth_publish_wait(r);

	while (!ret && voff < end_voff) {
		struct hearth_entry *e = hearth_batch_find(b, voff);
		uint64_t past = e->voff + e->size < end_voff ? e->voff + e->size : end_voff;
		struct piece piece = { e, voff - e->voff, past - voff,
				       data ? data + (voff - seg->voff) : NULL };

		if (seg->kind == HEARTH_SEGMENT_FAULT)
			give_up(r, b, e);
		else if (seg->kind == HEARTH_SEGMENT_SUM)
			ret = -EPROTO; /* nothing was asked for by its sum */
		else
			ret = store(&g, &piece);
		voff = past;
	}
	return ret ? ret : flush(&g);
}
