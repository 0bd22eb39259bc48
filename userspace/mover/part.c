// SPDX-License-Identifier: GPL-2.0-or-later
/* Files that arrive in several blocks: the temporary file and its journal. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/io.h"
#include "lun_end.h"
#include "recv.h"

/* How much of a large file a crash of the machine may cost. */
#define CHECKPOINT_NS (5ull * 1000000000)

/* How long the file is to become; unlimited while only its sender can know. */
static uint64_t wanted_size(const struct hearth_receiver *r, const struct hearth_entry *e)
{
	return e->extras & HEARTH_EXTRA_STREAM ? r->stream_size : e->size;
}

static struct hearth_part *find_locked(struct hearth_receiver *r, const struct hearth_entry *e)
{
	struct hearth_part *p = r->parts;

	while (p && p->entry != e)
		p = p->next;
	return p;
}

static struct hearth_part *alloc_part(struct hearth_receiver *r, struct hearth_batch *b,
				      struct hearth_entry *e)
{
	struct hearth_part *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->batch = hearth_table_get_number(&r->table, b->number);
	if (!p->batch) {
		free(p);
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->write_lock, NULL);
	p->entry = e;
	p->fd = -1;
	p->direct_fd = -1;
	p->journal.fd = -1;
	p->refs = 1;
	p->next = r->parts;
	r->parts = p;
	r->nr_parts++;
	return p;
}

static void free_part(struct hearth_receiver *r, struct hearth_part *p)
{
	hearth_close(&p->fd);
	hearth_close(&p->direct_fd);
	hearth_journal_close(&p->journal);
	hearth_ranges_exit(&p->stored);
	hearth_verify_exit(&p->slices);
	hearth_table_put(&r->table, p->batch);
	pthread_mutex_destroy(&p->write_lock);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* The file's part with a reference; NULL if the file is over, or there are too many. */
static struct hearth_part *get_part(struct hearth_receiver *r, struct hearth_batch *b,
				    struct hearth_entry *e)
{
	struct hearth_part *p;

	pthread_mutex_lock(&r->parts_lock);
	p = find_locked(r, e);
	if (!p && r->nr_parts < HEARTH_MAX_PARTS && atomic_load(&e->state) != HEARTH_FILE_DONE)
		p = alloc_part(r, b, e);
	if (p)
		p->refs++;
	pthread_mutex_unlock(&r->parts_lock);
	return p;
}

/* Drops a reference; the first one goes when the file is over. */
static void put_part(struct hearth_receiver *r, struct hearth_part *p, bool is_over)
{
	struct hearth_part **link = &r->parts;

	pthread_mutex_lock(&r->parts_lock);
	p->refs -= is_over ? 2 : 1;
	if (!p->refs) {
		while (*link != p)
			link = &(*link)->next;
		*link = p->next;
		r->nr_parts--;
		free_part(r, p);
	}
	pthread_mutex_unlock(&r->parts_lock);
}

/* Everything recorded so far becomes safe against a crash of the machine. */
static int checkpoint(struct hearth_receiver *r, struct hearth_part *p)
{
	uint64_t now = hearth_now_ns();

	if (!p->is_journaled || r->job->opt.fsync == HEARTH_FSYNC_NONE ||
	    now - p->synced_ns < CHECKPOINT_NS)
		return 0;
	p->synced_ns = now;
	if (fdatasync(p->fd))
		return -errno;
	return hearth_journal_checkpoint(&p->journal, p->journal.nr_records);
}

static int record(struct hearth_receiver *r, struct hearth_part *p, uint64_t start, uint64_t end)
{
	int ret = hearth_ranges_add(&p->stored, start, end);

	if (!ret && p->is_journaled)
		ret = hearth_journal_record(&p->journal, start, end);
	return ret ? ret : checkpoint(r, p);
}

static int place_part(struct hearth_receiver *r, struct hearth_part *p)
{
	const char *name = hearth_receiver_name(r, p->batch, p->entry);
	char journal[HEARTH_TEMP_NAME_BYTES];
	int ret = 0, dir_fd;

	if (r->lun)
		return hearth_lun_end_place(r, p);
	dir_fd = hearth_dirs_get(&r->dirs, p->entry->parent);
	if (dir_fd < 0)
		return dir_fd;
	hearth_journal_name(journal, name);
	if (p->entry->extras & HEARTH_EXTRA_STREAM && ftruncate(p->fd, (off_t)p->stored.covered))
		ret = -errno;
	if (!ret && r->job->opt.flags & HEARTH_VERIFY)
		ret = hearth_verify_slices(&p->slices, p->fd);
	if (!ret)
		ret = hearth_place_finish(r, dir_fd, p->fd, name, p->batch, p->entry);
	if (!ret && p->is_journaled)
		unlinkat(dir_fd, journal, 0);
	hearth_dirs_put(&r->dirs, p->entry->parent);
	return ret;
}

static void remove_files(struct hearth_receiver *r, struct hearth_part *p)
{
	char temp[HEARTH_TEMP_NAME_BYTES], journal[HEARTH_TEMP_NAME_BYTES];
	const char *name = hearth_receiver_name(r, p->batch, p->entry);
	int dir_fd;

	if (r->lun) {
		hearth_lun_end_forget(r, p);
		return;
	}
	dir_fd = hearth_dirs_get(&r->dirs, p->entry->parent);
	if (dir_fd < 0)
		return;
	hearth_place_work_name(r, temp, name);
	hearth_journal_name(journal, name);
	if (!(r->job->opt.flags & HEARTH_INPLACE))
		unlinkat(dir_fd, temp, 0);
	unlinkat(dir_fd, journal, 0);
	hearth_dirs_put(&r->dirs, p->entry->parent);
}

/* What does not fit is not kept for a later run: the room is needed by other files. */
static bool has_no_room(int err)
{
	return err == -ENOSPC || err == -EDQUOT || err == -EFBIG;
}

/* Ends a file; called with the part locked, once. */
static void end_part(struct hearth_receiver *r, struct hearth_part *p, int err, const char *what)
{
	p->is_over = true;
	atomic_store(&p->entry->state, HEARTH_FILE_DONE);
	if (has_no_room(err) || err == -EBADMSG || (err && err != -EBUSY && !p->is_journaled))
		remove_files(r, p);
	if (err)
		hearth_receiver_note(r, HEARTH_NOTE_ERROR, p->batch, p->entry, what, err);
	else
		r->job->count.files_stored++;
	hearth_receiver_file_over(r, p->batch);
}

/* Makes zeros of what may have been something else before. */
static int clear_range(int fd, uint64_t offset, uint64_t len)
{
	static const uint8_t zeros[65536];
	int ret = 0;

	if (!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len))
		return 0;
	while (!ret && len) {
		uint64_t part = len < sizeof(zeros) ? len : sizeof(zeros);

		ret = hearth_pwrite_all(fd, zeros, part, offset);
		offset += part;
		len -= part;
	}
	return ret;
}

/*
 * The kernel takes one buffered write to a file at a time, and others spin meanwhile: a quarter of
 * the CPU time, with two streams on two CPUs. Here they sleep.
 */
static int write_cached(struct hearth_part *p, const void *data, uint64_t len, uint64_t offset)
{
	int ret;

	pthread_mutex_lock(&p->write_lock);
	ret = hearth_pwrite_all(p->fd, data, len, offset);
	pthread_mutex_unlock(&p->write_lock);
	return ret;
}

static int write_part(struct hearth_receiver *r, struct hearth_part *p, uint64_t offset,
		      uint64_t len, const void *data, bool is_there)
{
	int ret = p->fd < 0 ? hearth_part_open(r, p) : 0;

	if (ret)
		return ret;
	if (is_there) {
		if (r->job->opt.flags & HEARTH_VERIFY)
			ret = hearth_verify_add_sum(&p->slices, p->base + offset, len, data);
		return ret ? ret : record(r, p, offset, offset + len);
	}
	/* What a LUN has taken over cannot be read any more. */
	if (data && r->job->opt.flags & HEARTH_VERIFY)
		ret = hearth_verify_add(&p->slices, p->base + offset, len, data);
	if (ret)
		return ret;
	/* Different blocks of one file are written at the same time. */
	p->nr_writing++;
	pthread_mutex_unlock(&p->lock);
	if (r->lun)
		ret = hearth_lun_end_store(r, offset, len, data);
	else if (data && p->direct_fd >= 0)
		ret = hearth_direct_write(p->direct_fd, p->fd, data, len, offset);
	else if (data)
		ret = write_cached(p, data, len, offset);
	else if (p->is_preallocated || p->is_resumed || r->job->opt.flags & HEARTH_INPLACE)
		ret = clear_range(p->fd, offset, len);
	pthread_mutex_lock(&p->lock);
	p->nr_writing--;
	return ret ? ret : record(r, p, offset, offset + len);
}

int hearth_part_store(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
		      uint64_t offset, uint64_t len, const void *data, bool is_there)
{
	struct hearth_part *p = get_part(r, b, e);
	bool is_over_now = false;
	int ret = 0;

	if (!p)
		return atomic_load(&e->state) == HEARTH_FILE_DONE ? 0 : -EMFILE;
	pthread_mutex_lock(&p->lock);
	if (!p->is_over) {
		ret = write_part(r, p, offset, len, data, is_there);
		if (p->is_over) {
			ret = 0;
		} else if (ret) {
			end_part(r, p, ret,
				 ret == -EBUSY ? "is being written by another job"
					       : "cannot be written");
			is_over_now = true;
		} else if (p->stored.covered == wanted_size(r, e) && !p->nr_writing) {
			end_part(r, p, place_part(r, p), "cannot be put in its place");
			is_over_now = true;
		}
	}
	pthread_mutex_unlock(&p->lock);
	put_part(r, p, is_over_now);
	return 0;
}

bool hearth_part_has(struct hearth_receiver *r, struct hearth_batch *b, struct hearth_entry *e,
		     uint64_t offset, uint64_t len, const uint8_t *sum)
{
	bool has_it;
	struct hearth_part *p = get_part(r, b, e);
	bool is_over, is_open;

	if (!p)
		return true; /* over: nothing of it is needed any more */
	pthread_mutex_lock(&p->lock);
	is_over = p->is_over;
	is_open = !is_over && (p->fd >= 0 || !hearth_part_open(r, p));
	pthread_mutex_unlock(&p->lock);
	has_it = is_over || (is_open && !hearth_verify_sum(p->fd, p->base + offset, len, sum));
	put_part(r, p, false);
	return has_it;
}

/* A reference to what there is of a file, or NULL. */
static struct hearth_part *get_existing(struct hearth_receiver *r, struct hearth_entry *e)
{
	struct hearth_part *p;

	pthread_mutex_lock(&r->parts_lock);
	p = find_locked(r, e);
	if (p)
		p->refs++;
	pthread_mutex_unlock(&r->parts_lock);
	return p;
}

void hearth_part_check(struct hearth_receiver *r, struct hearth_entry *e)
{
	bool is_over_now = false;
	struct hearth_part *p;

	p = get_existing(r, e);
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	if (!p->is_over && p->stored.covered == wanted_size(r, e) && !p->nr_writing) {
		end_part(r, p, place_part(r, p), "cannot be put in its place");
		is_over_now = true;
	}
	pthread_mutex_unlock(&p->lock);
	put_part(r, p, is_over_now);
}

/* The sender could not read all of it: what is there is of no use. */
void hearth_part_give_up(struct hearth_receiver *r, struct hearth_entry *e)
{
	struct hearth_part *p;
	bool is_over_now;

	p = get_existing(r, e);
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	is_over_now = !p->is_over;
	if (is_over_now)
		remove_files(r, p);
	p->is_over = true;
	pthread_mutex_unlock(&p->lock);
	put_part(r, p, is_over_now);
}

void hearth_parts_exit(struct hearth_receiver *r)
{
	while (r->parts) {
		struct hearth_part *p = r->parts;

		r->parts = p->next;
		free_part(r, p);
	}
}
