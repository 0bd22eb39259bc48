// SPDX-License-Identifier: GPL-2.0-or-later
/* Files that arrive in several blocks: the temporary file and its journal. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/io.h"
#include "recv.h"

/* How much of a large file a crash of the machine may cost. */
#define CHECKPOINT_NS (5ull * 1000000000)

static bool needs_journal(const struct hearth_receiver *r, const struct hearth_entry *e)
{
	return e->size > r->job->opt.block_bytes && !(e->extras & HEARTH_EXTRA_STREAM);
}

/*
 * A temporary file of an earlier run: ours alone, and not being written by another job. The lock
 * goes with the descriptor.
 */
static int open_earlier(const struct hearth_receiver *r, int dir_fd, const char *temp,
			struct stat *st)
{
	bool is_in_place = r->job->opt.flags & HEARTH_INPLACE;
	int fd = hearth_open_beneath(dir_fd, temp, O_RDWR | O_NONBLOCK, 0);

	if (fd < 0)
		return fd;
	if (fstat(fd, st) || !S_ISREG(st->st_mode) ||
	    (!is_in_place && (st->st_nlink != 1 || st->st_uid != geteuid()))) {
		close(fd);
		return -ESTALE;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		close(fd);
		return -EBUSY;
	}
	return fd;
}

static struct hearth_journal_identity identity_of(const struct hearth_entry *e,
						  const struct stat *st)
{
	return (struct hearth_journal_identity){
		.size = e->size,
		.mtime_sec = e->mtime_sec,
		.mtime_nsec = e->mtime_nsec,
		.inode = st->st_ino,
	};
}

/* Opens temporary file and journal of an earlier run; the descriptor, or -errno. */
static int open_both(const struct hearth_receiver *r, int dir_fd, const char *name,
		     const struct hearth_entry *e, struct hearth_journal *j,
		     struct hearth_ranges *stored)
{
	char temp[HEARTH_TEMP_NAME_BYTES], journal[HEARTH_TEMP_NAME_BYTES];
	struct hearth_journal_identity id;
	struct stat st;
	int fd, ret;

	hearth_place_work_name(r, temp, name);
	hearth_journal_name(journal, name);
	fd = open_earlier(r, dir_fd, temp, &st);
	if (fd < 0)
		return fd;
	id = identity_of(e, &st);
	ret = hearth_journal_open(j, dir_fd, journal, &id, stored);
	if (ret == -EUCLEAN)
		ret = hearth_journal_create(j, dir_fd, journal, &id, stored);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

void hearth_part_find_stored(struct hearth_receiver *r, int dir_fd, const char *name,
			     const struct hearth_entry *e, struct hearth_ranges *stored)
{
	struct hearth_journal j;
	int fd;

	/* What an earlier run wrote cannot be verified: its checksums are gone. */
	if (!needs_journal(r, e) || r->job->opt.flags & HEARTH_VERIFY)
		return;
	fd = open_both(r, dir_fd, name, e, &j, stored);
	if (fd < 0) {
		hearth_ranges_exit(stored);
		return;
	}
	hearth_journal_close(&j);
	close(fd);
}

static int create_both(struct hearth_receiver *r, int dir_fd, const char *name,
		       struct hearth_part *p)
{
	char temp[HEARTH_TEMP_NAME_BYTES], journal[HEARTH_TEMP_NAME_BYTES];
	struct hearth_journal_identity id;
	struct stat st;
	int ret;

	hearth_place_work_name(r, temp, name);
	hearth_journal_name(journal, name);
	p->fd = hearth_place_create(r, dir_fd, temp, p->entry);
	if (p->fd < 0)
		return p->fd;
	if (flock(p->fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (!(p->entry->extras & HEARTH_EXTRA_STREAM) && ftruncate(p->fd, (off_t)p->entry->size))
		return -errno;
	if (fstat(p->fd, &st))
		return -errno;
	if (!p->is_journaled)
		return 0;
	id = identity_of(p->entry, &st);
	ret = hearth_journal_create(&p->journal, dir_fd, journal, &id, &p->stored);
	return ret;
}

/* A second descriptor of the file, past the page cache, and room for all of it in one piece. */
static void open_direct(struct hearth_receiver *r, int dir_fd, const char *name,
			struct hearth_part *p)
{
	char temp[HEARTH_TEMP_NAME_BYTES];

	if (p->entry->extras & HEARTH_EXTRA_STREAM || !hearth_direct_is_on_disk(r->job, p->fd))
		return;
	hearth_place_work_name(r, temp, name);
	p->direct_fd = hearth_open_beneath(dir_fd, temp, O_WRONLY | O_DIRECT, 0);
	if (p->direct_fd < 0)
		hearth_direct_refused(r->job, name, p->direct_fd);
	else
		p->is_preallocated = !fallocate(p->fd, 0, 0, (off_t)p->entry->size);
}

/* Continues what an earlier run left, or starts the file. */
static int open_part(struct hearth_receiver *r, struct hearth_part *p)
{
	const char *name = hearth_receiver_name(r, p->batch, p->entry);
	int dir_fd = hearth_dirs_get(&r->dirs, p->entry->parent);
	int ret = -ENOENT;

	if (dir_fd < 0)
		return dir_fd;
	p->is_journaled = needs_journal(r, p->entry);
	if (p->is_journaled && !(r->job->opt.flags & HEARTH_VERIFY))
		ret = open_both(r, dir_fd, name, p->entry, &p->journal, &p->stored);
	if (ret >= 0) {
		p->fd = ret;
		p->is_resumed = true;
		ret = 0;
	} else if (ret != -EBUSY) {
		hearth_ranges_exit(&p->stored);
		ret = create_both(r, dir_fd, name, p);
	}
	if (!ret && hearth_direct_is_meant(r->job, p->entry->size))
		open_direct(r, dir_fd, name, p);
	hearth_dirs_put(&r->dirs, p->entry->parent);
	p->synced_ns = hearth_now_ns();
	return ret;
}

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
	int dir_fd = hearth_dirs_get(&r->dirs, p->entry->parent);
	int ret = 0;

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
	int dir_fd = hearth_dirs_get(&r->dirs, p->entry->parent);

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
	int ret = p->fd < 0 ? open_part(r, p) : 0;

	if (ret)
		return ret;
	if (is_there)
		return record(r, p, offset, offset + len);
	/* Different blocks of one file are written at the same time. */
	pthread_mutex_unlock(&p->lock);
	if (data && p->direct_fd >= 0)
		ret = hearth_direct_write(p->direct_fd, p->fd, data, len, offset);
	else if (data)
		ret = write_cached(p, data, len, offset);
	else if (p->is_preallocated || p->is_resumed || r->job->opt.flags & HEARTH_INPLACE)
		ret = clear_range(p->fd, offset, len);
	pthread_mutex_lock(&p->lock);
	if (!ret && data && r->job->opt.flags & HEARTH_VERIFY)
		ret = hearth_verify_add(&p->slices, offset, len, data);
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
		} else if (p->stored.covered == wanted_size(r, e)) {
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
	struct hearth_part *p = get_part(r, b, e);
	bool has_it = true;

	if (!p)
		return true; /* over: nothing of it is needed any more */
	pthread_mutex_lock(&p->lock);
	if (!p->is_over)
		has_it = (p->fd >= 0 || !open_part(r, p)) &&
			 !hearth_verify_sum(p->fd, offset, len, sum);
	pthread_mutex_unlock(&p->lock);
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
	if (!p->is_over && p->stored.covered == wanted_size(r, e)) {
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
